use crate::{Message, MessageRef, platform::Received};

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

impl Payload {
    /// The content, borrowed from where it is or copied into `buffer`.
    pub(crate) fn as_ref<'a>(&'a self, buffer: &'a mut Vec<u8>) -> MessageRef<'a> {
        match self {
            Self::Ours(message) => message.as_ref(),
            Self::Theirs(received) => received.as_ref(buffer),
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
