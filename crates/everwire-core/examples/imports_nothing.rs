//! A connection that is driven through a life. Built for wasm32-unknown-unknown by the test of the same name, which shows that
//! the core asks nothing of the world around it.

use core::{hint::black_box, time::Duration};

use everwire_core::{Action, Cause, Config, Connection, Input, Network, Page};

fn main() {
    let mut connection = Connection::<String>::new(Config::default(), black_box(42));
    connection.handle(Duration::ZERO, Input::Open);
    for second in 1..black_box(600) {
        let now = Duration::from_secs(second);
        while let Some(action) = connection.poll_action() {
            match action {
                Action::Dial { socket, .. } if second % 3 == 0 => {
                    connection.handle(now, Input::Dropped { socket, cause: Cause::ConnectTimeout, buffered: 0 });
                }
                Action::Dial { socket, .. } => connection.handle(now, Input::Opened { socket, greeting: Vec::new() }),
                Action::Probe { socket, ping } => {
                    connection.handle(now, Input::Pong { socket, ping: Some(ping), server_time: Some(1.0) });
                }
                Action::Measure { socket } => connection.handle(now, Input::Buffered { socket, bytes: 0 }),
                other => drop(black_box(other)),
            }
        }
        let _ = black_box(connection.send(now, "hello".to_owned(), Default::default()));
        let happening = match second % 100 {
            30 => Input::Network(Network::Offline),
            31 => Input::Network(Network::Online),
            60 => Input::Page(Page::Suspended),
            61 => Input::Page(Page::Restored),
            _ => Input::Wake { wall: now },
        };
        connection.handle(now, happening);
    }
    black_box(connection.latency().summary());
}
