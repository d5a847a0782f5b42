use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwire::{Backoff, Heartbeat, PingSchedule, Socket, SocketBuilder};
use everwire_yew::{ConnectionStatus, SocketOptions};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::fault::{Disruption, Fault};
use crate::job::here;
use crate::server::{NotFound, Server};

/// The endpoint of the server's channels.
pub(crate) const CHANNELS: &str = "/everwire";

/// How often the round trip is measured.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// When a page connects again: sooner than by default, and as soon as with socket.io. The default spreads the clients of a large server
/// over the first 6 s after its loss; a server of demos has few, and their visitors look on.
pub(crate) fn backoff() -> Backoff {
    Backoff::default().first(Duration::from_millis(1_500)).max(Duration::from_secs(5))
}

/// The way from a page to an endpoint of the companion server, which the visitor can have broken.
///
/// A fault is a part of the address, and the address is asked for at each attempt: so a fault is put into the address of
/// exactly one attempt, and the one after it leads through again.
#[derive(Clone)]
pub(crate) struct Line {
    server: Server,
    /// The path of the endpoint with its parameters: `/ticker?rate=1000`.
    endpoint: AttrValue,
    /// Behind a lock since an address provider may be called from any thread where there are several; in a browser there is one.
    faults: Arc<Mutex<FaultState>>,
}

/// The faults of a line.
#[derive(Debug, Default)]
struct FaultState {
    /// What the next attempt meets.
    armed: Option<Fault>,
    /// What the latest attempt met.
    met: Option<Fault>,
}

impl Line {
    /// The options of a socket that takes this way.
    pub(crate) fn options(&self) -> SocketOptions {
        SocketOptions::with_builder(self.key(), self.builder())
    }

    /// What tells this way from another.
    pub(crate) fn key(&self) -> String {
        format!("{}{}", self.server.choice().unwrap_or_default(), self.endpoint)
    }

    /// The settings of a socket that takes this way, to add to.
    pub(crate) fn builder(&self) -> SocketBuilder {
        let line = self.address_provider();
        // Somebody is looking: the round trip is measured more often than an application has a use for.
        let schedule = PingSchedule::default().after_silence(LOOK_EVERY).sample_every(LOOK_EVERY);
        let heartbeat = Heartbeat::ping().schedule(schedule);
        Socket::builder_with_url_provider(move |_| line()).heartbeat(heartbeat).backoff(backoff())
    }

    /// Returns the address of the next attempt, with the fault that it is to meet.
    pub(crate) fn address_provider(
        &self,
    ) -> impl Fn() -> BoxFuture<'static, Result<String, NotFound>> + Send + Sync + use<> {
        let Self { server, faults, .. } = self.clone();
        // A string of its own, since the page's may not go to another thread.
        let endpoint = self.endpoint.to_string();
        move || {
            let (server, endpoint, faults) = (server.clone(), endpoint.clone(), Arc::clone(&faults));
            let address = here(async move {
                let base = server.base().await;
                // Taken only now, so that a server that cannot be found does not use the fault up.
                base.map(|base| {
                    let url = format!("{base}{endpoint}");
                    let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
                    faults.met = faults.armed.take();
                    faults.met.map_or(url.clone(), |fault| fault.applied_to(&url))
                })
            });
            async move { address.await.unwrap_or(Err(NotFound)) }.boxed()
        }
    }

    /// The server that it leads to.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The endpoint that it leads to, without parameters.
    pub(crate) fn endpoint(&self) -> &str {
        self.endpoint.split('?').next().unwrap_or_default()
    }

    /// Whether it carries channels.
    pub(crate) fn has_channels(&self) -> bool {
        self.endpoint == CHANNELS
    }

    /// The address that it leads to without parameters, as far as it is known by now.
    pub(crate) fn address(&self) -> Option<String> {
        self.server.known_base().map(|base| format!("{base}{}", self.endpoint()))
    }

    /// Breaks the connection: it is replaced by one with the fault, or the server that it leads to is killed.
    pub(crate) fn disrupt(&self, disruption: Disruption, status: &ConnectionStatus) {
        match disruption {
            Disruption::Fault(fault) => {
                self.arm(Some(fault));
                status.reconnect();
            }
            Disruption::KillServer => spawn_local(self.server.clone().kill()),
        }
    }

    /// Has the next attempt meet this fault, or none.
    pub(crate) fn arm(&self, fault: Option<Fault>) {
        self.faults().armed = fault;
    }

    /// The fault that the latest attempt met, if its connection has it for as long as it lives.
    pub(crate) fn lasting_fault(&self) -> Option<Fault> {
        self.faults().met.filter(|fault| fault.lasts())
    }

    fn faults(&self) -> MutexGuard<'_, FaultState> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server && self.endpoint == other.endpoint && Arc::ptr_eq(&self.faults, &other.faults)
    }
}

/// The way to an endpoint on the server that the visitor chose.
#[hook]
pub(crate) fn use_line(endpoint: impl Into<AttrValue>) -> Line {
    let server = use_context::<ServerChoice>().map(|choice| choice.server).unwrap_or_default();
    let faults = use_memo((), |()| Arc::default());
    Line { server, endpoint: endpoint.into(), faults: Arc::clone(&faults) }
}

/// The way to any address, whichever server the other pages talk to.
#[hook]
pub(crate) fn use_line_to(address: &str) -> Line {
    let (server, endpoint) = Server::of(address);
    let faults = use_memo((), |()| Arc::default());
    Line { server, endpoint: endpoint.into(), faults: Arc::clone(&faults) }
}

/// The server that all pages talk to, and how to choose another.
#[derive(Clone, PartialEq)]
pub(crate) struct ServerChoice {
    pub(crate) server: Server,
    pub(crate) choose: Callback<Server>,
}

#[hook]
pub(crate) fn use_server_choice() -> ServerChoice {
    let server = use_state_eq(Server::remembered);
    let choose = {
        let server = server.setter();
        use_callback((), move |choice, ()| server.set(choice))
    };
    ServerChoice { server: (*server).clone(), choose }
}

#[cfg(test)]
mod tests {
    use everwire_core::{Action, Config, Connection, DropCause, Input, Time};

    use super::*;

    #[test]
    fn a_page_whose_server_was_killed_tries_again_within_moments_and_goes_on() {
        for seed in 0..500 {
            let delays = delays_after_a_kill(seed);
            for (delay, most) in delays.into_iter().zip([1_500, 3_000, 5_000, 5_000, 5_000]) {
                assert!((500..=most).contains(&delay), "seed {seed}: {delays:?}");
            }
        }
    }

    /// The milliseconds before each attempt, in virtual time, of a page whose server is gone for good.
    fn delays_after_a_kill(seed: u64) -> [u128; 5] {
        let config = Config { backoff: backoff(), ..Config::default() };
        let (mut page, mut now) = (Connection::new(config, seed), Time::ZERO);
        let dial = |page: &mut Connection| loop {
            match page.poll_action() {
                Some(Action::Dial { socket, .. }) => return socket,
                action => assert!(action.is_some(), "no attempt is made"),
            }
        };
        page.handle(now, Input::Open { since_last_dial: None });
        let mut socket = dial(&mut page);
        page.handle(now, Input::Opened { socket });
        now = now + Time::from_secs(10);
        [(); 5].map(|()| {
            page.handle(now, Input::Dropped { socket, cause: DropCause::closed(1006, false), buffered: 0 });
            let lost_at = now;
            now = page.poll_deadline().unwrap();
            page.handle(now, Input::Wake { wall: now });
            socket = dial(&mut page);
            Duration::from(now - lost_at).as_millis()
        })
    }
}
