use std::cell::RefCell;
use std::rc::Rc;

use bench_support::{Meter, Payload, Tick};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use ws_stream_wasm::{WsMessage, WsMeta, WsStream};

/// A socket and what it has done.
#[wasm_bindgen]
pub struct Client {
    meter: Rc<Meter>,
    sink: Rc<RefCell<SplitSink<WsStream, WsMessage>>>,
}

#[wasm_bindgen]
impl Client {
    /// Opens a socket, for ticks or for any messages, and waits until it is open.
    pub async fn open(url: String, ticks: bool) -> Result<Client, JsError> {
        let (_, socket) = WsMeta::connect(url, None).await?;
        let (sink, stream) = socket.split();
        let client = Self { meter: Meter::new(), sink: Rc::new(RefCell::new(sink)) };
        let (meter, sink) = (client.meter.clone(), client.sink.clone());
        if ticks {
            spawn_local(read_ticks(meter, stream))
        } else {
            spawn_local(read(meter, stream, sink))
        }
        Ok(client)
    }
}

bench_support::measured!(Client, sink);

fn send(meter: &Meter, sink: &RefCell<SplitSink<WsStream, WsMessage>>) {
    let message = match meter.payload() {
        Payload::Text(text) => WsMessage::Text(text),
        Payload::Binary(bytes) => WsMessage::Binary(bytes),
    };
    // An open socket takes a message at once.
    let _ = sink.borrow_mut().send(message).now_or_never();
}

async fn read(meter: Rc<Meter>, mut stream: SplitStream<WsStream>, sink: Rc<RefCell<SplitSink<WsStream, WsMessage>>>) {
    while stream.next().await.is_some() {
        if meter.message() {
            send(&meter, &sink);
        }
    }
}

async fn read_ticks(meter: Rc<Meter>, mut stream: SplitStream<WsStream>) {
    while let Some(message) = stream.next().await {
        if let WsMessage::Text(text) = message
            && let Ok(tick) = serde_json::from_str::<Tick>(&text)
        {
            meter.tick(&tick);
        }
    }
}
