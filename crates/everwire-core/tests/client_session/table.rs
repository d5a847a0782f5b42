//! The table of states and lines of the specification, cell by cell.

use everwire_core::{
    Delivery,
    protocol::{ErrorCode, ServerLine, Start},
    session::{ClientAction, ClientInput, SubscriptionId},
};

use crate::{
    bench::{Bench, welcome_new},
    page::{Reaction, client_reactions},
};

/// A session in this state, in which each line has something to act on, with an open subscription and one that awaits its answer.
fn session(state: &str) -> (Bench, SubscriptionId, SubscriptionId) {
    let mut bench = Bench::new();
    let open = bench.session.subscribe(Start::Live);
    bench.connect();
    if state == "greeting" {
        return (bench, open, open);
    }
    bench.input(welcome_new());
    bench.subscribed_at(open, 10);
    let asked = bench.session.subscribe(Start::Live);
    bench.publish();
    bench.publish();
    bench.request(None);
    bench.request(None);
    bench.actions();
    match state {
        "attached" => {}
        "closing" => drop(bench.input(ClientInput::Malformed)),
        other => panic!("{other} is not a state of the client"),
    }
    (bench, open, asked)
}

/// A line of each type.
fn example(line_type: &str) -> &str {
    match line_type {
        "welcome" => {
            "welcome q3Zt generation=1 time=1 heartbeat=1 message=1 credits=1 subscriptions=1 expires=1 acked=0 secret=Jm4x"
        }
        "subscribed" => "subscribed asked 9f.11.11000",
        "msg" => "msg open 9f.11.11000",
        "gap" => "gap open trimmed 9f.11.11000 missed=1",
        "pos" => "pos open 9f.11.11000 live=1",
        "unsub" => "unsub open denied",
        "ack" => "ack 1 9f.1.1000",
        "nack" => "nack 2 denied",
        "res" => "res 1 0 more=1",
        "presence" => "presence open 1",
        "join" => "join open q3Zt",
        "leave" => "leave open q3Zt",
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

/// Hands in a line as a driver does, and finds out what is done with it.
fn reaction(state: &str, line: &str) -> Reaction {
    let (mut bench, open, asked) = session(state);
    let before = bench.session.clone();
    let find = |channel: &str| match channel {
        "open" => Some(open),
        "asked" => Some(asked),
        _ => None,
    };
    let line = ServerLine::parse(line);
    let input = match &line {
        Ok(line) => ClientInput::from_line(line, find),
        Err(error) => Some(ClientInput::from_error(error)),
    };
    let mut delivery = Delivery::Ignore;
    match (input, line) {
        (Some(input), _) => bench.session.handle(bench.now, input),
        (None, Ok(ServerLine::Msg(msg))) => {
            delivery = bench.session.receive(find(msg.channel), msg.cursor, msg.after);
        }
        (
            None,
            Ok(
                ServerLine::Presence { channel, .. }
                | ServerLine::Join { channel, .. }
                | ServerLine::Leave { channel, .. },
            ),
        ) => {
            delivery = bench.session.receive_presence(find(channel));
        }
        (None, other) => panic!("{other:?} is reported otherwise"),
    }
    let actions = bench.actions();
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
        _ if bench.session == before => Reaction::Ignore,
        _ => Reaction::Handle,
    }
}

#[test]
fn each_line_in_each_state_is_treated_as_the_specification_says() {
    let mut wrong = Vec::new();
    // The heartbeat reads `pong`, not the session.
    for cell in client_reactions().into_iter().filter(|cell| cell.line != "pong") {
        let is = reaction(&cell.state, example(&cell.line));
        if is != cell.reaction {
            wrong.push((cell, is));
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
fn what_the_client_does_not_have_is_of_no_consequence() {
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
