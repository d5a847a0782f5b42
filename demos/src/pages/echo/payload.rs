use std::rc::Rc;

use everwire::Message;

use super::log::Body;

/// What the visitor sends. It is shared between the log and however many repetitions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Payload {
    Text(Rc<str>),
    Binary(Rc<[u8]>),
}

impl Payload {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(super) fn message(&self) -> Message {
        match self {
            Self::Text(text) => Message::from(&**text),
            Self::Binary(bytes) => Message::from(&**bytes),
        }
    }

    pub(super) fn body(&self) -> Body {
        match self {
            Self::Text(text) => Body::Text(text.clone()),
            Self::Binary(bytes) => Body::Binary(bytes.clone()),
        }
    }
}

impl From<Message> for Payload {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(bytes) => Self::Binary(bytes.into()),
            // This page never asks for Blobs.
            _ => Self::Binary([].into()),
        }
    }
}
