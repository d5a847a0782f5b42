use alloc::{string::String, vec::Vec};
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

    /// The names, most wanted first.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// `token` of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Subprotocols that no server could be offered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolsError {
    /// The name is empty or holds a character that an HTTP token may not have.
    #[error("{0:?} is not a subprotocol: use letters, digits and !#$%&'*+-.^_`|~ only, and pass each name by itself")]
    NotAToken(String),
    /// The name was offered before (names are compared without regard to case, as browsers do).
    #[error("the subprotocol {0:?} is offered twice: name it once")]
    Repeated(String),
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
}
