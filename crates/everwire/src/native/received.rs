//! A message as tungstenite receives it.

use everwire_core::ping;
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use crate::{Message, MessageRef};

/// A message as tungstenite returns it: shared bytes, which are copied when the message is read.
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

    /// The answer to a standard ping, if it is one.
    pub(crate) fn standard_pong(&self) -> Option<ping::Answer> {
        match self {
            Self::Text(text) => ping::Answer::parse(text),
            Self::Binary(_) => None,
        }
    }

    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Text(text) => Message::Text(text.as_str().to_owned()),
            Self::Binary(bytes) => Message::Binary(bytes.into()),
        }
    }

    /// The content, borrowed: `_buffer` is for platforms that have to copy it.
    pub(crate) fn as_ref(&self, _buffer: &mut Vec<u8>) -> MessageRef<'_> {
        match self {
            Self::Text(text) => MessageRef::Text(text),
            Self::Binary(bytes) => MessageRef::Binary(bytes),
        }
    }
}
