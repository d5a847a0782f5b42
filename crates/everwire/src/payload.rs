use crate::{Message, platform::Received};

/// What the core carries: a message of ours, or one of the server's in the form in which the platform received it, which is
/// copied only when somebody reads it.
#[derive(Debug)]
pub(crate) enum Payload {
    Ours(Message),
    Theirs(Received),
}

impl Payload {
    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Ours(message) => message,
            Self::Theirs(received) => received.into_message(),
        }
    }
}

#[cfg(feature = "json")]
impl Payload {
    /// The text, for which `scratch` is room that may be used. `None` where it is none.
    pub(crate) fn text<'a>(&'a self, scratch: &'a mut Vec<u8>) -> Option<&'a str> {
        match self {
            Self::Ours(message) => message.as_text(),
            Self::Theirs(received) => received.text(scratch),
        }
    }
}

impl everwire_core::Payload for Payload {
    type Terms = everwire_core::Words;

    fn size(&self) -> usize {
        match self {
            Self::Ours(message) => message.len(),
            Self::Theirs(received) => received.size(),
        }
    }
}
