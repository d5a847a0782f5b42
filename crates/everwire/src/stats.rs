use core::time::Duration;

use everwire_core::LatencySummary;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum State {
    /// An attempt is under way.
    #[default]
    Connecting,
    /// The connection is open.
    Open,
    /// Between two attempts.
    Waiting {
        /// The number of the attempt that follows, since a connection was last stable, from 1.
        attempt: u32,
        /// How long until then, as of now; `None`: until the page comes back from the back/forward cache.
        retry_in: Option<Duration>,
    },
    /// The application asked for the end, and the closing handshake is under way.
    Closing,
    /// Over, until somebody calls `reconnect`.
    Closed,
}

/// The state of the platform's WebSocket, with the browser's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// The handshake is under way, or there is no socket just now.
    Connecting = 0,
    /// Messages flow.
    Open = 1,
    /// The closing handshake is under way.
    Closing = 2,
    /// The socket is closed for good.
    Closed = 3,
}

/// What a socket has seen, over all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The round trips.
    pub latency: LatencySummary,
    /// How often a connection was opened.
    pub opened: u64,
    /// How often a connection was lost or an attempt failed.
    pub dropped: u64,
    /// Messages handed to the platform.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Messages received, without answers to pings.
    pub messages_in: u64,
    /// Their bytes; for a text that a browser received, its UTF-16 units.
    pub bytes_in: u64,
    /// Messages that wait in the outbox.
    pub queued_messages: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Messages that were let go because the application did not read.
    pub lagged: u64,
}
