//! What is said when a connection opens.

use everwire_core::{
    protocol::{ErrorCode, Start},
    session::{Attachment, ClientAction, ClientInput},
};

use crate::bench::{Bench, acked, attached, cursor, failed, s, sub, welcome, welcome_new};

fn hello(attempt: u64, closed: Option<u16>) -> ClientAction {
    ClientAction::Hello { attempt, is_resume: false, acked: 0, floor: 1, closed }
}

#[test]
fn hello_and_every_subscription_go_out_together_without_waiting_for_welcome() {
    let mut bench = Bench::new();
    let live = bench.session.subscribe(Start::Live);
    let last = bench.session.subscribe(Start::Last(2));
    assert_eq!(bench.actions(), []);
    assert_eq!(bench.connect(), [hello(0, None), sub(live, Start::Live), sub(last, Start::Last(2))]);
    assert_eq!(bench.input(welcome_new()), [attached(Attachment::New)]);
}

#[test]
fn attempts_count_from_welcome_whether_a_socket_opened_or_not() {
    let mut bench = Bench::new();
    bench.input(ClientInput::Disconnected { code: 1006 });
    bench.connect();
    bench.input(ClientInput::Disconnected { code: 1012 });
    assert_eq!(bench.connect(), [hello(2, Some(1012))]);
    bench.input(welcome_new());
    bench.disconnect();
    let [ClientAction::Hello { attempt: 1, is_resume: true, closed: Some(1006), .. }] = bench.connect()[..] else {
        panic!("the count starts over at welcome")
    };
}

#[test]
fn hello_says_which_publishes_and_requests_are_answered() {
    let mut bench = Bench::attached();
    for _ in 0..3 {
        bench.publish();
        bench.request(None);
    }
    bench.input(acked(1));
    bench.input(acked(3));
    bench.input(ClientInput::Response { seq: 1, part: 0, more: false });
    bench.input(ClientInput::RequestRefused { seq: 3, code: ErrorCode::Failed });
    bench.disconnect();
    let [ClientAction::Hello { acked, floor, .. }] = bench.connect()[..] else { panic!("nothing else is sent") };
    assert_eq!((acked, floor), (1, 2));
}

#[test]
fn when_all_is_answered_hello_says_so() {
    let mut bench = Bench::attached();
    bench.publish();
    bench.request(None);
    bench.input(acked(1));
    bench.input(ClientInput::Response { seq: 1, part: 0, more: false });
    bench.disconnect();
    let [ClientAction::Hello { acked, floor, .. }] = bench.connect()[..] else { panic!("nothing else is sent") };
    assert_eq!((acked, floor), (1, 2));
}

#[test]
fn a_subscription_that_was_never_answered_is_repeated_as_it_was() {
    let mut bench = Bench::attached();
    let id = bench.session.subscribe(Start::Last(5));
    bench.disconnect();
    assert_eq!(bench.connect()[1..], [sub(id, Start::Last(5))]);
}

#[test]
fn a_subscription_is_resumed_from_its_position() {
    let (mut bench, id) = Bench::subscribed(Start::Last(5), 10);
    let _ = bench.receive(id, 11);
    bench.disconnect();
    assert_eq!(bench.connect()[1..], [sub(id, Start::From(cursor(11)))]);
}

#[test]
fn a_new_session_in_place_of_an_old_one_is_reported() {
    let mut bench = Bench::attached();
    let id = bench.publish();
    bench.disconnect();
    bench.connect();
    assert_eq!(bench.input(welcome_new()), [attached(Attachment::Replaced), failed(id, ErrorCode::Unknown)]);
}

#[test]
fn a_server_that_does_not_answer_hello_is_left_after_a_time() {
    let mut bench = Bench::new();
    bench.connect();
    assert_eq!(bench.session.poll_deadline(), Some(bench.now + s(30)));
    assert_eq!(bench.pass(s(29)), []);
    assert_eq!(bench.pass(s(1)), [ClientAction::Reconnect]);
    assert_eq!(bench.input(welcome_new()), [], "the socket is about to close");
}

#[test]
fn a_welcome_to_a_session_that_this_client_never_had_is_an_error() {
    let mut bench = Bench::new();
    bench.connect();
    let code = ErrorCode::Unexpected;
    assert_eq!(bench.input(welcome(0)), [ClientAction::ReportError { code }, ClientAction::Close { code }]);
}

#[test]
fn numbers_that_were_never_given_do_not_swallow_the_next_publishes() {
    // The server would take the publishes that follow for repetitions of those that it claims to have.
    let mut bench = Bench::attached();
    bench.publish();
    bench.actions();
    let code = ErrorCode::Sequence;
    assert_eq!(bench.resume(2), [ClientAction::ReportError { code }, ClientAction::Close { code }]);
    bench.disconnect();
    assert_eq!(bench.connect(), [hello(2, Some(1006))], "the session is not used again");
    let actions = bench.input(welcome_new());
    assert_eq!(actions[0], attached(Attachment::Replaced));
}

#[test]
fn a_close_code_that_no_websocket_has_is_not_repeated_in_hello() {
    for code in [0, 999, 5_000, u16::MAX] {
        let mut bench = Bench::new();
        bench.input(ClientInput::Disconnected { code });
        assert_eq!(bench.connect(), [hello(1, None)]);
    }
}

#[test]
fn a_socket_whose_end_was_not_reported_does_not_keep_the_next_from_its_hello() {
    let (mut bench, id) = Bench::subscribed(Start::Live, 10);
    bench.publish();
    bench.actions();
    let actions = bench.connect();
    assert!(matches!(actions[0], ClientAction::Hello { attempt: 1, is_resume: true, closed: Some(1006), .. }));
    assert_eq!(actions[1..], [sub(id, Start::From(cursor(10)))]);
    assert_eq!(bench.input(welcome(1)), [attached(Attachment::Resumed)]);
}
