//! Sends a text to an echo server and prints what comes back.
//!
//! ```sh
//! cargo run -p everwire-companion &
//! cargo run -p everwire --example echo
//! ```

mod common;

use std::error::Error;

use everwire::{Event, Socket};
use futures_util::StreamExt;

pub(crate) async fn run(url: String) -> Result<(), Box<dyn Error>> {
    let mut socket = Socket::open(url)?;
    socket.send("hello")?; // waits in the outbox until the connection is open
    while let Some(event) = socket.next().await {
        match event {
            Event::Opened(opened) => common::print(&format!("connected to {}", opened.url)),
            Event::Message(message) => {
                common::print(&format!("received {message:?}"));
                socket.close();
            }
            Event::Dropped(dropped) => {
                common::print(&format!("{}; next attempt in {:?}", dropped.cause, dropped.retry_in));
            }
            _ => {}
        }
    }
    Ok(())
}

fn main() {
    common::start("ws://127.0.0.1:9001/echo", run);
}
