//! The baseline of the clients in Rust: the browser's socket without a library. The listener handles every message, without a queue or a
//! task.

use std::rc::Rc;

use bench_support::{Driver, Payload, Tick};
use js_sys::{ArrayBuffer, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{BinaryType, MessageEvent, WebSocket};

/// A socket and its driver.
#[wasm_bindgen]
pub struct Client {
    driver: Rc<Driver>,
    socket: WebSocket,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

#[wasm_bindgen]
impl Client {
    /// Opens a socket for ticks or for any messages, and waits until it is open.
    pub async fn open(url: String, ticks: bool) -> Result<Client, JsValue> {
        let socket = WebSocket::new(&url)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let driver = Driver::new();
        let on_message: Closure<dyn FnMut(MessageEvent)> = if ticks {
            let driver = driver.clone();
            Closure::new(move |event| read_tick(&driver, &event))
        } else {
            let (driver, socket) = (driver.clone(), socket.clone());
            Closure::new(move |event| read(&driver, &socket, &event))
        };
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let opened = Promise::new(&mut |resolve, _| socket.set_onopen(Some(&resolve)));
        JsFuture::from(opened).await?;
        Ok(Self { driver, socket, _on_message: on_message })
    }
}

bench_support::export_driver!(Client, socket);

fn send(driver: &Driver, socket: &WebSocket) {
    let _ = match driver.payload() {
        Payload::Text(text) => socket.send_with_str(&text),
        Payload::Binary(bytes) => socket.send_with_u8_array(&bytes),
    };
}

fn read(driver: &Driver, socket: &WebSocket, event: &MessageEvent) {
    let data = event.data();
    let length = match data.as_string() {
        Some(text) => text.len(),
        None => Uint8Array::new(data.unchecked_ref::<ArrayBuffer>()).to_vec().len(),
    };
    std::hint::black_box(length);
    if driver.message() {
        send(driver, socket);
    }
}

fn read_tick(driver: &Driver, event: &MessageEvent) {
    if let Some(text) = event.data().as_string()
        && let Ok(tick) = serde_json::from_str::<Tick>(&text)
    {
        driver.tick(&tick);
    }
}
