//! A message: as a value, and borrowed.

/// A message that is sent or received.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A binary message that stays in the browser: received with [`BinaryType::Blob`], and sendable.
    #[cfg(target_family = "wasm")]
    Blob(web_sys::Blob),
}

/// A message borrowed from where it is, for a [`Decoder`](crate::codec::Decoder).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MessageRef<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A binary message that stays in the browser, as in [`Message::Blob`].
    #[cfg(target_family = "wasm")]
    Blob(&'a web_sys::Blob),
}

impl Message {
    /// The same message, borrowed.
    pub fn as_ref(&self) -> MessageRef<'_> {
        match self {
            Self::Text(text) => MessageRef::Text(text),
            Self::Binary(bytes) => MessageRef::Binary(bytes),
            #[cfg(target_family = "wasm")]
            Self::Blob(blob) => MessageRef::Blob(blob),
        }
    }

    /// The length of the content in bytes.
    pub fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content of a text message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The content of a binary message.
    pub fn as_binary(&self) -> Option<&[u8]> {
        match self {
            Self::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl MessageRef<'_> {
    /// The length of the content in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            #[cfg(target_family = "wasm")]
            Self::Blob(blob) => blob.size() as usize,
        }
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.to_owned())
    }
}

/// How a browser returns binary messages. Native programs always get [`Message::Binary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BinaryType {
    /// As bytes. The default: reading a Blob takes another, asynchronous step, which can reorder messages.
    #[default]
    ArrayBuffer,
    /// As a Blob, which the browser may keep on disk.
    Blob,
}
