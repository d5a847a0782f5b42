use core::time::Duration;

use crate::{Backoff, ClosePolicy, Heartbeat, OutboxLimits};

/// Every knob of a [`Connection`](crate::Connection), with its default.
#[derive(Debug, Clone)]
pub struct Config {
    /// When attempts are made.
    pub backoff: Backoff,
    /// How a dead link is noticed.
    pub heartbeat: Heartbeat,
    /// What may wait to be sent.
    pub outbox: OutboxLimits,
    /// How much may sit in the platform's buffer.
    pub watermarks: Watermarks,
    /// Which endings are worth another attempt.
    pub close_policy: ClosePolicy,
    /// How long an attempt may take, the provider of its address included (15 s). Not below 10 s for browsers: Firefox delays
    /// repeated dials to an address silently and takes an aborted one for a failure, and Chromium may be asking the user for
    /// permission to reach the local network.
    pub connect_timeout: Duration,
    /// How long a close asked for by the application waits for the server's half of the closing handshake (3 s). Chromium
    /// itself would wait for 60 s.
    pub close_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            heartbeat: Heartbeat::default(),
            outbox: OutboxLimits::default(),
            watermarks: Watermarks::default(),
            close_policy: ClosePolicy::default(),
            connect_timeout: Duration::from_secs(15),
            close_timeout: Duration::from_secs(3),
        }
    }
}

/// How much may sit in the platform's buffer before messages wait in the outbox, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// Above this the connection is not ready and messages wait in the outbox (1 MiB).
    pub high: u64,
    /// Below this it is ready again (256 KiB).
    pub low: u64,
}

impl Default for Watermarks {
    fn default() -> Self {
        Self { high: 1 << 20, low: 256 << 10 }
    }
}
