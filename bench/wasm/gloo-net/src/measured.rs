use std::cell::RefCell;
use std::rc::Rc;

use bench_support::{Meter, Payload, Tick};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use gloo_net::websocket::Message;
use gloo_net::websocket::futures::WebSocket;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

/// A socket and what it has done.
#[wasm_bindgen]
pub struct Client {
    meter: Rc<Meter>,
    sink: Rc<RefCell<SplitSink<WebSocket, Message>>>,
}

#[wasm_bindgen]
impl Client {
    /// Opens a socket, for ticks or for any messages, and waits until it is open.
    pub async fn open(url: String, ticks: bool) -> Result<Client, JsError> {
        let mut socket = WebSocket::open(&url)?;
        std::future::poll_fn(|context| socket.poll_ready_unpin(context)).await?;
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

fn send(meter: &Meter, sink: &RefCell<SplitSink<WebSocket, Message>>) {
    let message = match meter.payload() {
        Payload::Text(text) => Message::Text(text),
        Payload::Binary(bytes) => Message::Bytes(bytes),
    };
    // An open socket takes a message at once.
    let _ = sink.borrow_mut().send(message).now_or_never();
}

async fn read(meter: Rc<Meter>, mut stream: SplitStream<WebSocket>, sink: Rc<RefCell<SplitSink<WebSocket, Message>>>) {
    while let Some(Ok(_)) = stream.next().await {
        if meter.message() {
            send(&meter, &sink);
        }
    }
}

async fn read_ticks(meter: Rc<Meter>, mut stream: SplitStream<WebSocket>) {
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Text(text) = message
            && let Ok(tick) = serde_json::from_str::<Tick>(&text)
        {
            meter.tick(&tick);
        }
    }
}
