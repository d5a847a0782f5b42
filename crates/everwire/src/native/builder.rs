//! The settings of a socket that only a native program has.

use std::net::IpAddr;
#[cfg(feature = "rustls-own-roots")]
use std::sync::Arc;

#[cfg(feature = "rustls-own-roots")]
use tokio_rustls::rustls::ClientConfig;

#[cfg(feature = "rustls-own-roots")]
use super::tls::{self, RootCertificates};
use super::{headers::Headers, proxy::Proxy};
use crate::SocketBuilder;

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
