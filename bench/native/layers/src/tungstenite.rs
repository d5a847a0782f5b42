//! tungstenite, with small buffers.

use anyhow::Result;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::hub::Hub;
use crate::{Layer, pump};

/// The read buffer is allocated with the connection, and filled with zeros before each read.
const READ_BUFFER: usize = 4096;

pub(crate) struct Tungstenite;

impl Layer for Tungstenite {
    type Message = Message;

    async fn broadcast(stream: TcpStream, hub: &Hub<Message>) -> Result<()> {
        pump::broadcast(open(stream).await, hub).await
    }

    async fn echo(stream: TcpStream) -> Result<()> {
        pump::echo(open(stream).await).await
    }
}

impl pump::Message for Message {
    fn is_data(&self) -> bool {
        self.is_text() || self.is_binary()
    }
}

async fn open(stream: TcpStream) -> WebSocketStream<TcpStream> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
}
