use everwire_core::{SocketId, Time};

/// The other side.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) accepts: Accepts,
    pub(crate) answers_pings: bool,
    /// Whether it answers each message with one of its own.
    pub(crate) answers_messages: bool,
    /// Whether the answer to a ping says which ping it answers.
    pub(crate) names_pings: bool,
    pub(crate) completes_closing: bool,
    /// How far its clock is ahead of the page's, in milliseconds.
    pub(crate) clock_ahead: f64,
    /// How often it sends something by itself.
    pub(crate) sends_every: Option<Time>,
    pub(crate) received: Vec<(SocketId, String)>,
}

/// What it does with a client that dials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Accepts {
    Always,
    Refuses,
    /// Never answers the handshake.
    Hangs,
    /// Accepts, then cuts the connection after this time.
    ThenCuts(Time),
    /// Accepts, then closes with this code after this time.
    ThenCloses(u16, Time),
}

impl Default for Server {
    fn default() -> Self {
        Self {
            accepts: Accepts::Always,
            answers_pings: true,
            answers_messages: false,
            names_pings: true,
            completes_closing: true,
            clock_ahead: 0.0,
            sends_every: None,
            received: Vec::new(),
        }
    }
}

impl Server {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.received.iter().map(|(_, text)| text.as_str()).collect()
    }
}
