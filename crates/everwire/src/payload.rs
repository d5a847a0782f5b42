//! A received message, which is copied only when it is read.

use crate::{Message, MessageRef, Received};

/// A received message, copied out of the platform's buffer only when it is read. A custom heartbeat may have read it already.
#[derive(Debug)]
pub(crate) enum Payload {
    Read(Message),
    Received(Received),
}

impl Payload {
    /// The length in bytes; for a text that the browser holds, its UTF-16 units.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Read(message) => message.len(),
            Self::Received(received) => received.size(),
        }
    }

    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Read(message) => message,
            Self::Received(received) => received.into_message(),
        }
    }

    /// The content, borrowed from where it is or copied into `buffer`.
    pub(crate) fn as_ref<'a>(&'a self, buffer: &'a mut Vec<u8>) -> MessageRef<'a> {
        match self {
            Self::Read(message) => message.as_ref(),
            Self::Received(received) => received.as_ref(buffer),
        }
    }
}
