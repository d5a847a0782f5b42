use std::rc::Rc;

use bench_support::{Meter, Payload, Tick};
use everwire::{Event, JsonSocket, Socket, SocketHandle};
use futures_util::StreamExt;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

/// A socket and what it has done.
#[wasm_bindgen]
pub struct Client {
    meter: Rc<Meter>,
    handle: SocketHandle,
}

#[wasm_bindgen]
impl Client {
    /// Opens a socket, for ticks or for any messages, and waits until it is open.
    pub async fn open(url: String, ticks: bool) -> Result<Client, JsError> {
        let mut socket = Socket::open(&url)?;
        while !matches!(socket.next().await, Some(Event::Opened(_)) | None) {}
        let client = Self { meter: Meter::new(), handle: socket.handle().clone() };
        let (meter, handle) = (client.meter.clone(), client.handle.clone());
        if ticks {
            spawn_local(read_ticks(meter, socket.json()))
        } else {
            spawn_local(read(meter, socket, handle))
        }
        Ok(client)
    }
}

bench_support::measured!(Client, handle);

fn send(meter: &Meter, handle: &SocketHandle) {
    let _ = match meter.payload() {
        Payload::Text(text) => handle.send(text),
        Payload::Binary(bytes) => handle.send(bytes),
    };
}

async fn read(meter: Rc<Meter>, mut socket: Socket, handle: SocketHandle) {
    while let Some(event) = socket.next().await {
        if matches!(event, Event::Message(_)) && meter.message() {
            send(&meter, &handle);
        }
    }
}

async fn read_ticks(meter: Rc<Meter>, mut socket: JsonSocket<Tick, Tick>) {
    while let Some(Ok(tick)) = socket.recv().await {
        meter.tick(&tick);
    }
}
