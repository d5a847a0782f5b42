//! What becomes of requests.

use everwire_core::{
    Time,
    protocol::ErrorCode,
    session::{ClientAction, ClientInput, RequestId},
};

use crate::bench::{Bench, acked, published, s, sends, welcome, welcome_new};

fn req(id: RequestId, seq: u64, floor: u64, part: Option<u64>) -> ClientAction {
    ClientAction::Request { id, seq, timeout: None, floor, part }
}

fn res(seq: u64, part: u64, more: bool) -> ClientInput {
    ClientInput::Response { seq, part, more }
}

fn answered(id: RequestId, part: u64, more: bool) -> ClientAction {
    ClientAction::Answered { id, part, more }
}

fn failed(id: RequestId, code: ErrorCode) -> ClientAction {
    ClientAction::RequestFailed { id, code }
}

/// A `welcome` that resumes the session without its requests.
fn without_requests() -> ClientInput {
    ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: false, credits: 64, max_message: 1_000 }
}

/// Loses the connection and resumes the session. Returns what follows the report of that.
fn resume(bench: &mut Bench, welcome: ClientInput) -> Vec<ClientAction> {
    bench.disconnect();
    bench.connect();
    bench.input(welcome).split_off(1)
}

#[test]
fn publishes_and_requests_go_out_in_the_order_of_the_calls() {
    let mut bench = Bench::new();
    let first = bench.request(None);
    let second = bench.publish();
    let third = bench.request(None);
    bench.connect();
    let expected = [req(first, 1, 1, None), sends(second, 1), req(third, 2, 1, None)];
    assert_eq!(bench.input(welcome_new())[1..], expected);
}

#[test]
fn the_parts_of_an_answer_are_reported_in_order_and_once() {
    let mut bench = Bench::attached();
    let id = bench.request(None);
    bench.actions();
    assert_eq!(bench.input(res(1, 0, true)), [answered(id, 0, true)]);
    assert_eq!(bench.input(res(1, 0, true)), []);
    assert_eq!(bench.input(res(1, 1, false)), [answered(id, 1, false)]);
    assert_eq!(bench.input(res(1, 2, false)), []);
    assert_eq!(bench.session.pending(), 0);
}

#[test]
fn an_answer_with_a_missing_part_is_an_error_of_the_server() {
    let mut bench = Bench::attached();
    bench.request(None);
    bench.actions();
    let code = ErrorCode::Sequence;
    assert_eq!(bench.input(res(1, 1, true)), [ClientAction::ReportError { code }, ClientAction::Close { code }]);
}

#[test]
fn an_answer_that_breaks_off_goes_on_with_the_part_that_is_missing() {
    let mut bench = Bench::attached();
    let id = bench.request(None);
    bench.actions();
    bench.input(res(1, 0, true));
    assert_eq!(resume(&mut bench, welcome(0)), [req(id, 1, 1, Some(1))]);
    assert_eq!(bench.input(res(1, 0, true)), []);
    assert_eq!(bench.input(res(1, 1, false)), [answered(id, 1, false)]);
}

#[test]
fn requests_that_the_server_lost_are_not_run_twice() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(1));
    let (sent, waiting) = (bench.request(None), bench.request(None));
    bench.actions();
    let expected = [failed(sent, ErrorCode::Unknown), req(waiting, 2, 2, None)];
    assert_eq!(resume(&mut bench, without_requests()), expected);
}

#[test]
fn requests_that_a_session_kept_and_then_lost_are_not_run_twice() {
    // They were not sent again on the second connection, for want of credits, but on the first.
    let mut bench = Bench::attached();
    let ids = [bench.request(None), bench.request(None)];
    bench.actions();
    let few = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 1, max_message: 1_000 };
    assert_eq!(resume(&mut bench, few), [req(ids[0], 1, 1, Some(0))]);
    let expected = ids.map(|id| failed(id, ErrorCode::Unknown));
    assert_eq!(resume(&mut bench, without_requests()), expected);
}

#[test]
fn requests_of_a_lost_session_are_unknown_and_later_ones_count_from_one() {
    let mut bench = Bench::attached();
    let lost = bench.request(None);
    bench.actions();
    assert_eq!(resume(&mut bench, welcome_new()), [failed(lost, ErrorCode::Unknown)]);
    let next = bench.request(None);
    assert_eq!(bench.actions(), [req(next, 1, 1, None)]);
}

#[test]
fn a_request_says_below_which_number_all_are_answered() {
    let mut bench = Bench::attached();
    let ids = [(); 3].map(|()| bench.request(None));
    assert_eq!(bench.actions()[2], req(ids[2], 3, 1, None));
    bench.input(res(1, 0, false));
    bench.input(res(2, 0, false));
    let next = bench.request(None);
    assert_eq!(bench.actions(), [req(next, 4, 3, None)]);
}

#[test]
fn requests_and_publishes_share_the_credits() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(2));
    let request = bench.request(None);
    let publishes = [bench.publish(), bench.publish()];
    assert_eq!(bench.actions(), [req(request, 1, 1, None), sends(publishes[0], 1)]);
    assert_eq!(bench.input(res(1, 0, true)).len(), 1, "it is not answered yet");
    assert_eq!(bench.input(res(1, 1, false))[1..], [sends(publishes[1], 2)]);
    let refused = ClientInput::Refused { seq: 1, code: ErrorCode::Limit };
    let last = bench.request(None);
    assert_eq!(bench.input(refused)[1..], [req(last, 2, 2, None)]);
    let another = bench.publish();
    let failure = ClientInput::RequestRefused { seq: 2, code: ErrorCode::Failed };
    assert_eq!(bench.input(failure), [failed(last, ErrorCode::Failed), sends(another, 3)]);
}

#[test]
fn a_request_that_ran_out_of_time_fails_here_and_holds_its_credit_until_the_server_answers() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(1));
    let late = bench.request(Some(s(5)));
    let next = bench.publish();
    bench.actions();
    assert_eq!(bench.session.poll_deadline(), Some(bench.now + s(5)));
    assert_eq!(bench.pass(s(5)), [failed(late, ErrorCode::Expired)]);
    assert_eq!(bench.session.poll_deadline(), None);
    let expired = ClientInput::RequestRefused { seq: 1, code: ErrorCode::Expired };
    assert_eq!(bench.input(expired), [sends(next, 1)]);
    assert_eq!(bench.input(acked(1)), [published(next, 1)]);
}

#[test]
fn a_request_is_sent_with_the_time_that_is_left() {
    let timeout = |actions: &[ClientAction]| match actions {
        [.., ClientAction::Request { timeout, .. }] => *timeout,
        other => panic!("no request in {other:?}"),
    };
    let mut bench = Bench::new();
    bench.request(Some(s(5)));
    bench.pass(s(2));
    bench.connect();
    assert_eq!(timeout(&bench.input(welcome_new())), Some(s(3)));
    bench.pass(s(1));
    assert_eq!(timeout(&resume(&mut bench, welcome(0))), Some(s(2)));
}

#[test]
fn a_request_that_ran_out_of_time_before_it_was_sent_gets_no_number() {
    let mut bench = Bench::new();
    let late = bench.request(Some(s(5)));
    let next = bench.request(None);
    assert_eq!(bench.pass(s(5)), [failed(late, ErrorCode::Expired)]);
    bench.connect();
    assert_eq!(bench.input(welcome_new())[1..], [req(next, 1, 1, None)]);
}

#[test]
fn a_cancelled_request_fails_at_once_and_what_the_server_still_answers_is_ignored() {
    let mut bench = Bench::attached();
    let id = bench.request(None);
    bench.actions();
    bench.session.cancel(id);
    assert_eq!(bench.actions(), [failed(id, ErrorCode::Cancelled), ClientAction::Cancel { seq: 1 }]);
    bench.session.cancel(id);
    assert_eq!(bench.actions(), []);
    assert_eq!(bench.input(res(1, 0, true)), []);
    assert_eq!(bench.input(ClientInput::RequestRefused { seq: 1, code: ErrorCode::Cancelled }), []);
    assert_eq!((bench.session.pending(), bench.session.pending_bytes()), (0, 0));
}

#[test]
fn a_request_cancelled_before_it_was_sent_is_not_sent() {
    let mut bench = Bench::new();
    let id = bench.request(None);
    bench.session.cancel(id);
    assert_eq!(bench.actions(), [failed(id, ErrorCode::Cancelled)]);
    bench.connect();
    assert_eq!(bench.input(welcome_new()).len(), 1);
}

#[test]
fn a_request_cancelled_while_the_connection_was_down_is_stopped_on_the_next() {
    // A request that is only not sent again would run on, and hold a credit.
    let mut bench = Bench::attached();
    let (cancelled, late) = (bench.request(None), bench.request(Some(Time::from_millis(1))));
    bench.actions();
    bench.disconnect();
    bench.session.cancel(cancelled);
    assert_eq!(bench.actions(), [failed(cancelled, ErrorCode::Cancelled)]);
    assert_eq!(bench.pass(s(1)), [failed(late, ErrorCode::Expired)]);
    bench.connect();
    let expected = [ClientAction::Cancel { seq: 1 }, ClientAction::Cancel { seq: 2 }];
    assert_eq!(bench.input(welcome(0))[1..], expected);
    assert_eq!(bench.session.pending(), 0);
}

#[test]
fn a_request_that_fits_no_more_into_a_message_may_have_run_all_the_same() {
    let mut bench = Bench::attached();
    let id = bench.request(None);
    bench.actions();
    let narrow = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 64, max_message: 9 };
    assert_eq!(resume(&mut bench, narrow), [failed(id, ErrorCode::Unknown)]);
}

#[test]
fn when_the_session_is_over_each_request_has_an_outcome() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(1));
    let (sent, waiting) = (bench.request(None), bench.request(None));
    bench.actions();
    let code = ErrorCode::Gone;
    let expected = [failed(sent, ErrorCode::Unknown), failed(waiting, code), ClientAction::Over { code }];
    assert_eq!(bench.input(ClientInput::Bye { code }), expected);
    assert_eq!((bench.session.pending(), bench.session.pending_bytes()), (0, 0));
}

#[test]
fn a_request_that_waits_to_be_sent_again_is_stopped_where_it_runs() {
    let mut bench = Bench::attached();
    let ids = [bench.request(None), bench.request(None)];
    bench.actions();
    let few = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 1, max_message: 1_000 };
    assert_eq!(resume(&mut bench, few).len(), 1);
    bench.session.cancel(ids[1]);
    assert_eq!(bench.actions(), [failed(ids[1], ErrorCode::Cancelled), ClientAction::Cancel { seq: 2 }]);
    let never_sent = bench.request(None);
    bench.session.cancel(never_sent);
    assert_eq!(bench.actions(), [failed(never_sent, ErrorCode::Cancelled)]);
}

#[test]
fn a_request_accepted_before_the_limit_was_known_fails_without_being_sent() {
    let mut bench = Bench::new();
    let large = bench.session.request(bench.now, 1_001, None).expect("no limit is known yet");
    bench.connect();
    assert_eq!(bench.input(welcome_new())[1..], [failed(large, ErrorCode::TooLarge)]);
    assert_eq!(bench.session.pending_bytes(), 0);
}
