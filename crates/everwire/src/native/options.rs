//! What only a native program can configure: TLS, headers of the handshake, buffers and the local address.

use core::fmt;
use std::net::IpAddr;
#[cfg(feature = "rustls-own-roots")]
use std::sync::Arc;

use data_encoding::BASE64;
use thiserror::Error;
#[cfg(feature = "rustls-own-roots")]
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, header};

use super::proxy::Proxy;
#[cfg(feature = "rustls-own-roots")]
use super::tls::{self, RootCertificates};
use crate::SocketBuilder;

/// The options that only a native program has.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(super) read_buffer: usize,
    pub(super) max_message_bytes: usize,
    pub(super) local_address: Option<IpAddr>,
    pub(super) headers: Headers,
    pub(super) proxy: Option<Proxy>,
    #[cfg(feature = "rustls-own-roots")]
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl Default for Options {
    /// Tungstenite's own read buffer of 128 KiB is many times what most connections need.
    fn default() -> Self {
        Self {
            read_buffer: 16 << 10,
            max_message_bytes: 64 << 20,
            local_address: None,
            headers: Headers::default(),
            proxy: None,
            #[cfg(feature = "rustls-own-roots")]
            tls: None,
        }
    }
}

#[cfg(feature = "rustls-own-roots")]
impl Options {
    /// The configuration of TLS for `wss://`.
    ///
    /// # Errors
    /// There are no root certificates; the text says what to do.
    pub(super) fn tls_config(&self) -> Result<Arc<ClientConfig>, String> {
        self.tls.clone().map_or_else(|| RootCertificates::standard().map(|roots| roots.config()), Ok)
    }

    pub(super) fn check_tls(&self) -> Result<(), String> {
        self.tls_config().map(drop)
    }
}

#[cfg(not(feature = "rustls-own-roots"))]
impl Options {
    pub(super) fn check_tls(&self) -> Result<(), String> {
        Err("wss needs the feature `rustls` of the crate `everwire`".to_owned())
    }
}

/// Options that a browser does not offer; native programs only.
impl SocketBuilder {
    /// How many bytes are read from the network at a time (16 KiB, at least 256 bytes). Each connection holds a buffer of this
    /// size, so a program that opens thousands for small messages may want less; a message may always be larger.
    pub fn read_buffer(mut self, bytes: usize) -> Self {
        self.native.read_buffer = bytes.max(256);
        self
    }

    /// The largest message in bytes that the server may send, whatever its frames (64 MiB, the default limit of the inbox). A larger
    /// one closes the connection with code 1009, and the [default policy](crate::ReconnectPolicy) does not retry, since the server would
    /// send it again. The header of a frame makes the client reserve this much memory. Browsers have no such limit.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.native.max_message_bytes = bytes;
        self
    }

    /// Which of the machine's own addresses to connect from (the system's choice). One address can have some 28,000
    /// connections to a server on Linux; a program that opens more needs several.
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.native.local_address = Some(address);
        self
    }

    /// Additional headers of the handshake's request (none): credentials, an origin. Browsers allow none, so a program that runs in
    /// both puts a token into the URL or into its first message.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.native.headers = headers;
        self
    }

    /// The HTTP proxy to connect through (none). A proxy that cannot be reached or refuses the tunnel is a failed attempt, whose
    /// cause names the proxy and its answer.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.native.proxy = Some(proxy);
        self
    }

    /// The certificate authorities to trust for `wss://` (Mozilla's with the feature `rustls`, those of the operating system with
    /// `rustls-native-roots`, both with both). Replaces a [`Self::tls_config`].
    #[cfg(feature = "rustls-own-roots")]
    pub fn root_certificates(mut self, roots: RootCertificates) -> Self {
        self.native.tls = Some(roots.config());
        self
    }

    /// The whole configuration of TLS for `wss://`, in place of [`Self::root_certificates`]: client certificates, another crypto
    /// provider, pinned certificates. [`rustls`](crate::rustls) is re-exported in the version that this crate uses.
    ///
    /// Its application protocols are replaced by `http/1.1`, so that a configuration made for HTTP/2 can be shared: over HTTP/2 a
    /// WebSocket has another handshake.
    ///
    /// ```no_run
    /// use everwire::{Socket, rustls};
    ///
    /// # fn example(roots: rustls::RootCertStore) -> Result<(), Box<dyn std::error::Error>> {
    /// # let (chain, key) = (Vec::new(), rustls::pki_types::PrivateKeyDer::Pkcs8(Vec::new().into()));
    /// let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    /// let config = rustls::ClientConfig::builder_with_provider(provider)
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(roots)
    ///     .with_client_auth_cert(chain, key)?;
    /// let socket = Socket::builder("wss://intranet.example/feed").tls_config(config).open()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "rustls-own-roots")]
    pub fn tls_config(mut self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.native.tls = Some(tls::for_web_sockets(config.into()));
        self
    }
}

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
