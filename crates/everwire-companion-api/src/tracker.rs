//! The endpoint `/tracker`, and the channel [`POSITIONS`] with the request [`REPORT`]: the positions of everyone who shares one, sent to
//! everyone.

use everwire_core::Channel;
use serde::{Deserialize, Serialize};

/// Everyone who shares a position, by [id](Position::id) as the key.
pub const POSITIONS: Channel<Position> = Channel::state("tracker");

/// The request that shares a position, or stops: a [`ClientMessage`] with a secret. Its answer is `()`.
///
/// The session reports for one participant, that of the latest secret. The participant is removed when the session has ended, and some
/// seconds after it has lost its connection.
pub const REPORT: &str = "tracker/report";

/// A message from a client, and the argument of a [`REPORT`].
///
/// A secret makes the connection report for the participant whose id [follows from it](participant_id), until another secret is
/// sent. A connection without a secret is a participant of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientMessage {
    /// Shares a position.
    Position {
        /// Degrees north, -90 to 90.
        lat: f64,
        /// Degrees east, -180 to 180.
        lon: f64,
        /// The radius in metres of the circle that the participant is in.
        accuracy: f64,
        /// Who shares it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<Secret>,
    },
    /// Removes the participant from everyone's map. The connection stays open.
    Leave {
        /// Who leaves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<Secret>,
    },
}

/// A message from the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The first message of a connection, and the answer to each new secret.
    Welcome {
        /// The id of the connection's participant.
        id: u64,
    },
    /// The second message of a connection: everyone who shares a position.
    Positions {
        /// One entry per participant.
        positions: Vec<Position>,
    },
    /// A participant shares a new position.
    Position(Position),
    /// A participant shares its position no longer.
    Left {
        /// The participant.
        id: u64,
    },
}

/// The last position of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The participant.
    pub id: u64,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// The radius in metres of the circle that the participant is in.
    pub accuracy: f64,
    /// When the server received it.
    pub time: f64,
}

/// Proves that two connections belong to the same participant: 16 to 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Secret(String);

impl Secret {
    /// The secret as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Secret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // A shorter secret can be guessed, and a longer one is a mistake.
        if (16..=128).contains(&text.len()) { Ok(Self(text)) } else { Err("a secret of 16 to 128 bytes") }
    }
}

/// The id of a participant, from the SHA-256 of its [`Secret`].
///
/// The id is public, survives a restart of the server, and cannot be taken by a participant that does not know the secret. It is at
/// least 2⁵² and at most 2⁵³ - 1, the largest integer that a JavaScript number holds exactly. Ids of connections without a secret
/// count up from 1 and never get there.
pub fn participant_id(sha256: &[u8; 32]) -> u64 {
    let start = sha256.iter().take(8).fold(0, |start, byte| start << 8 | u64::from(*byte));
    1 << 52 | start >> 12
}
