//! A client for the benchmark: an echo whose size is measured, or, with the feature `measure`, a driver for the time.

#[cfg(not(feature = "measure"))]
mod echo {
    use everwire::{Event, Socket};
    use futures_util::StreamExt;
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::spawn_local;

    /// Echoes every message.
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
}

#[cfg(feature = "measure")]
mod measured {
    use std::any::Any;
    use std::rc::Rc;

    use bench_support::{Driver, Payload, Tick};
    use everwire::{Event, Socket, SocketHandle};
    use futures_util::StreamExt;
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::spawn_local;

    /// A socket and its driver.
    #[wasm_bindgen]
    pub struct Client {
        driver: Rc<Driver>,
        handle: SocketHandle,
        /// The socket, if a callback reads it. Dropping it would close the connection.
        _socket: Option<Box<dyn Any>>,
    }

    #[wasm_bindgen]
    impl Client {
        /// Opens a socket for ticks or for any messages, and waits until it is open. A callback reads it.
        pub async fn open_callback(url: String, ticks: bool) -> Result<Client, JsError> {
            let mut socket = Self::open_socket(url).await?;
            let (driver, handle) = (Driver::new(), socket.handle().clone());
            let socket: Box<dyn Any> = if ticks {
                let mut socket = socket.json::<Tick, Tick>();
                let driver = driver.clone();
                socket.on_event(move |event| {
                    if let Ok(Event::Message(tick)) = event {
                        driver.tick(&tick);
                    }
                });
                Box::new(socket)
            } else {
                let (driver, handle) = (driver.clone(), handle.clone());
                socket.on_event(move |event| read(&driver, &handle, event));
                Box::new(socket)
            };
            Ok(Self { driver, handle, _socket: Some(socket) })
        }

        /// The same, but a task reads it.
        pub async fn open_stream(url: String, ticks: bool) -> Result<Client, JsError> {
            let mut socket = Self::open_socket(url).await?;
            let (driver, handle) = (Driver::new(), socket.handle().clone());
            let client = Self { driver: driver.clone(), handle: handle.clone(), _socket: None };
            spawn_local(async move {
                if ticks {
                    let mut socket = socket.json::<Tick, Tick>();
                    while let Some(Ok(tick)) = socket.recv().await {
                        driver.tick(&tick);
                    }
                } else {
                    while let Some(event) = socket.next().await {
                        read(&driver, &handle, event);
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

    bench_support::export_driver!(Client, handle);

    fn send(driver: &Driver, handle: &SocketHandle) {
        let _ = match driver.payload() {
            Payload::Text(text) => handle.send(text),
            Payload::Binary(bytes) => handle.send(bytes),
        };
    }

    fn read(driver: &Driver, handle: &SocketHandle, event: Event) {
        if matches!(event, Event::Message(_)) && driver.message() {
            send(driver, handle);
        }
    }
}
