use everwire::Protocols;
use everwire_yew::SocketOptions;

use super::heartbeat_choice::HeartbeatChoice;
use crate::line::Line;

/// What the visitor chose about a connection.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub(super) address: String,
    pub(super) protocols: Protocols,
    pub(super) heartbeat: HeartbeatChoice,
    /// Counts the presses of the button: each makes a socket of its own, also with the same choice.
    pub(super) press: u32,
}

impl Choice {
    /// The socket that was asked for. `line` leads to the address.
    pub(super) fn options(&self, line: &Line) -> SocketOptions {
        let builder = line.builder().protocols(self.protocols.clone()).heartbeat(self.heartbeat.heartbeat());
        let builder = builder.report_transmitted(true);
        SocketOptions::with_builder(self.press.to_string(), builder)
    }
}
