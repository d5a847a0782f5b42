use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use super::history::History;
use super::sampler;
use crate::Everwire;
use crate::connection::OutboundQueue;
use crate::endpoints::Opening;
use crate::group::{Group, Membership};
use crate::handler::Handler;

/// How a client that may not watch is closed: as HTTP's 403. A client that takes it for final does right.
const OFF: u16 = 4403;
const OFF_SENTENCE: &str = "The monitor is off, since it tells about the machine; start the server with --monitor.";

/// The samples and who is sent them. Nothing is sampled while nobody watches.
#[derive(Debug)]
pub(crate) struct Monitor {
    group: Arc<Group<History>>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { group: Group::new(History::default()) }
    }
}

impl Monitor {
    /// Sends the newcomer what is known, and every sample from now on.
    fn watch(&self, everwire: &Everwire, outbound: &Arc<OutboundQueue>) -> Membership<History> {
        let membership = self.group.join(outbound, |history, _| vec![history.welcome()]);
        let mut must_start = false;
        self.group.update(|history, _| {
            must_start = history.start();
            None
        });
        if must_start {
            let (group, everwire) = (Arc::clone(&self.group), everwire.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = sampler::sample(&group, &everwire) => {}
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
        return Box::new(|outbound| {
            outbound.send_error(OFF_SENTENCE);
            outbound.close(OFF, "the monitor is off");
            Box::new(DisabledHandler)
        });
    }
    let everwire = everwire.clone();
    Box::new(move |outbound| {
        let membership = everwire.monitor().watch(&everwire, outbound);
        Box::new(MonitorHandler { membership })
    })
}

/// One watcher.
struct MonitorHandler {
    membership: Membership<History>,
}

impl Handler for MonitorHandler {
    fn on_message(&mut self, _: Message) {
        self.membership.outbound().send_error("the monitor only sends; it has no parameters");
    }
}

/// Somebody who would like to watch a server that does not tell.
struct DisabledHandler;

impl Handler for DisabledHandler {
    fn on_message(&mut self, _: Message) {}
}
