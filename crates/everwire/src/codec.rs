//! Codecs: how values are encoded as messages, and decoded from them.
//!
//! A [`TypedSocket`](crate::TypedSocket) sends and receives values through a codec: a type that is an [`Encoder`] of the sent type and
//! a [`Decoder`] of the received one. [`Json`] comes with the crate. Another format takes two short implementations:
//!
//! ```
//! use core::convert::Infallible;
//! use everwire::{
//!     Message, MessageRef,
//!     codec::{Decoder, Encoder},
//! };
//!
//! /// Numbers as four bytes, the most significant first.
//! #[derive(Debug, Default)]
//! struct BigEndian;
//!
//! impl Encoder<u32> for BigEndian {
//!     type Error = Infallible;
//!
//!     fn encode(&self, value: &u32) -> Result<Message, Infallible> {
//!         Ok(Message::from(&value.to_be_bytes()[..]))
//!     }
//! }
//!
//! impl Decoder<u32> for BigEndian {
//!     type Error = String;
//!
//!     fn decode(&self, message: MessageRef<'_>) -> Result<u32, String> {
//!         let MessageRef::Binary(bytes) = message else { return Err("not a binary message".to_owned()) };
//!         let bytes = bytes.try_into().map_err(|_| format!("{} bytes instead of 4", bytes.len()))?;
//!         Ok(u32::from_be_bytes(bytes))
//!     }
//! }
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let socket = everwire::TypedSocket::<u32, u32, BigEndian>::open("wss://example.org/numbers")?;
//! # Ok(())
//! # }
//! # let sent = BigEndian.encode(&258).unwrap();
//! # assert_eq!(BigEndian.decode(sent.as_ref()), Ok(258));
//! ```
//!
//! The example `postcard` does the same for every type that serde serializes.

#[cfg(feature = "json")]
use serde::{Serialize, de::DeserializeOwned};
#[cfg(feature = "json")]
use thiserror::Error;

use crate::{Message, MessageRef};

/// Encodes values as messages.
pub trait Encoder<T: ?Sized> {
    /// Why a value has no encoded form.
    type Error;

    /// Encodes a value.
    ///
    /// # Errors
    /// The value has no encoded form.
    fn encode(&self, value: &T) -> Result<Message, Self::Error>;
}

/// Decodes messages to values.
pub trait Decoder<T> {
    /// Why a message is not a `T`.
    type Error;

    /// Decodes a message. It is borrowed from where it was received, or copied into a buffer that is reused, so a decoder that
    /// keeps none of it does not allocate for it.
    ///
    /// # Errors
    /// The message is not a `T`. A codec for texts gets binary messages too, and vice versa.
    fn decode(&self, message: MessageRef<'_>) -> Result<T, Self::Error>;
}

/// How many characters of a text that could not be decoded an error shows.
#[cfg(feature = "json")]
const SHOWN: usize = 120;

/// JSON in text messages, by serde: the codec of [`JsonSocket`](crate::JsonSocket).
#[cfg(feature = "json")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json;

#[cfg(feature = "json")]
impl<T: Serialize + ?Sized> Encoder<T> for Json {
    type Error = serde_json::Error;

    fn encode(&self, value: &T) -> Result<Message, serde_json::Error> {
        serde_json::to_string(value).map(Message::Text)
    }
}

#[cfg(feature = "json")]
impl<T: DeserializeOwned> Decoder<T> for Json {
    type Error = JsonDecodeError;

    fn decode(&self, message: MessageRef<'_>) -> Result<T, JsonDecodeError> {
        let MessageRef::Text(text) = message else { return Err(JsonDecodeError::NotText { bytes: message.len() }) };
        serde_json::from_str(text)
            .map_err(|source| JsonDecodeError::Json { start: text.chars().take(SHOWN).collect(), source })
    }
}

/// A message that is not the JSON that the application expects.
#[cfg(feature = "json")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JsonDecodeError {
    /// The text is not JSON, or not of the type.
    #[error("not the JSON that was expected: {source}; the text starts: {start}")]
    Json {
        /// The first 120 characters of the text.
        start: String,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// The message is binary.
    #[error("a binary message of {bytes} bytes where JSON text was expected: read it from the untyped Socket")]
    NotText {
        /// Its length.
        bytes: usize,
    },
}
