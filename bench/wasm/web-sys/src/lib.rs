//! The floor of what a client in Rust can do: the browser's socket without a library. Every message is handled where it
//! arrives, without a queue or a task.

use std::rc::Rc;

use bench_support::{Meter, Payload, Tick};
use js_sys::{ArrayBuffer, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{BinaryType, MessageEvent, WebSocket};

/// A socket and what it has done.
#[wasm_bindgen]
pub struct Client {
    meter: Rc<Meter>,
    socket: WebSocket,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

#[wasm_bindgen]
impl Client {
    /// Opens a socket, for ticks or for any messages, and waits until it is open.
    pub async fn open(url: String, ticks: bool) -> Result<Client, JsValue> {
        let socket = WebSocket::new(&url)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let meter = Meter::new();
        let on_message: Closure<dyn FnMut(MessageEvent)> = if ticks {
            let meter = meter.clone();
            Closure::new(move |event| read_tick(&meter, &event))
        } else {
            let (meter, socket) = (meter.clone(), socket.clone());
            Closure::new(move |event| read(&meter, &socket, &event))
        };
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let opened = Promise::new(&mut |resolve, _| socket.set_onopen(Some(&resolve)));
        JsFuture::from(opened).await?;
        Ok(Self { meter, socket, _on_message: on_message })
    }
}

bench_support::measured!(Client, socket);

fn send(meter: &Meter, socket: &WebSocket) {
    let _ = match meter.payload() {
        Payload::Text(text) => socket.send_with_str(&text),
        Payload::Binary(bytes) => socket.send_with_u8_array(&bytes),
    };
}

fn read(meter: &Meter, socket: &WebSocket, event: &MessageEvent) {
    let data = event.data();
    let length = match data.as_string() {
        Some(text) => text.len(),
        None => Uint8Array::new(data.unchecked_ref::<ArrayBuffer>()).to_vec().len(),
    };
    std::hint::black_box(length);
    if meter.message() {
        send(meter, socket);
    }
}

fn read_tick(meter: &Meter, event: &MessageEvent) {
    if let Some(text) = event.data().as_string()
        && let Ok(tick) = serde_json::from_str::<Tick>(&text)
    {
        meter.tick(&tick);
    }
}
