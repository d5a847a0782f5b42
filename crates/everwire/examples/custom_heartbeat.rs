//! Detects a dead link by the server's own ping. Here an echo stands in for a server that answers `PING 1` with `PING 1`.
//!
//! ```sh
//! cargo run -p everwire-companion &
//! cargo run -p everwire --example custom_heartbeat
//! ```

mod common;

use std::{error::Error, time::Duration};

use everwire::{Event, Heartbeat, Message, PingSchedule, Pong, Socket};
use futures_util::StreamExt;

pub(crate) async fn run(url: String) -> Result<(), Box<dyn Error>> {
    let often = Duration::from_millis(200);
    let heartbeat = Heartbeat::custom(
        |number| Message::from(format!("PING {number}")),
        |message| message.as_text()?.strip_prefix("PING ")?.parse().ok().map(Pong::new),
    )
    .schedule(PingSchedule::default().after_silence(often).sample_every(often));
    let mut socket = Socket::builder(url).heartbeat(heartbeat).open()?;
    while let Some(event) = socket.next().await {
        match event {
            Event::Latency(round_trip) => {
                common::print(&format!("round trip: {round_trip:?}"));
                socket.close();
            }
            // The answers to pings are not messages of the application.
            Event::Message(message) => common::print(&format!("received {message:?}")),
            _ => {}
        }
    }
    Ok(())
}

fn main() {
    common::start("ws://127.0.0.1:9001/echo", run);
}
