use std::sync::Arc;

/// Why a broker did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// More waits to be stored than the broker may hold.
    #[error(
        "too much waits to be stored; publish again later, and watch `poll_ready` to publish no faster than the broker stores"
    )]
    Busy,
    /// The broker cannot store or read at present: the disk is full, or fails. Whether a publish was stored is certain: it was not.
    #[error("the broker does not work at present ({reason}); try again later")]
    Unavailable {
        /// What failed.
        reason: Arc<str>,
    },
    /// Storing failed at its end, and the broker does not work at present: only when it does again, it is known whether the publish was
    /// stored. To publish it again by the same session with the same number stores it once.
    #[error(
        "not known yet whether this publish was stored; publish it again later with the same number of the same session"
    )]
    Undecided,
    /// The session has stored a later publish, and whether it has stored this one is not remembered.
    #[error("whether this publish was stored is no longer known; look before publishing it again")]
    Forgotten,
    /// All sessions that the broker may keep are attached.
    #[error("{limit} sessions are attached; raise `BrokerConfig::sessions`, or try again later")]
    TooManySessions {
        /// The limit.
        limit: usize,
    },
    /// The broker is closed.
    #[error("the broker is closed; open it again")]
    Closed,
}

impl BrokerError {
    /// Whether the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable { .. } | Self::Undecided | Self::TooManySessions { .. })
    }
}
