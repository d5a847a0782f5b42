//! Keeps a connection in a worker, so that a busy page does not delay it, and posts what arrives to the page.
//!
//! ```sh
//! cargo build -p everwire --example worker --target wasm32-unknown-unknown
//! wasm-bindgen --target no-modules --out-dir worker target/wasm32-unknown-unknown/debug/examples/worker.wasm
//! ```
//!
//! `worker/worker.js` then defines `wasm_bindgen`. The script of the worker and the page are
//!
//! ```js
//! importScripts("worker.js");                             // in start.js
//! wasm_bindgen("worker_bg.wasm");
//!
//! const worker = new Worker("start.js");                  // in the page
//! worker.onmessage = (event) => console.log(event.data);
//! ```

#[cfg(target_family = "wasm")]
fn main() {
    use everwire::{Event, Message, Socket};
    use futures_util::StreamExt;
    use wasm_bindgen::JsCast;

    wasm_bindgen_futures::spawn_local(async {
        let page: web_sys::DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        let post = |text: &str| {
            // Only values that cannot be cloned throw.
            let _ = page.post_message(&text.into());
        };
        match Socket::open("ws://127.0.0.1:9001/countdown?from=10&every=1000") {
            Err(error) => post(&error.to_string()),
            Ok(mut socket) => {
                while let Some(event) = socket.next().await {
                    match event {
                        Event::Message(Message::Text(text)) => post(&text),
                        Event::Closed(closed) => post(&format!("{:?}", closed.ended)),
                        _ => {}
                    }
                }
            }
        }
    });
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    eprintln!("This example is for a worker of a browser; the first lines of its source say how to build it.");
}
