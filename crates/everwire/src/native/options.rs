//! What only a native program can configure, as the driver uses it.

use std::net::IpAddr;
#[cfg(feature = "rustls-own-roots")]
use std::sync::Arc;

#[cfg(feature = "rustls-own-roots")]
use tokio_rustls::rustls::ClientConfig;

#[cfg(feature = "rustls-own-roots")]
use super::tls::RootCertificates;
use super::{headers::Headers, proxy::Proxy};

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
