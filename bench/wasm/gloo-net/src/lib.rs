//! A client for the benchmark: an echo whose size is measured, or, with the feature `measure`, a driver for the time.

#[cfg(not(feature = "measure"))]
mod echo {
    use futures_util::{SinkExt, StreamExt};
    use gloo_net::websocket::futures::WebSocket;
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::spawn_local;

    /// Echoes every message.
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
}

#[cfg(feature = "measure")]
mod measured {
    use std::cell::RefCell;
    use std::rc::Rc;

    use bench_support::{Driver, Payload, Tick};
    use futures_util::stream::{SplitSink, SplitStream};
    use futures_util::{FutureExt, SinkExt, StreamExt};
    use gloo_net::websocket::Message;
    use gloo_net::websocket::futures::WebSocket;
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::spawn_local;

    /// A socket and its driver.
    #[wasm_bindgen]
    pub struct Client {
        driver: Rc<Driver>,
        sink: Rc<RefCell<SplitSink<WebSocket, Message>>>,
    }

    #[wasm_bindgen]
    impl Client {
        /// Opens a socket for ticks or for any messages, and waits until it is open.
        pub async fn open(url: String, ticks: bool) -> Result<Client, JsError> {
            let mut socket = WebSocket::open(&url)?;
            std::future::poll_fn(|context| socket.poll_ready_unpin(context)).await?;
            let (sink, stream) = socket.split();
            let client = Self { driver: Driver::new(), sink: Rc::new(RefCell::new(sink)) };
            let (driver, sink) = (client.driver.clone(), client.sink.clone());
            if ticks {
                spawn_local(read_ticks(driver, stream))
            } else {
                spawn_local(read(driver, stream, sink))
            }
            Ok(client)
        }
    }

    bench_support::export_driver!(Client, sink);

    fn send(driver: &Driver, sink: &RefCell<SplitSink<WebSocket, Message>>) {
        let message = match driver.payload() {
            Payload::Text(text) => Message::Text(text),
            Payload::Binary(bytes) => Message::Bytes(bytes),
        };
        // Sending on an open socket completes at once.
        let _ = sink.borrow_mut().send(message).now_or_never();
    }

    async fn read(
        driver: Rc<Driver>,
        mut stream: SplitStream<WebSocket>,
        sink: Rc<RefCell<SplitSink<WebSocket, Message>>>,
    ) {
        while let Some(Ok(_)) = stream.next().await {
            if driver.message() {
                send(&driver, &sink);
            }
        }
    }

    async fn read_ticks(driver: Rc<Driver>, mut stream: SplitStream<WebSocket>) {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message
                && let Ok(tick) = serde_json::from_str::<Tick>(&text)
            {
                driver.tick(&tick);
            }
        }
    }
}
