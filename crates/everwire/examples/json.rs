//! Sends and receives values as JSON: asks a server for its time.
//!
//! ```sh
//! cargo run -p everwire-companion &
//! cargo run -p everwire --example json
//! ```

mod common;

use std::error::Error;

use everwire::JsonSocket;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct ClockRequest {
    client_time: f64,
}

#[derive(Deserialize)]
struct ClockResponse {
    server_time: f64,
}

pub(crate) async fn run(url: String) -> Result<(), Box<dyn Error>> {
    let mut socket = JsonSocket::<ClockRequest, ClockResponse>::open(url)?;
    for request in 0..3 {
        socket.send(&ClockRequest { client_time: f64::from(request) })?;
        let response = socket.recv().await.ok_or("the connection is over")??;
        common::print(&format!("the server's time is {} ms since 1970", response.server_time));
    }
    socket.close().await;
    Ok(())
}

fn main() {
    common::start("ws://127.0.0.1:9001/clock", run);
}
