use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use super::history::History;
use super::sampler;
use crate::Everwire;
use crate::connection::Mailbox;
use crate::endpoints::Opening;
use crate::hub::{Hub, Membership};
use crate::session::Session;

/// How a client that may not watch is closed: as HTTP's 403. A client that takes it for final does right.
const OFF: u16 = 4403;
const OFF_SENTENCE: &str = "The monitor is off, since it tells about the machine; start the server with --monitor.";

/// The samples and who is sent them. Nothing is sampled while nobody watches.
#[derive(Debug)]
pub(crate) struct Monitor {
    hub: Arc<Hub<History>>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { hub: Hub::new(History::default()) }
    }
}

impl Monitor {
    /// Sends the newcomer what is known, and every sample from now on.
    fn watch(&self, everwire: &Everwire, mailbox: &Arc<Mailbox>) -> Membership<History> {
        let membership = self.hub.join(mailbox, |history, _| vec![history.welcome()]);
        let mut must_start = false;
        self.hub.update(|history, _| {
            must_start = history.start();
            None
        });
        if must_start {
            let (hub, everwire) = (Arc::clone(&self.hub), everwire.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = sampler::sample(&hub, &everwire) => {}
                    () = everwire.drain_state().finished() => {}
                }
            });
        }
        membership
    }
}

/// Decides what a connection to `/monitor` gets.
///
/// A browser tells its page nothing about a refused handshake. So a connection that may not watch is accepted, told what
/// to do, and closed.
pub(crate) fn prepare(everwire: &Everwire) -> Opening {
    if !everwire.config().monitor {
        return Box::new(|mailbox| {
            mailbox.send_error(OFF_SENTENCE);
            mailbox.close(OFF, "the monitor is off");
            Box::new(TurnedAway)
        });
    }
    let everwire = everwire.clone();
    Box::new(move |mailbox| {
        let membership = everwire.monitor().watch(&everwire, mailbox);
        Box::new(Watcher { membership })
    })
}

/// One watcher.
struct Watcher {
    membership: Membership<History>,
}

impl Session for Watcher {
    fn received(&mut self, _: Message) {
        self.membership.mailbox().send_error("the monitor only sends; it has no parameters");
    }
}

/// Somebody who would like to watch a server that does not tell.
struct TurnedAway;

impl Session for TurnedAway {
    fn received(&mut self, _: Message) {}
}
