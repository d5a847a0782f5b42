use futures_util::{SinkExt, StreamExt};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use ws_stream_wasm::WsMeta;

/// Sends back whatever comes in.
#[wasm_bindgen]
pub fn echo(url: String) {
    spawn_local(async move {
        let Ok((_, socket)) = WsMeta::connect(url, None).await else { return };
        let (mut sink, mut stream) = socket.split();
        while let Some(message) = stream.next().await {
            let _ = sink.send(message).await;
        }
    });
}
