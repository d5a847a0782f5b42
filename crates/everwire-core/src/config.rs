use core::time::Duration;

use crate::{Backoff, ClosePolicy, Heartbeat, OutboxLimits, Time};

/// Every knob of a [`Connection`](crate::Connection), with its default. Its times and its policy may be of the kinds that the
/// driver's [`Terms`](crate::Terms) name.
#[derive(Debug, Clone)]
pub struct Config<Time = Duration, Policy = ClosePolicy> {
    /// When attempts are made.
    pub backoff: Backoff<Time>,
    /// How a dead link is noticed.
    pub heartbeat: Heartbeat<Time>,
    /// What may wait to be sent.
    pub outbox: OutboxLimits<Time>,
    /// How much may sit in the platform's buffer.
    pub watermarks: Watermarks,
    /// Which endings are worth another attempt.
    pub close_policy: Policy,
    /// How long an attempt may take, the provider of its address included (15 s). Not below 10 s for browsers: Firefox delays
    /// repeated dials to an address silently and takes an aborted one for a failure, and Chromium may be asking the user for
    /// permission to reach the local network.
    pub connect_timeout: Time,
    /// How long a close asked for by the application waits for the server's half of the closing handshake (3 s). Chromium
    /// itself would wait for 60 s.
    pub close_timeout: Time,
}

impl<T: Into<Time>, Policy> Config<T, Policy> {
    /// The same with the core's own times.
    pub(crate) fn timed(self) -> Config<Time, Policy> {
        Config {
            backoff: self.backoff.timed(),
            heartbeat: self.heartbeat.timed(),
            outbox: self.outbox.timed(),
            watermarks: self.watermarks,
            close_policy: self.close_policy,
            connect_timeout: self.connect_timeout.into(),
            close_timeout: self.close_timeout.into(),
        }
    }
}

impl<T: From<Time>, Policy> Config<T, Policy> {
    /// The defaults, in any kind of time.
    pub fn standard(close_policy: Policy) -> Self {
        Self {
            backoff: Backoff::standard(),
            heartbeat: Heartbeat::standard(),
            outbox: OutboxLimits::standard(),
            watermarks: Watermarks::default(),
            close_policy,
            connect_timeout: Time::from_secs(15).into(),
            close_timeout: Time::from_secs(3).into(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::standard(ClosePolicy::default())
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
