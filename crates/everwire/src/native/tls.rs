//! TLS for `wss://`: root certificates and the configuration of rustls.

use core::fmt;
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The protocol to negotiate (RFC 7301), as in browsers: a WebSocket over HTTP/2 has another handshake.
const APPLICATION_PROTOCOL: &[u8] = b"http/1.1";

/// The certificate authorities to trust for `wss://`, for
/// [`SocketBuilder::root_certificates`](crate::SocketBuilder::root_certificates). Native programs with one of the features `rustls`,
/// `rustls-native-roots` and `rustls-own-roots` only.
///
/// Cloning is cheap, and clones share a cache of TLS sessions.
///
/// ```no_run
/// # #[cfg(feature = "rustls")]
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use everwire::{RootCertificates, Socket};
///
/// let own = RootCertificates::from_pem(std::fs::read("company-ca.pem")?)?;
/// let socket = Socket::builder("wss://intranet.example/feed").root_certificates(own.and(RootCertificates::mozilla())).open()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RootCertificates {
    roots: Arc<RootCertStore>,
    config: Arc<ClientConfig>,
}

/// Why root certificates cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RootCertificatesError {
    /// The text holds no certificate.
    #[error("there is no certificate in it: expected PEM, which begins with `-----BEGIN CERTIFICATE-----`")]
    Empty,
    /// A certificate is malformed.
    #[error("its certificate number {number} cannot be read: {problem}")]
    Unreadable {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system has none, or they cannot be read.
    #[error(
        "the operating system has no root certificates ({0}): install its package `ca-certificates`, or name a file by the environment variable SSL_CERT_FILE"
    )]
    System(String),
}

impl RootCertificates {
    /// Parses PEM: the certificates of a private authority, or the self-signed certificate of a server.
    ///
    /// # Errors
    /// There is no certificate in it, or a malformed one.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, RootCertificatesError> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem.as_ref()).enumerate() {
            let unreadable = |problem| RootCertificatesError::Unreadable { number: index + 1, problem };
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() { Err(RootCertificatesError::Empty) } else { Ok(Self::new(roots)) }
    }

    /// Mozilla's, compiled into the program. The default with the feature `rustls`.
    #[cfg(feature = "rustls")]
    pub fn mozilla() -> Self {
        Self::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    /// Those of the operating system. Reading them blocks for some milliseconds. The default with the feature `rustls-native-roots`,
    /// read once.
    ///
    /// # Errors
    /// The operating system has none.
    #[cfg(feature = "rustls-native-roots")]
    pub fn native() -> Result<Self, RootCertificatesError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Systems keep certificates in formats that rustls does not parse. They do not invalidate the others.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let problems: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            return Err(RootCertificatesError::System(problems.join("; ")));
        }
        Ok(Self::new(roots))
    }

    /// The union of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut roots = Arc::unwrap_or_clone(self.roots);
        roots.roots.extend(other.roots.roots.iter().cloned());
        Self::new(roots)
    }

    /// The default of the enabled features, loaded once.
    ///
    /// # Errors
    /// There are none; the text says what to do.
    pub(super) fn standard() -> Result<Self, String> {
        static STANDARD: OnceLock<Result<RootCertificates, String>> = OnceLock::new();
        STANDARD.get_or_init(Self::of_features).clone()
    }

    #[cfg(all(feature = "rustls", feature = "rustls-native-roots"))]
    fn of_features() -> Result<Self, String> {
        // Mozilla's still verify most servers where the operating system has none.
        let mozilla = Self::mozilla();
        Ok(Self::native().map_or(mozilla.clone(), |native| native.and(mozilla)))
    }

    #[cfg(all(feature = "rustls", not(feature = "rustls-native-roots")))]
    fn of_features() -> Result<Self, String> {
        Ok(Self::mozilla())
    }

    #[cfg(all(feature = "rustls-native-roots", not(feature = "rustls")))]
    fn of_features() -> Result<Self, String> {
        Self::native().map_err(|error| error.to_string())
    }

    #[cfg(not(any(feature = "rustls", feature = "rustls-native-roots")))]
    fn of_features() -> Result<Self, String> {
        Err("wss needs root certificates: set SocketBuilder::root_certificates, or add the feature `rustls` of the crate `everwire`".to_owned())
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    fn new(roots: RootCertStore) -> Self {
        let roots = Arc::new(roots);
        // rustls panics without an explicit provider unless the whole program enables exactly one.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has what TLS 1.2 and 1.3 need")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        Self { roots, config: for_web_sockets(Arc::new(config)) }
    }
}

/// The same configuration with the application protocol of WebSockets.
pub(super) fn for_web_sockets(mut config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    if !config.alpn_protocols.iter().map(Vec::as_slice).eq([APPLICATION_PROTOCOL]) {
        Arc::make_mut(&mut config).alpn_protocols = vec![APPLICATION_PROTOCOL.to_vec()];
    }
    config
}

impl fmt::Debug for RootCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RootCertificates").field("count", &self.roots.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_pem_is_refused() {
        let error = RootCertificates::from_pem("no PEM").unwrap_err();
        assert!(error.to_string().contains("BEGIN CERTIFICATE"), "{error}");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = RootCertificates::from_pem(broken).unwrap_err();
        assert!(error.to_string().contains("certificate number 1"), "{error}");
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn roots_can_be_combined() {
        let mozilla = RootCertificates::mozilla();
        let both = mozilla.clone().and(mozilla.clone());
        assert_eq!(both.roots.len(), 2 * mozilla.roots.len());
    }
}
