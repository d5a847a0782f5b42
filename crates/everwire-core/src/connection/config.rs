//! The options of a connection.

use super::reconnect::{Backoff, ReconnectRules};
use crate::{backpressure::Watermarks, heartbeat::HeartbeatMode, outbox::OutboxLimits, time::Time};

/// Every option of a [`Connection`](crate::Connection), with its default.
#[derive(Debug, Clone)]
pub struct Config {
    /// When attempts are made.
    pub backoff: Backoff,
    /// How a dead link is detected.
    pub heartbeat: HeartbeatMode,
    /// How many messages may wait to be sent.
    pub outbox: OutboxLimits,
    /// How many bytes may wait in the platform's buffer.
    pub watermarks: Watermarks,
    /// Which losses are worth another attempt.
    pub reconnect: ReconnectRules,
    /// How long an attempt may take, including the provider of its address (15 s). Not below 10 s for browsers: Firefox silently delays
    /// repeated dials to an address and counts an aborted one as a failure, and Chromium may be asking the user for permission to reach
    /// the local network.
    pub connect_timeout: Time,
    /// How long a close by the application waits for the server's half of the closing handshake (3 s). Chromium by itself waits for 60 s.
    pub close_timeout: Time,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            heartbeat: HeartbeatMode::default(),
            outbox: OutboxLimits::default(),
            watermarks: Watermarks::default(),
            reconnect: ReconnectRules::default(),
            connect_timeout: Time::from_secs(15),
            close_timeout: Time::from_secs(3),
        }
    }
}
