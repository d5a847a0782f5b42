//! Drives a connection through a life, and reads and writes lines of the protocol. The test of the same name builds it for
//! wasm32-unknown-unknown and checks that the module imports nothing.

use core::hint::black_box;

use everwire_core::{
    Action, Config, Connection, DropCause, Input, Network, Page, QueueOptions, Time,
    protocol::{ClientLine, Line, Lines, MessageWriter, Payload, ServerLine},
};

fn main() {
    let mut connection = Connection::new(Config::default(), black_box(42));
    connection.handle(Time::ZERO, Input::Open { since_last_dial: None });
    for second in 1..black_box(600) {
        let now = Time::from_secs(second);
        while let Some(action) = connection.poll_action() {
            match action {
                Action::Dial { socket, .. } if second % 3 == 0 => {
                    connection.handle(now, Input::Dropped { socket, cause: DropCause::ConnectTimeout, buffered: 0 });
                }
                Action::Dial { socket, .. } => connection.handle(now, Input::Opened { socket }),
                Action::Ping { socket, ping } => {
                    connection.handle(now, Input::Pong { socket, ping: Some(ping), server_time: Some(1.0) });
                }
                Action::Measure { socket } => connection.handle(now, Input::Buffered { socket, bytes: 0 }),
                other => drop(black_box(other)),
            }
        }
        if connection.send_now(5, false).is_none() {
            let _ = black_box(connection.enqueue(now, 5, QueueOptions::default()));
        }
        let input = match second % 100 {
            30 => Input::Network(Network::Offline),
            31 => Input::Network(Network::Online),
            60 => Input::Page(Page::Suspended),
            61 => Input::Page(Page::Restored),
            _ => Input::Wake { wall: now },
        };
        connection.handle(now, input);
    }
    black_box(connection.latency().summary());
    pass_on::<ClientLine<'_>>(black_box("ping 1\u{1e}pub chat 1\nhello"));
    pass_on::<ServerLine<'_>>(black_box("ack 1 9f.18.1795219200100"));
}

fn pass_on<'a, L: Line<'a>>(message: &'a str) {
    let mut writer = MessageWriter::new(usize::MAX);
    for (line, payload) in Lines::<L>::text(message).flatten() {
        let _ = black_box(writer.push(&line, payload));
    }
    let _ = black_box(writer.push(&ClientLine::Bye, Payload::Binary(b"bytes")));
    drop(black_box(writer.pop()));
}
