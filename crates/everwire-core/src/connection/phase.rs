use super::{SocketId, State};
use crate::time::Time;

/// Where a connection stands, with the core's own times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Connecting {
        socket: SocketId,
        give_up_at: Time,
        had_no_network: bool,
    },
    Open {
        socket: SocketId,
        since: Time,
    },
    Waiting {
        /// Never while the page is in the back/forward cache.
        until: Time,
    },
    Closing {
        socket: SocketId,
        give_up_at: Time,
    },
    Closed,
}

impl Phase {
    pub(super) fn socket(self) -> Option<SocketId> {
        match self {
            Self::Connecting { socket, .. } | Self::Open { socket, .. } | Self::Closing { socket, .. } => Some(socket),
            Self::Idle | Self::Waiting { .. } | Self::Closed => None,
        }
    }
}

impl From<Phase> for State {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Idle => Self::Idle,
            Phase::Connecting { socket, give_up_at, had_no_network } => {
                Self::Connecting { socket, give_up_at: give_up_at.into(), had_no_network }
            }
            Phase::Open { socket, since } => Self::Open { socket, since: since.into() },
            Phase::Waiting { until } => Self::Waiting { until: until.planned() },
            Phase::Closing { socket, give_up_at } => Self::Closing { socket, give_up_at: give_up_at.into() },
            Phase::Closed => Self::Closed,
        }
    }
}
