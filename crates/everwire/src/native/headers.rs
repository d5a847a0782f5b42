//! The headers of a handshake's request.

use core::fmt;

use data_encoding::BASE64;
use thiserror::Error;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, header};

/// The headers that the handshake itself sends. A second one would change the request or make it invalid.
const HANDSHAKE_HEADERS: [HeaderName; 5] =
    [header::HOST, header::CONNECTION, header::UPGRADE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Headers of the handshake's request, for [`SocketBuilder::headers`](crate::SocketBuilder::headers); native programs only.
///
/// ```
/// use everwire::Headers;
///
/// # fn example() -> Result<(), everwire::HeadersError> {
/// let headers = Headers::new([("Authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA"), ("Origin", "https://example.com")])?;
/// # Ok(())
/// # }
/// # example().unwrap();
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    /// Takes any number of names and values, in the order in which they are sent. Names may repeat.
    ///
    /// # Errors
    /// A name or a value that HTTP does not allow, or a header that the handshake itself sends.
    pub fn new<I, N, V>(headers: I) -> Result<Self, HeadersError>
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Into<String>,
    {
        let parsed = headers.into_iter().map(|(name, value)| parse(name.into(), value.into()));
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// The names, in lower case, and the values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn contains(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }
}

/// Omits the values, which may be credentials.
impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Why headers cannot be sent in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// The name is empty or holds a character that an HTTP token may not have.
    #[error("{0:?} is not the name of a header: use letters, digits and - only")]
    Name(String),
    /// The value of the header of this name holds a character that it may not have.
    #[error(
        "the value of the header {0} may hold visible ASCII characters and spaces only, and no line break: encode it"
    )]
    Value(String),
    /// The handshake sends this header itself.
    #[error("the handshake itself sends {0}: leave it out; subprotocols are offered by SocketBuilder::protocols")]
    OfTheHandshake(String),
}

fn parse(name: String, value: String) -> Result<(HeaderName, String), HeadersError> {
    let Ok(parsed) = HeaderName::try_from(&name) else { return Err(HeadersError::Name(name)) };
    if HANDSHAKE_HEADERS.contains(&parsed) || parsed.as_str().starts_with("sec-websocket-") {
        return Err(HeadersError::OfTheHandshake(name));
    }
    let is_visible = HeaderValue::from_str(&value).is_ok_and(|value| value.to_str().is_ok());
    if is_visible { Ok((parsed, value)) } else { Err(HeadersError::Value(name)) }
}

/// The credentials of Basic authentication (RFC 7617); `None` if the user has a colon.
pub(super) fn basic_auth(user: Vec<u8>, password: Vec<u8>) -> Option<String> {
    if user.contains(&b':') {
        return None;
    }
    let pair = [user, password].join(&b':');
    Some(format!("Basic {}", BASE64.encode(&pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_kept_in_order_and_names_may_repeat() {
        let headers = Headers::new([("X-Tag", "a b"), ("Authorization", "Bearer x"), ("X-Tag", "")]).unwrap();
        assert!(headers.iter().eq([("x-tag", "a b"), ("authorization", "Bearer x"), ("x-tag", "")]));
    }

    #[test]
    fn names_and_values_that_a_request_cannot_carry_are_rejected() {
        for name in ["", "a b", "a:", "ä", "a\r\nb"] {
            assert_eq!(Headers::new([(name, "x")]), Err(HeadersError::Name(name.to_owned())));
        }
        for value in ["a\r\nb: c", "ä", "\0"] {
            assert_eq!(Headers::new([("A", value)]), Err(HeadersError::Value("A".to_owned())));
        }
    }

    #[test]
    fn headers_that_the_handshake_itself_sends_are_rejected() {
        for name in ["Host", "connection", "Upgrade", "Content-Length", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol"] {
            assert_eq!(Headers::new([(name, "x")]), Err(HeadersError::OfTheHandshake(name.to_owned())));
        }
    }

    #[test]
    fn a_credential_is_not_printed() {
        let printed = format!("{:?}", Headers::new([("Authorization", "Bearer x")]).unwrap());
        assert_eq!(printed, r#"["authorization"]"#);
    }
}
