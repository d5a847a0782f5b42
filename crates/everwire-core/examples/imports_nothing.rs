//! Drives a connection and a session through a life, and reads and writes lines of the protocol. The test of the same name builds it
//! for wasm32-unknown-unknown and checks that the module imports nothing.

use core::hint::black_box;

use everwire_core::{
    Action, Config, Connection, DropCause, Input, Network, Page, QueueOptions, Time,
    protocol::{ClientLine, Cursor, Line, Lines, MessageWriter, Mode, Payload, ServerLine, Start},
    session::{
        Answer, ClientInput, ClientSession, ClientSessionConfig, Feed, History, Request, ServerSession, SessionLimits,
    },
};

fn main() {
    drive_connection();
    drive_session();
    drive_server();
    pass_on::<ClientLine<'_>>(black_box("ping 1\u{1e}pub chat 1\nhello"));
    pass_on::<ServerLine<'_>>(black_box("ack 1 9f.18.1795219200100"));
}

fn drive_connection() {
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
}

fn pass_on<'a, L: Line<'a>>(message: &'a str) {
    let mut writer = MessageWriter::new(usize::MAX);
    for (line, payload) in Lines::<L>::text(message).flatten() {
        let _ = black_box(writer.push(&line, payload));
    }
    let _ = black_box(writer.push(&ClientLine::Bye, Payload::Binary(b"bytes")));
    drop(black_box(writer.pop()));
}

fn drive_session() {
    let welcome = "welcome q3Zt generation=1 time=1 heartbeat=1 message=9 credits=9 subscriptions=9 expires=1 acked=0 secret=Jm4x";
    let mut session = ClientSession::new(ClientSessionConfig::default(), black_box(42));
    let chat = session.subscribe(Start::Live);
    for second in 1..black_box(600) {
        let now = Time::from_secs(second);
        let _ = black_box(session.publish(now, 5, None));
        session.handle(now, ClientInput::Connected);
        for line in [welcome, "subscribed chat 9f.1.1", "ack 1 9f.2.2", "pos chat 9f.2.2 live=1"] {
            let input = ServerLine::parse(black_box(line)).map(|line| ClientInput::from_line(&line, |_| Some(chat)));
            session.handle(now, input.ok().flatten().unwrap_or(ClientInput::Wake));
        }
        session.handle(now, ClientInput::Disconnected { code: 1006 });
        while let Some(action) = session.poll_action() {
            black_box(action);
        }
    }
}

fn drive_server() {
    let mut session = ServerSession::new(SessionLimits::default());
    let at = |offset| Cursor { epoch: 1, offset, time: offset };
    let (mut feed, _) = Feed::start(Start::Live, Mode::Each, true, &History::empty(at(0)), Some);
    for seq in 1..black_box(600) {
        let now = Time::from_secs(seq);
        let Ok(generation) = session.attach(seq - 1, seq) else { return };
        let _ = black_box(session.publish(generation, seq, seq - 1));
        let _ = black_box(session.request(now, generation, Request { seq, ..Request::default() }));
        session.decided(seq, Answer::Stored(at(seq)));
        session.responded(seq, 5, false);
        let _ = black_box((feed.fan_out(at(2 * seq)), feed.poll(&History { trimmed: seq, last: at(2 * seq) })));
        session.detach(now, generation);
        session.wake(now);
        while let Some(action) = session.poll_action() {
            black_box(action);
        }
    }
}
