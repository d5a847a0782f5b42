//! A client for the benchmark: an echo whose size is measured, or, with the feature `measure`, a driver for the time.

#[cfg(not(feature = "measure"))]
mod echo {
    use futures_util::{SinkExt, StreamExt};
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::spawn_local;
    use ws_stream_wasm::WsMeta;

    /// Echoes every message.
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
}

#[cfg(feature = "measure")]
mod measured {
    use std::cell::RefCell;
    use std::rc::Rc;

    use bench_support::{Driver, Payload, Tick};
    use futures_util::stream::{SplitSink, SplitStream};
    use futures_util::{FutureExt, SinkExt, StreamExt};
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::spawn_local;
    use ws_stream_wasm::{WsMessage, WsMeta, WsStream};

    /// A socket and its driver.
    #[wasm_bindgen]
    pub struct Client {
        driver: Rc<Driver>,
        sink: Rc<RefCell<SplitSink<WsStream, WsMessage>>>,
    }

    #[wasm_bindgen]
    impl Client {
        /// Opens a socket for ticks or for any messages, and waits until it is open.
        pub async fn open(url: String, ticks: bool) -> Result<Client, JsError> {
            let (_, socket) = WsMeta::connect(url, None).await?;
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

    fn send(driver: &Driver, sink: &RefCell<SplitSink<WsStream, WsMessage>>) {
        let message = match driver.payload() {
            Payload::Text(text) => WsMessage::Text(text),
            Payload::Binary(bytes) => WsMessage::Binary(bytes),
        };
        // Sending on an open socket completes at once.
        let _ = sink.borrow_mut().send(message).now_or_never();
    }

    async fn read(
        driver: Rc<Driver>,
        mut stream: SplitStream<WsStream>,
        sink: Rc<RefCell<SplitSink<WsStream, WsMessage>>>,
    ) {
        while stream.next().await.is_some() {
            if driver.message() {
                send(&driver, &sink);
            }
        }
    }

    async fn read_ticks(driver: Rc<Driver>, mut stream: SplitStream<WsStream>) {
        while let Some(message) = stream.next().await {
            if let WsMessage::Text(text) = message
                && let Ok(tick) = serde_json::from_str::<Tick>(&text)
            {
                driver.tick(&tick);
            }
        }
    }
}
