//! TLS by rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

/// A TLS certificate and its key, checked to match.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// The error of [`Tls::from_pem_files`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or does not hold PEM of the expected kind.
    #[error("cannot read the {what} from {path}: {error}")]
    Unreadable {
        /// The expected content.
        what: &'static str,
        /// The file that was read.
        path: PathBuf,
        /// The cause.
        error: pem::Error,
    },
    /// The certificate and the key do not match, or are not usable.
    #[error("the certificate and the key cannot be used together: {0}")]
    Unusable(rustls::Error),
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its private key.
    ///
    /// # Errors
    /// If a file cannot be read, or the two do not match.
    pub fn from_pem_files(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let unreadable = |what, path: &Path| {
            let path = path.to_owned();
            move |error| TlsError::Unreadable { what, path, error }
        };
        let certs = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(unreadable("certificate", cert))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable("key", key))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certs, key))
            .map_err(TlsError::Unusable)?;
        // WebSockets over HTTP/2 need a different handshake (RFC 8441), which this server does not implement.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
