use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::{io, net::IpAddr};

use everwire_core::{Cause, Protocols};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, handshake::client::Response, protocol::WebSocketConfig},
};
use url::Host;

use super::{Options, target::Target};
use crate::address::AddressFuture;

/// The most payload bytes of a frame and of a batch. A larger message is fragmented, as Chromium does, so that a pong does not wait for
/// its end.
pub(super) const WRITE_BYTES: usize = 128 << 10;

/// The limit of tungstenite's write buffer, which holds a batch, and pongs while the network accepts nothing.
const HELD_BYTES: usize = 4 * WRITE_BYTES;

/// A WebSocket as tungstenite has it.
pub(super) type Stream = WebSocketStream<Transport>;

/// Where to connect to, and how.
pub(super) struct Route {
    pub(super) address: AddressFuture,
    pub(super) protocols: Protocols,
    pub(super) options: Options,
    /// What it means when the address cannot be used.
    pub(super) refused: fn(String) -> Cause,
}

impl Route {
    /// The open WebSocket, the server's answer, and the address that was dialled.
    pub(super) async fn connect(self) -> Result<(Stream, Response, String), Cause> {
        let Self { address, protocols, options, refused } = self;
        let address = address.await.map_err(Cause::Provider)?;
        let target = Target::parse(&address.url, &options).map_err(|error| refused(error.to_string()))?;
        let offered = address.protocols.as_ref().unwrap_or(&protocols);
        let request = target.request(offered, &options.headers).map_err(refused)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(options.read_buffer)
            .write_buffer_size(WRITE_BYTES)
            .max_write_buffer_size(HELD_BYTES)
            .max_message_size(Some(options.max_message_bytes))
            .max_frame_size(Some(options.max_message_bytes));
        let connected = async {
            let transport = Transport::connect(&target, &options).await?;
            client_async_with_config(request, transport, Some(config)).await
        };
        match connected.await {
            Ok((stream, response)) => Ok((stream, response, target.url)),
            Err(error) => Err(Cause::closed(1006, error.to_string(), false)),
        }
    }
}

/// A TCP connection, perhaps with TLS over it.
pub(super) enum Transport {
    Plain(Tcp),
    #[cfg(feature = "rustls-own-roots")]
    Tls(Box<tokio_rustls::client::TlsStream<Tcp>>),
}

/// A TCP connection that records whether bytes have arrived.
pub(super) struct Tcp {
    stream: TcpStream,
    was_heard: bool,
}

impl Transport {
    async fn connect(target: &Target, options: &Options) -> Result<Self, Error> {
        let stream = connect_tcp(target, options.local_address).await?;
        stream.set_nodelay(true)?;
        let tcp = Tcp { stream, was_heard: false };
        if target.is_secure { Self::secure(tcp, target, options).await } else { Ok(Self::Plain(tcp)) }
    }

    #[cfg(feature = "rustls-own-roots")]
    async fn secure(tcp: Tcp, target: &Target, options: &Options) -> Result<Self, Error> {
        use tokio_rustls::rustls::{self, CertificateError, pki_types::ServerName};
        let roots = options.roots().map_err(io::Error::other)?;
        let name = match &target.host {
            Host::Domain(domain) => ServerName::try_from(domain.clone()).map_err(io::Error::other)?,
            Host::Ipv4(address) => IpAddr::V4(*address).into(),
            Host::Ipv6(address) => IpAddr::V6(*address).into(),
        };
        let stream = roots.connector().connect(name, tcp).await.map_err(|error| {
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
    pub(super) fn take_heard(&mut self) -> bool {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => stream.get_mut().0,
        };
        core::mem::take(&mut tcp.was_heard)
    }
}

/// Connects to the first of the server's addresses that accepts. A local address restricts them to its family.
async fn connect_tcp(target: &Target, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let host = match &target.host {
        Host::Domain(domain) => domain.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let Some(local) = local else { return TcpStream::connect((host, target.port)).await };
    let mut connected = Err(io::Error::other(format!("{host} has no address that {local} can connect to")));
    for remote in lookup_host((host, target.port)).await?.filter(|remote| remote.is_ipv4() == local.is_ipv4()) {
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
        self.was_heard |= buffer.filled().len() > before;
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
