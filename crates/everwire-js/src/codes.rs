//! The numbers that cross the border. `js/codes.js` repeats them, and a test compares the two.

#![expect(missing_docs, reason = "most names say it all, and what they do not say stands above them")]

/// What happened. The operands stand behind.
pub mod input {
    /// `a`: how long ago a core before this one dialled last for the same socket, infinite for never.
    pub const OPEN: u32 = 0;
    pub const RECONNECT: u32 = 1;
    pub const CLOSE: u32 = 2;
    /// `a`: the socket.
    pub const OPENED: u32 = 3;
    /// At least one message came, the latest at this time. JavaScript tells before anything else, and only where there is a heartbeat.
    /// `a`: the socket.
    pub const HEARD: u32 = 4;
    /// `a`: the socket; `b`: which ping it answers, negative where that is unknown; `c`: the server's time in milliseconds since the
    /// Unix epoch, 0 where that is unknown.
    pub const PONG: u32 = 5;
    /// `a`: the socket; `b`: the close code, negated where the close was not clean; `c`: the bytes that the platform still held.
    pub const CLOSED: u32 = 6;
    /// The provider of the address failed. `a`: the socket.
    pub const PROVIDER_FAILED: u32 = 7;
    /// The platform refuses the address. `a`: the socket.
    pub const REFUSED: u32 = 8;
    /// `a`: the socket; `b`: the bytes that the platform holds.
    pub const BUFFERED: u32 = 9;
    pub const ONLINE: u32 = 10;
    pub const OFFLINE: u32 = 11;
    pub const VISIBLE: u32 = 12;
    pub const HIDDEN: u32 = 13;
    pub const FROZEN: u32 = 14;
    pub const RESUMED: u32 = 15;
    pub const SUSPENDED: u32 = 16;
    pub const RESTORED: u32 = 17;
    /// The alarm rang. `a`: the wall clock in milliseconds.
    pub const WAKE: u32 = 18;
}

/// What calling has led to, as bits.
pub mod status {
    /// There is something to poll for.
    pub const ACTIONS: u32 = 1;
}

/// What became of a message that was sent, as bits beside those of [`status`].
pub mod sent {
    /// Nothing: the outbox has no room for it, or the connection is closed, or it has to wait and has no key.
    pub const REFUSED: u32 = 0;
    /// To be handed to the socket now.
    pub const TRANSMITTED: u32 = 2;
    /// To be handed to the socket when its turn comes: an action will say.
    pub const ORDERED: u32 = 4;
    /// It waits in the outbox: an action will say what becomes of it.
    pub const QUEUED: u32 = 8;
}

/// What to do. The operands stand behind.
pub mod action {
    pub const NONE: u32 = 0;
    /// The socket; how many attempts failed.
    pub const DIAL: u32 = 1;
    /// The key of the message.
    pub const TRANSMIT: u32 = 2;
    /// The number of the ping.
    pub const PROBE: u32 = 3;
    /// The socket.
    pub const MEASURE: u32 = 4;
    pub const CLOSE: u32 = 5;
    pub const ABANDON: u32 = 6;
    pub const OPENED: u32 = 7;
    /// The round trip in milliseconds.
    pub const LATENCY: u32 = 8;
    /// [`cause`](super::cause); whether the default policy tries again; the bytes and the number of messages that may be lost; the
    /// number of the attempt that follows; when it is made in milliseconds, negative: when the page comes back.
    pub const DROPPED: u32 = 9;
    /// The key of the message; [`discarded`](super::discarded).
    pub const DISCARDED: u32 = 10;
    /// [`cause`](super::cause); the bytes and the number of messages that may be lost.
    pub const ENDED: u32 = 11;
    /// When to ring, in milliseconds.
    pub const ALARM: u32 = 12;
}

/// Why a connection was lost or is over.
pub mod cause {
    pub const CLOSED: u32 = 0;
    pub const CONNECT_TIMEOUT: u32 = 1;
    /// The link was asked and did not answer.
    pub const HEARTBEAT_TIMEOUT: u32 = 2;
    /// The same, and no ping was ever answered: the server may not answer any.
    pub const NEVER_ANSWERED: u32 = 3;
    pub const NETWORK_CHANGED: u32 = 4;
    pub const PROVIDER: u32 = 5;
    pub const REFUSED: u32 = 6;
    pub const SUSPENDED: u32 = 7;
    pub const REQUESTED: u32 = 8;
    pub const BY_APPLICATION: u32 = 9;
}

/// Why the outbox let go of a message.
pub mod discarded {
    pub const EXPIRED: u32 = 0;
    pub const EVICTED: u32 = 1;
    pub const REPLACED: u32 = 2;
    pub const CLOSED: u32 = 3;
}

/// Statistics; times are in milliseconds.
pub mod stat {
    pub const ANSWERED: u32 = 0;
    pub const LOST: u32 = 1;
    pub const LAST: u32 = 2;
    pub const MIN: u32 = 3;
    pub const MAX: u32 = 4;
    pub const MEAN: u32 = 5;
    pub const STANDARD_DEVIATION: u32 = 6;
    pub const JITTER: u32 = 7;
    pub const P50: u32 = 8;
    pub const P90: u32 = 9;
    pub const P99: u32 = 10;
    /// What to add to the time of this clock to have the server's, in milliseconds since the Unix epoch.
    pub const CLOCK_OFFSET: u32 = 11;
    /// How many attempts failed since a connection was last stable.
    pub const FAILURES: u32 = 12;
    /// 1 where the application may send more.
    pub const IS_READY: u32 = 13;
}

/// The options.
pub mod knob {
    pub const FLOOR: u32 = 0;
    pub const FIRST: u32 = 1;
    pub const FACTOR: u32 = 2;
    pub const MAX: u32 = 3;
    pub const QUICK: u32 = 4;
    pub const QUICK_AFTER_SILENCE: u32 = 5;
    pub const STABLE_AFTER: u32 = 6;
    pub const MAX_RETRIES: u32 = 7;
    pub const CONNECT_TIMEOUT: u32 = 8;
    pub const CLOSE_TIMEOUT: u32 = 9;
    pub const HIGH_WATER_MARK: u32 = 10;
    pub const LOW_WATER_MARK: u32 = 11;
    pub const OUTBOX_MESSAGES: u32 = 12;
    pub const OUTBOX_BYTES: u32 = 13;
    pub const OUTBOX_TIME_TO_LIVE: u32 = 14;
    /// Any number: the oldest messages make room.
    pub const DROP_OLDEST: u32 = 15;
    /// Any number: no ending but a refused address is final, since JavaScript judges.
    pub const RETRY_ALL: u32 = 16;
    /// Ping after silence; the other numbers of pings count from here on.
    pub const PING_AFTER_SILENCE: u32 = 17;
    pub const PING_MIN_DEADLINE: u32 = 18;
    pub const PING_MAX_DEADLINE: u32 = 19;
    pub const PING_WAKE_DEADLINE: u32 = 20;
    pub const PING_SAMPLE_EVERY: u32 = 21;
    /// A link is dead after this much silence.
    pub const SILENCE: u32 = 22;
    /// Any number: credentials that were refused are worth another attempt, since a function gives new ones.
    pub const RENEW_CREDENTIALS: u32 = 23;
}
