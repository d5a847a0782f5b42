use std::any::Any;
use std::rc::Rc;

use bench_support::{Meter, Payload, Tick};
use everwire::{Event, Socket, SocketHandle};
use futures_util::StreamExt;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

/// A socket and what it has done.
#[wasm_bindgen]
pub struct Client {
    meter: Rc<Meter>,
    handle: SocketHandle,
    /// The socket, where a callback reads it rather than a task. Dropping it would close it.
    _socket: Option<Box<dyn Any>>,
}

#[wasm_bindgen]
impl Client {
    /// Opens a socket, for ticks or for any messages, and waits until it is open. A callback reads it.
    pub async fn open_callback(url: String, ticks: bool) -> Result<Client, JsError> {
        let mut socket = Self::open_socket(url).await?;
        let (meter, handle) = (Meter::new(), socket.handle().clone());
        let socket: Box<dyn Any> = if ticks {
            let mut socket = socket.json::<Tick, Tick>();
            let meter = meter.clone();
            socket.on_event(move |event| {
                if let Ok(Event::Message(tick)) = event {
                    meter.tick(&tick);
                }
            });
            Box::new(socket)
        } else {
            let (meter, handle) = (meter.clone(), handle.clone());
            socket.on_event(move |event| read(&meter, &handle, event));
            Box::new(socket)
        };
        Ok(Self { meter, handle, _socket: Some(socket) })
    }

    /// The same, read by a task.
    pub async fn open_stream(url: String, ticks: bool) -> Result<Client, JsError> {
        let mut socket = Self::open_socket(url).await?;
        let (meter, handle) = (Meter::new(), socket.handle().clone());
        let client = Self { meter: meter.clone(), handle: handle.clone(), _socket: None };
        spawn_local(async move {
            if ticks {
                let mut socket = socket.json::<Tick, Tick>();
                while let Some(Ok(tick)) = socket.recv().await {
                    meter.tick(&tick);
                }
            } else {
                while let Some(event) = socket.next().await {
                    read(&meter, &handle, event);
                }
            }
        });
        Ok(client)
    }

    async fn open_socket(url: String) -> Result<Socket, JsError> {
        let mut socket = Socket::open(&url)?;
        while !matches!(socket.next().await, Some(Event::Opened(_)) | None) {}
        Ok(socket)
    }
}

bench_support::measured!(Client, handle);

fn send(meter: &Meter, handle: &SocketHandle) {
    let _ = match meter.payload() {
        Payload::Text(text) => handle.send(text),
        Payload::Binary(bytes) => handle.send(bytes),
    };
}

fn read(meter: &Meter, handle: &SocketHandle, event: Event) {
    if matches!(event, Event::Message(_)) && meter.message() {
        send(meter, handle);
    }
}
