//! Values of a WebSocket's opening and closing handshake. Each is checked when it is created, so that neither dialling nor closing can
//! throw.

use alloc::{string::String, vec::Vec};
use core::fmt;

use thiserror::Error;

/// The subprotocols that a client offers, in order of preference: each an HTTP token, none twice.
///
/// A browser's constructor throws for anything else (WHATWG WebSockets, "constructor(url, protocols)"; RFC 6455, section
/// 4.1), so a value of this type cannot make dialling throw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protocols(Vec<String>);

impl Protocols {
    /// Takes any number of distinct tokens.
    ///
    /// # Errors
    /// An empty name, one with a character that no HTTP token may have (a comma or a space among them), or a repeated one.
    pub fn new<I>(protocols: I) -> Result<Self, ProtocolsError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut offered: Vec<String> = Vec::new();
        for protocol in protocols.into_iter().map(Into::into) {
            if !is_token(&protocol) {
                return Err(ProtocolsError::NotAToken(protocol));
            }
            if offered.iter().any(|other| other.eq_ignore_ascii_case(&protocol)) {
                return Err(ProtocolsError::Repeated(protocol));
            }
            offered.push(protocol);
        }
        Ok(Self(offered))
    }

    /// The names, in order of preference.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// `token` of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Subprotocols that cannot be offered to a server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolsError {
    /// The name is empty or holds a character that an HTTP token may not have.
    #[error("{0:?} is not a subprotocol: use letters, digits and !#$%&'*+-.^_`|~ only, and pass each name by itself")]
    NotAToken(String),
    /// The name was offered before. Names are compared without regard to case, as browsers do.
    #[error("the subprotocol {0:?} is offered twice: name it once")]
    Repeated(String),
}

/// A close code that an application may send: 1000 or 3000–4999.
///
/// The browser's `close()` throws for every other code (WHATWG WebSockets, "close(code, reason)"), so a value of this type
/// is what makes closing infallible. Codes *received* from a server are plain `u16`: a server may send others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled (RFC 6455, section 7.4.1).
    pub const NORMAL: Self = Self(1000);

    /// Takes 1000 or 3000–4999.
    ///
    /// # Errors
    /// Any other code, since the browser would throw.
    pub const fn new(code: u16) -> Result<Self, CloseCodeError> {
        match code {
            1000 | 3000..=4999 => Ok(Self(code)),
            _ => Err(CloseCodeError(code)),
        }
    }

    /// The number in a close frame.
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl Default for CloseCode {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = CloseCodeError;

    fn try_from(code: u16) -> Result<Self, Self::Error> {
        Self::new(code)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A close code that an application may not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("close code {0} is reserved: use 1000 or one from 3000 to 4999")]
pub struct CloseCodeError(pub u16);

/// Why a connection is closed, in at most 123 bytes of UTF-8: what fits next to the code in a close frame (RFC 6455,
/// section 5.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CloseReason(String);

impl CloseReason {
    /// The most bytes that a reason may have.
    pub const MAX_BYTES: usize = 123;

    /// Takes a reason of at most [`Self::MAX_BYTES`] bytes.
    ///
    /// # Errors
    /// A longer reason, since the browser would throw.
    pub fn new(reason: impl Into<String>) -> Result<Self, CloseReasonError> {
        let reason = reason.into();
        if reason.len() > Self::MAX_BYTES {
            return Err(CloseReasonError { bytes: reason.len() });
        }
        Ok(Self(reason))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<CloseReason> for String {
    fn from(reason: CloseReason) -> Self {
        reason.0
    }
}

impl TryFrom<&str> for CloseReason {
    type Error = CloseReasonError;

    fn try_from(reason: &str) -> Result<Self, Self::Error> {
        Self::new(reason)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A close reason that does not fit into a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a close reason of {bytes} bytes does not fit: shorten it to {} bytes of UTF-8", CloseReason::MAX_BYTES)]
pub struct CloseReasonError {
    /// How long the reason was.
    pub bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_names_stay_apart_and_in_order() {
        let protocols = Protocols::new(["graphql-transport-ws", "everwire.v1"]).unwrap();
        assert_eq!(protocols.as_slice(), ["graphql-transport-ws", "everwire.v1"]);
    }

    #[test]
    fn names_that_a_browser_would_throw_for_are_refused() {
        for bad in ["", "a,b", "a b", "ä", "a/b", "(a)"] {
            assert_eq!(Protocols::new([bad]), Err(ProtocolsError::NotAToken(bad.to_owned())));
        }
        assert_eq!(Protocols::new(["chat", "Chat"]), Err(ProtocolsError::Repeated("Chat".to_owned())));
    }

    #[test]
    fn only_codes_that_a_browser_lets_an_application_send_are_accepted() {
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::new(code).is_ok(), code == 1000 || (3000..5000).contains(&code), "{code}");
        }
    }

    #[test]
    fn a_reason_is_measured_in_bytes_rather_than_characters() {
        assert!(CloseReason::new("x".repeat(123)).is_ok());
        assert_eq!(CloseReason::new("é".repeat(62)), Err(CloseReasonError { bytes: 124 }));
    }
}
