//! Messages as JSON.

use data_encoding::BASE64;
use everwire_core::protocol::Cursor;
use everwire_server::Message;
use everwire_server::broker::Stored;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::repeats;

/// A payload: `{"text": "…"}` or `{"base64": "…"}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PayloadJson {
    Text(String),
    Base64(String),
}

/// A position: what a publish is answered with.
#[derive(Debug)]
pub(super) struct Position(pub(super) Cursor);

/// A message of the history.
#[derive(Debug, Serialize)]
pub(super) struct MessageJson {
    #[serde(flatten)]
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
    /// The session that published it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(flatten)]
    payload: Option<PayloadJson>,
}

impl PayloadJson {
    pub(super) fn of(message: &Message) -> Self {
        match message.as_text() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Base64(BASE64.encode(message.as_bytes())),
        }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cursor { epoch, offset, time } = self.0;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("cursor", &self.0.to_string())?;
        // A number of 64 bits is not exact in every language's JSON.
        map.serialize_entry("epoch", &format!("{epoch:x}"))?;
        map.serialize_entry("offset", &offset)?;
        map.serialize_entry("time", &time)?;
        map.end()
    }
}

impl MessageJson {
    pub(super) fn of(stored: &Stored) -> Self {
        let session = stored.by.as_ref().map(|by| by.session.as_str()).filter(|id| !repeats::is_own(id));
        Self {
            position: Position(stored.cursor),
            key: stored.key.as_ref().map(|key| key.as_str().to_owned()),
            removed: stored.is_removed,
            session: session.map(str::to_owned),
            payload: stored.payload.as_ref().map(PayloadJson::of),
        }
    }
}
