use std::net::IpAddr;

use super::Headers;
use crate::SocketBuilder;

/// What only a native program can choose.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(super) read_buffer: usize,
    pub(super) local_address: Option<IpAddr>,
    pub(super) headers: Headers,
}

impl Default for Options {
    /// Tungstenite's own read buffer of 128 KiB is many times what most connections need.
    fn default() -> Self {
        Self { read_buffer: 16 << 10, local_address: None, headers: Headers::default() }
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
}
