use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use crate::{Message, Pong, pong};

/// A message as tungstenite gives it: shared bytes, which are copied when the message is read.
#[derive(Debug)]
pub(crate) enum Received {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl Received {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// What it says, if it is a standard answer to a ping.
    pub(crate) fn standard_pong(&self) -> Option<Pong> {
        match self {
            Self::Text(text) => pong::read(text),
            Self::Binary(_) => None,
        }
    }

    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Text(text) => Message::Text(text.as_str().to_owned()),
            Self::Binary(bytes) => Message::Binary(bytes.into()),
        }
    }

    /// The text, which needs no other room.
    #[cfg(feature = "json")]
    pub(crate) fn text<'a>(&'a self, _scratch: &'a mut Vec<u8>) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}
