use std::{io, net::IpAddr};

use everwire_core::{Cause, Protocols};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{ClientRequestBuilder, Error, handshake::client::Response, http::Uri, protocol::WebSocketConfig},
};

use super::Options;
use crate::address::AddressFuture;

/// A WebSocket as tungstenite has it.
pub(super) type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

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
        super::check_address(&address.url).map_err(|error| refused(error.to_string()))?;
        let uri: Uri = address.url.parse().map_err(|error| refused(format!("{error}")))?;
        let offered = address.protocols.as_ref().unwrap_or(&protocols);
        let request = ClientRequestBuilder::new(uri.clone());
        let request = offered.as_slice().iter().fold(request, ClientRequestBuilder::with_sub_protocol);
        let with_header = |request: ClientRequestBuilder, (name, value)| request.with_header(name, value);
        let request = options.headers.iter().fold(request, with_header);
        let config = WebSocketConfig::default().read_buffer_size(options.read_buffer);
        let disable_nagle = true;
        let connected = match options.local_address {
            None => connect_async_with_config(request, Some(config), disable_nagle).await,
            Some(local) => match connect_from(local, &uri).await {
                Ok(stream) => shake_hands(request, stream, config).await,
                Err(error) => Err(Error::Io(error)),
            },
        };
        match connected {
            Ok((stream, response)) => Ok((stream, response, address.url)),
            Err(error) => Err(Cause::closed(1006, error.to_string(), false)),
        }
    }
}

/// Connects from one of the machine's own addresses, to the first of the server's addresses of the same family that answers.
async fn connect_from(local: IpAddr, uri: &Uri) -> io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("wss") { 443 } else { 80 });
    let mut connected = Err(io::Error::other(format!("{host} has no address that {local} can connect to")));
    for remote in lookup_host((host, port)).await?.filter(|remote| remote.is_ipv4() == local.is_ipv4()) {
        let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind((local, 0).into())?;
        connected = socket.connect(remote).await;
        if connected.is_ok() {
            break;
        }
    }
    let stream = connected?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(feature = "rustls")]
async fn shake_hands(
    request: ClientRequestBuilder,
    stream: TcpStream,
    config: WebSocketConfig,
) -> Result<(Stream, Response), Error> {
    tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), None).await
}

/// Without TLS there is none to choose by the address, which was refused if it asks for it.
#[cfg(not(feature = "rustls"))]
async fn shake_hands(
    request: ClientRequestBuilder,
    stream: TcpStream,
    config: WebSocketConfig,
) -> Result<(Stream, Response), Error> {
    tokio_tungstenite::client_async_with_config(request, MaybeTlsStream::Plain(stream), Some(config)).await
}
