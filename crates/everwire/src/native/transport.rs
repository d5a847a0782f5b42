use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::{io, net::IpAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
};
use tokio_tungstenite::tungstenite::Error;
use url::Host;

use super::{options::Options, proxy::Proxy, target::Target};

/// A TCP connection, perhaps with TLS over it.
pub(super) enum Transport {
    Plain(Tcp),
    #[cfg(feature = "rustls-own-roots")]
    Tls(Box<tokio_rustls::client::TlsStream<Tcp>>),
}

/// A TCP connection that records whether bytes have arrived.
pub(super) struct Tcp {
    stream: TcpStream,
    has_received: bool,
}

impl Transport {
    /// Connects to the server, through the proxy if there is one.
    pub(super) async fn connect(target: &Target, options: &Options) -> Result<Self, Error> {
        let stream = match &options.proxy {
            None => connect_tcp(&target.host, target.port, options.local_address).await?,
            Some(proxy) => {
                let tunnel = connect_through(proxy, target, options.local_address).await;
                tunnel.map_err(|error| io::Error::new(error.kind(), format!("proxy {proxy}: {error}")))?
            }
        };
        stream.set_nodelay(true)?;
        let tcp = Tcp { stream, has_received: false };
        if target.is_secure { Self::secure(tcp, target, options).await } else { Ok(Self::Plain(tcp)) }
    }

    #[cfg(feature = "rustls-own-roots")]
    async fn secure(tcp: Tcp, target: &Target, options: &Options) -> Result<Self, Error> {
        use tokio_rustls::{
            TlsConnector,
            rustls::{self, CertificateError, pki_types::ServerName},
        };
        let config = options.tls_config().map_err(io::Error::other)?;
        let name = match &target.host {
            Host::Domain(domain) => ServerName::try_from(domain.clone()).map_err(io::Error::other)?,
            Host::Ipv4(address) => IpAddr::V4(*address).into(),
            Host::Ipv6(address) => IpAddr::V6(*address).into(),
        };
        let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
            let known = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
            match known {
                Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => io::Error::other(format!(
                    "{error}; if you trust it, add its authority by SocketBuilder::root_certificates"
                )),
                _ => error,
            }
        })?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Unreachable: `Target::parse` refuses `wss://` without TLS.
    #[cfg(not(feature = "rustls-own-roots"))]
    async fn secure(_: Tcp, _: &Target, options: &Options) -> Result<Self, Error> {
        Err(io::Error::other(options.check_tls().err().unwrap_or_default()).into())
    }

    /// Whether bytes have arrived since the last call, those of an incomplete message included.
    pub(super) fn take_has_received(&mut self) -> bool {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => stream.get_mut().0,
        };
        core::mem::take(&mut tcp.has_received)
    }
}

async fn connect_through(proxy: &Proxy, target: &Target, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let mut stream = connect_tcp(&proxy.host, proxy.port, local).await?;
    proxy.tunnel(&mut stream, &target.host, target.port).await?;
    Ok(stream)
}

/// Connects to the first of a host's addresses that accepts. A local address restricts them to its family.
async fn connect_tcp(host: &Host<String>, port: u16, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let host = match host {
        Host::Domain(domain) => domain.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let Some(local) = local else { return TcpStream::connect((host, port)).await };
    let mut connected = Err(io::Error::other(format!("{host} has no address that {local} can connect to")));
    for remote in lookup_host((host, port)).await?.filter(|remote| remote.is_ipv4() == local.is_ipv4()) {
        let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind((local, 0).into())?;
        connected = socket.connect(remote).await;
        if connected.is_ok() {
            break;
        }
    }
    connected
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.has_received |= buffer.filled().len() > before;
        read
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
