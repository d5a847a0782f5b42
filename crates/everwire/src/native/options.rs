use std::net::IpAddr;

use super::Headers;
#[cfg(feature = "rustls-own-roots")]
use super::RootCertificates;
use crate::SocketBuilder;

/// What only a native program can choose.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(super) read_buffer: usize,
    pub(super) max_message_bytes: usize,
    pub(super) local_address: Option<IpAddr>,
    pub(super) headers: Headers,
    #[cfg(feature = "rustls-own-roots")]
    pub(super) root_certificates: Option<RootCertificates>,
}

impl Default for Options {
    /// Tungstenite's own read buffer of 128 KiB is many times what most connections need.
    fn default() -> Self {
        Self {
            read_buffer: 16 << 10,
            max_message_bytes: 64 << 20,
            local_address: None,
            headers: Headers::default(),
            #[cfg(feature = "rustls-own-roots")]
            root_certificates: None,
        }
    }
}

#[cfg(feature = "rustls-own-roots")]
impl Options {
    /// The roots for `wss://`.
    ///
    /// # Errors
    /// There are none; the text says what to do.
    pub(super) fn roots(&self) -> Result<RootCertificates, String> {
        self.root_certificates.clone().map_or_else(RootCertificates::standard, Ok)
    }

    pub(super) fn check_tls(&self) -> Result<(), String> {
        self.roots().map(drop)
    }
}

#[cfg(not(feature = "rustls-own-roots"))]
impl Options {
    pub(super) fn check_tls(&self) -> Result<(), String> {
        Err("wss needs the feature `rustls` of the crate `everwire`".to_owned())
    }
}

/// Choices that a browser does not leave to an application; native programs only.
impl SocketBuilder {
    /// How many bytes are read from the network at a time (16 KiB, at least 256 bytes). Each connection holds a buffer of this
    /// size, so whoever opens thousands for small messages may want less; a message may always be larger.
    pub fn read_buffer(mut self, bytes: usize) -> Self {
        self.native.read_buffer = bytes.max(256);
        self
    }

    /// The largest message in bytes that the server may send, whatever its frames (64 MiB, the default limit of the inbox). A larger
    /// one closes the connection with code 1009, and the [default policy](crate::ClosePolicy) does not retry, since the server would
    /// send it again. The header of a frame makes the client reserve this much memory. Browsers have no such limit.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.native.max_message_bytes = bytes;
        self
    }

    /// Which of the machine's own addresses to connect from (the system's choice). One address can have some 28,000
    /// connections to a server on Linux; whoever opens more needs several.
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.native.local_address = Some(address);
        self
    }

    /// What the handshake's request says beside what it has to (nothing): credentials, an origin. A browser lets an application
    /// set none, so what runs in both puts a token into the address or a greeting.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.native.headers = headers;
        self
    }

    /// The certificate authorities to trust for `wss://` (Mozilla's with the feature `rustls`, those of the operating system with
    /// `rustls-native-roots`, both with both).
    #[cfg(feature = "rustls-own-roots")]
    pub fn root_certificates(mut self, roots: RootCertificates) -> Self {
        self.native.root_certificates = Some(roots);
        self
    }
}
