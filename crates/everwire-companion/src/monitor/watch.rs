use axum::extract::State;
use axum::response::Response;
use everwire_server::{Connection, Group, Handler, Membership, Message};

use super::history::History;
use super::sampler;
use crate::companion::Companion;
use crate::json::SendJson;
use crate::opening::Opening;

/// How a client that may not watch is closed: as HTTP's 403. A client that takes it for final does right.
const OFF: u16 = 4403;
const OFF_SENTENCE: &str = "The monitor is off, since it tells about the machine; start the server with --monitor.";

/// The samples and who is sent them. Nothing is sampled while nobody watches.
#[derive(Debug)]
pub(crate) struct Monitor {
    group: Group<History>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { group: Group::new(History::default()) }
    }
}

impl Monitor {
    /// Sends the newcomer what is known, and every sample from now on.
    fn watch(&self, companion: &Companion, connection: &Connection) -> Membership<History> {
        let membership = self.group.join(connection, |history, _| [history.welcome()]);
        if self.group.with_state(History::start) {
            let (group, companion) = (self.group.clone(), companion.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = sampler::sample(&group, &companion) => {}
                    () = companion.everwire().drained() => {}
                }
            });
        }
        membership
    }
}

/// Answers a handshake with `/monitor`.
///
/// A browser tells its page nothing about a refused handshake. So a connection that may not watch is accepted, told what
/// to do, and closed.
pub(crate) async fn open(State(companion): State<Companion>, Opening { upgrade, .. }: Opening) -> Response {
    if !companion.config().monitor {
        return upgrade.accept(|connection| {
            connection.send_error(OFF_SENTENCE);
            connection.close(OFF, "the monitor is off");
            DisabledHandler
        });
    }
    upgrade.accept(move |connection| {
        let membership = companion.monitor().watch(&companion, connection);
        MonitorHandler { membership }
    })
}

/// One watcher.
struct MonitorHandler {
    membership: Membership<History>,
}

impl Handler for MonitorHandler {
    fn on_message(&mut self, _: Message) {
        self.membership.connection().send_error("the monitor only sends; it has no parameters");
    }
}

/// Somebody who would like to watch a server that does not tell.
struct DisabledHandler;

impl Handler for DisabledHandler {
    fn on_message(&mut self, _: Message) {}
}
