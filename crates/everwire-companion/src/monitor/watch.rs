use axum::extract::State;
use axum::response::Response;
use everwire_server::{Connection, Group, Handler, Membership, Message};

use super::history::History;
use super::sampler;
use crate::companion::Companion;
use crate::protocol::SendJson;
use crate::upgrade::UpgradeRequest;

/// The close code for a client while the monitor is off, after HTTP's 403. A client should not reconnect.
const OFF: u16 = 4403;
const OFF_SENTENCE: &str =
    "The monitor is off, since it exposes information about the machine; start the server with --monitor.";

/// The samples and their watchers.
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
    /// Starts the sampler, unless it runs.
    pub(crate) fn start(&self, companion: &Companion) {
        if self.group.with_state(History::start) {
            let (group, sampled) = (self.group.clone(), companion.clone());
            companion.spawn(async move { sampler::sample(&group, &sampled).await });
        }
    }

    /// Sends a new watcher the history and all samples from now on.
    fn watch(&self, companion: &Companion, connection: &Connection) -> Membership<History> {
        let membership = self.group.join(connection, |history, _| [history.welcome()]);
        // It runs already, unless an application has mounted the routes without running a server, or it has failed.
        self.start(companion);
        membership
    }
}

/// Accepts a handshake with `/monitor`.
///
/// Browsers do not report the reason of a refused handshake to the page. So while the monitor is off, a connection is accepted, sent
/// the reason, and closed.
pub(crate) async fn open(
    State(companion): State<Companion>,
    UpgradeRequest { upgrade, .. }: UpgradeRequest,
) -> Response {
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

/// The handler of a connection while the monitor is off.
struct DisabledHandler;

impl Handler for DisabledHandler {
    fn on_message(&mut self, _: Message) {}
}
