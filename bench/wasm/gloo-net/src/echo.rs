use futures_util::{SinkExt, StreamExt};
use gloo_net::websocket::futures::WebSocket;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

/// Sends back whatever comes in.
#[wasm_bindgen]
pub fn echo(url: &str) {
    let Ok(socket) = WebSocket::open(url) else { return };
    let (mut sink, mut stream) = socket.split();
    spawn_local(async move {
        while let Some(Ok(message)) = stream.next().await {
            let _ = sink.send(message).await;
        }
    });
}
