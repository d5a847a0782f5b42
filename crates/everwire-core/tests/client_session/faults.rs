//! Servers that are in error, refuse the client or go away.

use everwire_core::{
    Time,
    protocol::{ErrorCode, Start},
    session::{ClientAction, ClientInput},
};

use crate::bench::{Bench, cursor, s, welcome, welcome_new};

fn fatal(code: ErrorCode) -> ClientInput {
    ClientInput::Error { code, is_fatal: true, retry: None }
}

fn over(code: ErrorCode) -> ClientAction {
    ClientAction::Over { code }
}

/// Connects, lets `happen` end the connection, and returns what the session does then.
fn attempt(bench: &mut Bench, input: ClientInput) -> Vec<ClientAction> {
    bench.connect();
    let mut actions = bench.input(input);
    actions.extend(bench.disconnect());
    actions
}

#[test]
fn a_server_in_error_is_left_three_times_and_then_for_good() {
    let mut bench = Bench::new();
    let code = ErrorCode::Malformed;
    let report = ClientAction::ReportError { code };
    for _ in 0..3 {
        assert_eq!(attempt(&mut bench, ClientInput::Malformed), [report, ClientAction::Close { code }]);
    }
    assert_eq!(attempt(&mut bench, ClientInput::Malformed), [report, over(code)]);
    assert_eq!(bench.connect(), []);
}

#[test]
fn errors_with_a_minute_of_service_between_them_are_not_in_a_row() {
    let mut bench = Bench::new();
    for count in 0..20 {
        bench.connect();
        bench.input(if count == 0 { welcome_new() } else { welcome(0) });
        bench.pass(s(60));
        bench.input(ClientInput::Malformed);
        bench.disconnect();
    }
    assert!(!bench.session.is_over());
}

/// The connection in error never was attached, and the one before it, which was, ended by something else.
#[test]
fn a_minute_of_service_ends_the_row_however_its_connection_ended() {
    let mut bench = Bench::new();
    for count in 0..20 {
        bench.connect();
        bench.input(if count == 0 { welcome_new() } else { welcome(0) });
        bench.pass(s(60));
        bench.disconnect();
        attempt(&mut bench, ClientInput::Malformed);
    }
    assert!(!bench.session.is_over());
}

#[test]
fn a_welcome_alone_does_not_end_the_row_of_errors() {
    let mut bench = Bench::new();
    for count in 0..4 {
        bench.connect();
        bench.input(if count == 0 { welcome_new() } else { welcome(0) });
        bench.pass(s(59));
        bench.input(ClientInput::Malformed);
        bench.disconnect();
    }
    assert!(bench.session.is_over());
}

#[test]
fn credentials_that_are_refused_over_and_over_end_the_session() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        assert_eq!(attempt(&mut bench, fatal(ErrorCode::Unauthorized)), []);
    }
    assert_eq!(attempt(&mut bench, fatal(ErrorCode::Unauthorized)), [over(ErrorCode::Unauthorized)]);
}

#[test]
fn an_error_and_its_close_code_count_once() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.connect();
        bench.input(fatal(ErrorCode::Unauthorized));
        bench.input(ClientInput::Disconnected { code: 3000 });
    }
    assert!(!bench.session.is_over());
}

#[test]
fn a_close_code_counts_where_its_error_was_lost() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.connect();
        bench.input(ClientInput::Disconnected { code: 4501 });
    }
    assert!(bench.session.is_over());
}

#[test]
fn a_session_taken_over_or_ended_by_the_server_is_over() {
    for code in [ErrorCode::TakenOver, ErrorCode::Gone] {
        let close = ClientInput::Disconnected { code: code.close_code().expect("it ends connections") };
        for input in [fatal(code), close, ClientInput::Bye { code }] {
            let mut bench = Bench::attached();
            assert_eq!(bench.input(input), [over(code)]);
        }
    }
}

#[test]
fn a_busy_server_is_tried_again_and_again_but_not_before_it_wants() {
    let mut bench = Bench::new();
    let busy = ClientInput::Error { code: ErrorCode::Unavailable, is_fatal: true, retry: Some(s(2)) };
    for _ in 0..20 {
        assert_eq!(attempt(&mut bench, busy), [ClientAction::RetryAfter { delay: s(2) }]);
    }
}

#[test]
fn a_server_that_announces_a_close_and_does_not_close_is_left() {
    let mut bench = Bench::attached();
    bench.input(fatal(ErrorCode::Unavailable));
    assert_eq!(bench.session.poll_deadline(), Some(bench.now + s(30)));
    assert_eq!(bench.pass(s(30)), [ClientAction::Reconnect]);
}

#[test]
fn an_error_that_is_not_fatal_changes_nothing() {
    let mut bench = Bench::attached();
    let error = ClientInput::Error { code: ErrorCode::UnknownLine, is_fatal: false, retry: None };
    assert_eq!(bench.input(error), []);
    assert!(bench.session.is_attached());
}

#[test]
fn clients_of_a_server_that_drains_leave_at_times_spread_over_what_it_says() {
    let leaves = |seed, deadline, spread| {
        let mut bench = Bench::new();
        bench.session = everwire_core::session::ClientSession::new(Default::default(), seed);
        bench.connect();
        bench.input(welcome_new());
        assert_eq!(bench.input(ClientInput::Drain { deadline, spread }), []);
        let at = bench.session.poll_deadline().expect("it leaves") - bench.now;
        assert_eq!(bench.pass(at), [ClientAction::Reconnect]);
        assert_eq!(bench.session.poll_deadline(), Some(bench.now + s(30)), "it leaves once");
        at
    };
    let times: Vec<Time> = (0..1_000).map(|seed| leaves(seed, s(30), s(10))).collect();
    assert!(times.iter().all(|time| *time <= s(10)));
    for second in 0..10 {
        let within = times.iter().filter(|time| (s(second)..s(second + 1)).contains(*time)).count();
        assert!((60..140).contains(&within), "{within} leave in second {second}");
    }
    assert!((0..100).all(|seed| leaves(seed, s(1), s(10)) <= s(1)), "the deadline counts where it is sooner");
}

#[test]
fn a_connection_that_ends_before_its_time_to_leave_is_not_left_again() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Drain { deadline: s(30), spread: s(10) });
    bench.disconnect();
    assert_eq!(bench.session.poll_deadline(), None);
}

#[test]
fn nothing_is_sent_on_a_socket_that_is_about_to_close() {
    let (mut bench, id) = Bench::subscribed(Start::Live, 10);
    bench.input(ClientInput::Malformed);
    bench.publish();
    bench.session.subscribe(Start::Live);
    bench.session.restart(id, Start::Live);
    bench.session.pause(id);
    assert_eq!(bench.actions(), []);
    let _ = bench.session.receive(Some(id), cursor(11), 10);
    assert_eq!(bench.input(ClientInput::Credits(10)), []);
}
