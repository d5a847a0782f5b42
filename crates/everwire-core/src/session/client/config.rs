use crate::Time;

/// Every option of a [`ClientSession`](super::ClientSession), with its default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ClientSessionConfig {
    /// The most publishes and requests that may wait to be sent or be unanswered (4,096).
    pub max_pending: usize,
    /// The most bytes of these (8 MiB).
    pub max_bytes: usize,
    /// How long the server may take to answer `hello`, and to close the connection where it said so (30 s). The server waits with its
    /// `welcome` for the broker; a link that is dead is found by the heartbeat before.
    pub answer_timeout: Time,
}

impl Default for ClientSessionConfig {
    fn default() -> Self {
        Self { max_pending: 4_096, max_bytes: 8 << 20, answer_timeout: Time::from_secs(30) }
    }
}

impl ClientSessionConfig {
    /// Sets [`max_pending`](field@Self::max_pending).
    #[must_use]
    pub fn max_pending(mut self, publishes_and_requests: usize) -> Self {
        self.max_pending = publishes_and_requests;
        self
    }

    /// Sets [`max_bytes`](field@Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`answer_timeout`](field@Self::answer_timeout).
    #[must_use]
    pub fn answer_timeout(mut self, time: impl Into<Time>) -> Self {
        self.answer_timeout = time.into();
        self
    }
}
