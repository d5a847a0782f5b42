use std::time::Duration;

use everwire_core::SocketId;

/// The other side.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) greets: Greets,
    pub(crate) answers_pings: bool,
    /// Whether the answer to a ping says which ping it answers.
    pub(crate) names_pings: bool,
    pub(crate) completes_closing: bool,
    /// How far its clock is ahead of the page's, in milliseconds.
    pub(crate) clock_ahead: f64,
    /// How often it says something by itself.
    pub(crate) talks_every: Option<Duration>,
    pub(crate) heard: Vec<(SocketId, String)>,
}

/// What it does with somebody who dials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Greets {
    Accepts,
    Refuses,
    /// Never answers the handshake.
    Hangs,
    /// Accepts, then cuts the connection after so long.
    Drops(Duration),
    /// Accepts, then closes with this code after so long.
    Closes(u16, Duration),
}

impl Default for Server {
    fn default() -> Self {
        Self {
            greets: Greets::Accepts,
            answers_pings: true,
            names_pings: true,
            completes_closing: true,
            clock_ahead: 0.0,
            talks_every: None,
            heard: Vec::new(),
        }
    }
}

impl Server {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.heard.iter().map(|(_, text)| text.as_str()).collect()
    }
}
