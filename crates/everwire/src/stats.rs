//! The state and the statistics of a connection.

use core::time::Duration;

use everwire_core::LatencySummary;

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum State {
    /// An attempt is in progress.
    #[default]
    Connecting,
    /// The connection is open.
    Open,
    /// Between two attempts.
    Waiting {
        /// The number of the attempt that follows, since a connection was last stable, from 1.
        attempt: u32,
        /// How long until then, as of now; `None`: until the page returns from the back/forward cache.
        retry_in: Option<Duration>,
    },
    /// The application has closed the connection, and the closing handshake is in progress.
    Closing,
    /// Over, until a call of `reconnect`.
    Closed,
}

/// The state of the platform's WebSocket, with the browser's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// The handshake is in progress, or there is no socket between two attempts.
    Connecting = 0,
    /// Messages flow.
    Open = 1,
    /// The closing handshake is in progress.
    Closing = 2,
    /// The connection is over.
    Closed = 3,
}

/// The statistics of a socket, over all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The round trips.
    pub latency: LatencySummary,
    /// How often a connection was opened.
    pub opened: u64,
    /// How often a connection was lost or an attempt failed.
    pub dropped: u64,
    /// Messages handed to the platform, without on-open messages.
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
    /// Messages that were dropped because the application did not read.
    pub lagged: u64,
}
