use core::time::Duration;

use super::SocketId;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked for the connection yet.
    Idle,
    /// An attempt is under way.
    Connecting {
        /// Its socket.
        socket: SocketId,
        /// When it is given up.
        give_up_at: Duration,
        /// Whether the platform said that it was offline when the attempt began or since.
        had_no_network: bool,
    },
    /// The socket is open.
    Open {
        /// Which socket.
        socket: SocketId,
        /// Since when.
        since: Duration,
    },
    /// Between two attempts.
    Waiting {
        /// When the next one is made; `None` while the page is in the back/forward cache.
        until: Option<Duration>,
    },
    /// The application asked for the end, and the closing handshake is under way.
    Closing {
        /// Which socket.
        socket: SocketId,
        /// When the handshake is given up.
        give_up_at: Duration,
    },
    /// Over, until somebody asks for a new connection.
    Closed,
}

impl State {
    /// The socket that exists in this state.
    pub fn socket(self) -> Option<SocketId> {
        match self {
            Self::Connecting { socket, .. } | Self::Open { socket, .. } | Self::Closing { socket, .. } => Some(socket),
            Self::Idle | Self::Waiting { .. } | Self::Closed => None,
        }
    }

    /// Whether messages can be handed to a socket.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }
}
