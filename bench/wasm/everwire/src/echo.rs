use everwire::{Event, Socket};
use futures_util::StreamExt;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

/// Sends back whatever comes in.
#[wasm_bindgen]
pub fn echo(url: &str) {
    let Ok(mut socket) = Socket::open(url) else { return };
    spawn_local(async move {
        while let Some(event) = socket.next().await {
            if let Event::Message(message) = event {
                let _ = socket.send(message);
            }
        }
    });
}
