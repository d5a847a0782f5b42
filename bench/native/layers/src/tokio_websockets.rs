//! tokio-websockets, as it is.

use anyhow::Result;
use tokio::net::TcpStream;
use tokio_websockets::{Message, ServerBuilder};

use crate::hub::Hub;
use crate::{Layer, pump};

pub(crate) struct TokioWebSockets;

impl Layer for TokioWebSockets {
    type Message = Message;

    async fn broadcast(stream: TcpStream, hub: &Hub<Message>) -> Result<()> {
        pump::broadcast(ServerBuilder::new().serve(stream), hub).await
    }

    async fn echo(stream: TcpStream) -> Result<()> {
        pump::echo(ServerBuilder::new().serve(stream)).await
    }
}

impl pump::Message for Message {
    fn is_data(&self) -> bool {
        self.is_text() || self.is_binary()
    }
}
