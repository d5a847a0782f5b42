use everwire_core::Protocols;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error,
        error::{ProtocolError, SubProtocolError},
        handshake::client::Response,
        protocol::WebSocketConfig,
    },
};

use super::{options::Options, target::Target, trace::Trace, transport::Transport};
use crate::{
    Cause, OpenError,
    address::{AddressFuture, without_secrets},
};

/// The most payload bytes of a frame and of a batch. A larger message is fragmented, as Chromium does, so that a pong does not wait for
/// its end.
pub(super) const WRITE_BYTES: usize = 128 << 10;

/// The limit of tungstenite's write buffer, which holds a batch, and pongs while the network accepts nothing.
const MAX_WRITE_BUFFER: usize = 4 * WRITE_BYTES;

/// A WebSocket as tungstenite has it.
pub(super) type Stream = WebSocketStream<Transport>;

/// Makes one attempt: resolves the address, opens the transport and performs the handshake.
pub(super) struct Connector {
    pub(super) address: AddressFuture,
    pub(super) protocols: Protocols,
    pub(super) options: Options,
    /// The cause of an attempt whose address is invalid.
    pub(super) invalid_address: fn(String) -> Cause,
    /// How many attempts failed since a connection was last stable.
    pub(super) failures: u32,
    pub(super) trace: Trace,
}

/// An open WebSocket.
pub(super) struct Connected {
    pub(super) stream: Stream,
    /// The server's answer to the handshake.
    pub(super) response: Response,
    /// The URL, without credentials.
    pub(super) url: String,
}

impl Connector {
    pub(super) async fn connect(self) -> Result<Connected, Cause> {
        let Self { address, protocols, options, invalid_address, failures, trace } = self;
        let address = address.await.map_err(Cause::ProviderFailed)?;
        trace.connecting(&address.url, failures);
        let target = Target::parse(&address.url, &options).map_err(|error| invalid_address(without_query(error)))?;
        let offered = address.protocols.as_ref().unwrap_or(&protocols);
        let request = target.request(offered, &options.headers).map_err(invalid_address)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(options.read_buffer)
            .write_buffer_size(WRITE_BYTES)
            .max_write_buffer_size(MAX_WRITE_BUFFER)
            .max_message_size(Some(options.max_message_bytes))
            .max_frame_size(Some(options.max_message_bytes));
        let handshake = async {
            let transport = Transport::connect(&target, &options).await?;
            client_async_with_config(request, transport, Some(config)).await
        };
        match handshake.await {
            Ok((stream, response)) => Ok(Connected { stream, response, url: target.url }),
            Err(error) => Err(Cause::closed(1006, error.to_string(), false)),
        }
    }
}

/// The error of a handshake in which the server chose none of the offered subprotocols.
pub(super) fn missing_subprotocol() -> Error {
    Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol))
}

/// The text of the error. Causes are shown and logged, and the query of a provider's URL may be a token.
fn without_query(error: OpenError) -> String {
    match error {
        OpenError::Address { url, problem } => OpenError::Address { url: without_secrets(&url), problem }.to_string(),
        other => other.to_string(),
    }
}
