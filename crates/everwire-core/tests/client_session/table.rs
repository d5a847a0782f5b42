//! The table of states and lines of the specification, cell by cell.

use everwire_core::{
    Delivery,
    protocol::{ErrorCode, GapReason, Start},
    session::{ClientAction, ClientInput, SubscriptionId},
};

use crate::{
    bench::{Bench, acked, cursor, s, welcome_new},
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

/// Hands in a line, and finds out what is done with it.
fn reaction(state: &str, line: &str) -> Reaction {
    let (mut bench, open, asked) = session(state);
    let before = bench.session.clone();
    let mut delivery = Delivery::Ignore;
    let (subscription, cursor) = (Some(open), cursor(11));
    let code = ErrorCode::Unavailable;
    let input = match line {
        "welcome" => welcome_new(),
        "subscribed" => ClientInput::Subscribed { subscription: Some(asked), cursor },
        "gap" => ClientInput::Gap { subscription, reason: GapReason::Trimmed, cursor, missed: Some(1) },
        "pos" => ClientInput::Position { subscription, cursor, is_live: true },
        "unsub" => ClientInput::Unsubscribed { subscription, code },
        "ack" => acked(1),
        "nack" => ClientInput::Refused { seq: 2, code },
        "res" => ClientInput::Response { seq: 1, part: 0, more: true },
        "credits" => ClientInput::Credits(9),
        "drain" => ClientInput::Drain { deadline: s(30), spread: s(10) },
        "error" => ClientInput::Error { code, is_fatal: true, retry: None },
        "bye" => ClientInput::Bye { code: ErrorCode::Gone },
        "a type of no server" => ClientInput::UnknownLine,
        "malformed" => ClientInput::Malformed,
        "msg" => {
            delivery = bench.session.receive(subscription, cursor, 10);
            // Nothing else happens.
            ClientInput::Wake
        }
        "presence" | "join" | "leave" => {
            delivery = bench.session.receive_presence(subscription);
            ClientInput::Wake
        }
        other => panic!("{other} is not a line of the server"),
    };
    let actions = bench.input(input);
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
        let is = reaction(&cell.state, &cell.line);
        if is != cell.reaction {
            wrong.push((cell, is));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn a_refused_request_is_handled_where_a_refused_publish_is() {
    let (mut bench, ..) = session("attached");
    assert_eq!(bench.input(ClientInput::RequestRefused { seq: 1, code: ErrorCode::Failed }).len(), 1);
    let (mut bench, ..) = session("greeting");
    assert_eq!(bench.input(ClientInput::RequestRefused { seq: 1, code: ErrorCode::Failed }).len(), 2);
}
