//! The tables of states and lines of the specification, cell by cell.

use everwire_core::{
    Delivery,
    protocol::{ClientLine, ErrorCode, ProtocolError, ServerLine, Start},
    session::{ClientAction, ClientInput, LineHandling, ServerConnection, SubscriptionId},
};

use crate::{
    client::{Harness, welcome_new},
    specification::{Cell, Reaction, client_reactions, server_reactions},
};

// The client.

/// A session in this state, with an active subscription and one that awaits its answer, so that each line has something to act on.
fn client_in(state: &str) -> (Harness, SubscriptionId, SubscriptionId) {
    let mut harness = Harness::new();
    let active = harness.session.subscribe(Start::Live);
    harness.connect();
    if state == "greeting" {
        return (harness, active, active);
    }
    harness.input(welcome_new());
    harness.subscribed_at(active, 10);
    let pending = harness.session.subscribe(Start::Live);
    harness.publish();
    harness.publish();
    harness.request(None);
    harness.request(None);
    harness.actions();
    match state {
        "attached" => {}
        "closing" => drop(harness.input(ClientInput::Malformed)),
        other => panic!("{other} is not a state of the client"),
    }
    (harness, active, pending)
}

/// A line of each type.
fn server_line(line_type: &str) -> &str {
    match line_type {
        "welcome" => {
            "welcome q3Zt generation=1 time=1 heartbeat=1 message=1 credits=1 subscriptions=1 expires=1 acked=0 secret=Jm4x"
        }
        "subscribed" => "subscribed pending 9f.11.11000",
        "msg" => "msg active 9f.11.11000",
        "gap" => "gap active trimmed 9f.11.11000 missed=1",
        "pos" => "pos active 9f.11.11000 live=1",
        "unsub" => "unsub active denied",
        "ack" => "ack 1 9f.1.1000",
        "nack" => "nack 2 denied",
        "res" => "res 1 0 more=1",
        "presence" => "presence active 1",
        "join" => "join active q3Zt",
        "leave" => "leave active q3Zt",
        "credits" => "credits 9",
        "pong" => "pong 1 1",
        "drain" => "drain deadline=30000 spread=10000",
        "error" => "error unavailable fatal=1",
        "bye" => "bye gone",
        "a type of no server" => "hug",
        "malformed" => "ack 01",
        other => panic!("{other} is not a line of the server"),
    }
}

/// Hands in a line as a driver does, and returns the reaction.
fn reaction(state: &str, line: &str) -> Reaction {
    let (mut harness, active, pending) = client_in(state);
    let before = harness.session.clone();
    let find = |channel: &str| match channel {
        "active" => Some(active),
        "pending" => Some(pending),
        _ => None,
    };
    let line = ServerLine::parse(line);
    let input = match &line {
        Ok(line) => ClientInput::from_line(line, find),
        Err(error) => Some(ClientInput::from_error(error)),
    };
    let mut delivery = Delivery::Ignore;
    match (input, line) {
        (Some(input), _) => harness.session.handle(harness.now, input),
        (None, Ok(ServerLine::Msg(msg))) => {
            delivery = harness.session.receive(find(msg.channel), msg.cursor, msg.after);
        }
        (
            None,
            Ok(
                ServerLine::Presence { channel, .. }
                | ServerLine::Join { channel, .. }
                | ServerLine::Leave { channel, .. },
            ),
        ) => {
            delivery = harness.session.receive_presence(find(channel));
        }
        (None, other) => panic!("{other:?} has another entry point"),
    }
    let actions = harness.actions();
    match actions[..] {
        _ if delivery == Delivery::Deliver => Reaction::Handle,
        [ClientAction::ReportError { code }, ClientAction::Close { code: close }] => {
            assert_eq!(code, close);
            match code {
                ErrorCode::Unexpected => Reaction::Unexpected,
                ErrorCode::Malformed => Reaction::Malformed,
                other => panic!("{other} is not in the table"),
            }
        }
        [ClientAction::ReportError { code: ErrorCode::UnknownLine }] => Reaction::UnknownLine,
        [ClientAction::Attached { .. }, ..] => Reaction::Attach,
        [.., ClientAction::Over { .. }] => Reaction::Close,
        _ if harness.session == before => Reaction::Ignore,
        _ => Reaction::Handle,
    }
}

#[test]
fn the_client_reacts_to_each_line_in_each_state_as_the_table_says() {
    let mut wrong = Vec::new();
    // The heartbeat reads `pong`, not the session.
    for cell in client_reactions().into_iter().filter(|cell| cell.line != "pong") {
        let actual = reaction(&cell.state, server_line(&cell.line));
        if actual != cell.reaction {
            wrong.push((cell, actual));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn a_refused_request_is_treated_as_a_refused_publish() {
    let line = "nack 1 failed of=req";
    assert_eq!(reaction("greeting", line), Reaction::Unexpected);
    assert_eq!(reaction("attached", line), Reaction::Handle);
    assert_eq!(reaction("closing", line), Reaction::Ignore);
}

#[test]
fn a_line_about_something_unknown_to_the_client_has_no_effect() {
    let lines = [
        "msg other 9f.11.11000",
        "gap other trimmed 9f.11.11000",
        "pos other 9f.11.11000 live=1",
        "unsub other denied",
        "ack 3 9f.1.1000",
        "nack 3 denied",
        "nack 3 denied of=req",
        "res 3 0",
        "presence other 1",
    ];
    for line in lines {
        assert_eq!(reaction("attached", line), Reaction::Ignore, "{line}");
    }
}

// The server.

fn client_line(name: &str) -> Result<ClientLine<'static>, ProtocolError<'static>> {
    ClientLine::parse(match name {
        "hello" => "hello attempt=0",
        "sub" => "sub chat live",
        "unsub" => "unsub chat",
        "pub" => "pub chat 1",
        "req" => "req history 1",
        "cancel" => "cancel 1",
        "ping" => "ping 1",
        "bye" => "bye",
        "error" => "error sequence",
        "a type of no client" => "hug chat",
        "malformed" => "pub chat one",
        other => panic!("no example of {other:?}"),
    })
}

fn server_in(state: &str) -> ServerConnection {
    let mut connection = ServerConnection::default();
    match state {
        "new" => {}
        "attached" => assert_eq!(connection.receive(&client_line("hello")), LineHandling::Attach),
        "closing" => connection.close(),
        other => panic!("no state is {other:?}"),
    }
    connection
}

#[test]
fn the_server_reacts_to_each_line_in_each_state_as_the_table_says() {
    for Cell { line, state, reaction } in server_reactions() {
        let mut connection = server_in(&state);
        let expected = match reaction {
            Reaction::Attach => LineHandling::Attach,
            Reaction::Handle => LineHandling::Handle,
            Reaction::Close => LineHandling::Close,
            Reaction::Ignore => LineHandling::Ignore,
            Reaction::Unexpected => LineHandling::Fatal(ErrorCode::Unexpected),
            Reaction::Malformed => LineHandling::Fatal(ErrorCode::Malformed),
            Reaction::UnknownLine => LineHandling::Report(ErrorCode::UnknownLine),
        };
        assert_eq!(connection.receive(&client_line(&line)), expected, "{line} while {state}");
        let ends = state == "closing" || matches!(expected, LineHandling::Close | LineHandling::Fatal(_));
        assert_eq!(connection.is_closing(), ends, "after {line} while {state}");
    }
}
