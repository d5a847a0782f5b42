//! Publishes and requests, from the call to the outcome.

use everwire_core::{
    Time,
    protocol::ErrorCode,
    session::{Attachment, ClientAction, ClientInput, ClientSessionConfig, QueueError, RequestId},
};

use super::{Harness, acked, attached, failed, published, s, sends, welcome, welcome_new};

// Publishes.

#[test]
fn publishes_wait_for_welcome_and_then_go_out_in_order() {
    let mut harness = Harness::new();
    let first = harness.publish();
    harness.connect();
    let second = harness.publish();
    assert_eq!(harness.actions(), []);
    assert_eq!(harness.input(welcome_new()), [attached(Attachment::New), sends(first, 1), sends(second, 2)]);
    let third = harness.publish();
    assert_eq!(harness.actions(), [sends(third, 3)]);
}

#[test]
fn an_answer_is_reported_once() {
    let mut harness = Harness::attached();
    let id = harness.publish();
    harness.actions();
    assert_eq!(harness.input(acked(1)), [published(id, 1)]);
    assert_eq!(harness.input(acked(1)), []);
    assert_eq!(harness.input(ClientInput::Refused { seq: 1, code: ErrorCode::Denied }), []);
    assert_eq!(harness.session.pending(), 0);
}

#[test]
fn a_refusal_is_the_outcome_of_the_publish_that_it_names() {
    let mut harness = Harness::attached();
    let (first, second) = (harness.publish(), harness.publish());
    harness.actions();
    let refusal = ClientInput::Refused { seq: 2, code: ErrorCode::Denied };
    assert_eq!(harness.input(refusal), [failed(second, ErrorCode::Denied)]);
    assert_eq!(harness.input(acked(1)), [published(first, 1)]);
}

#[test]
fn what_the_server_has_is_not_sent_again_and_the_rest_keeps_its_numbers() {
    let mut harness = Harness::attached();
    let ids = [(); 4].map(|()| harness.publish());
    harness.actions();
    harness.input(acked(1));
    assert_eq!(harness.resume(2), [attached(Attachment::Resumed), sends(ids[2], 3), sends(ids[3], 4)]);
    assert_eq!(harness.input(acked(2)), [published(ids[1], 2)]);
    let next = harness.publish();
    assert_eq!(harness.actions(), [sends(next, 5)]);
}

#[test]
fn a_publish_that_expired_before_it_could_be_sent_again_leaves_a_declared_hole() {
    let mut harness = Harness::attached();
    let kept = harness.publish();
    let expired = harness.publish_for(Some(s(10)));
    let last = harness.publish();
    harness.actions();
    harness.disconnect();
    assert_eq!(harness.pass(s(10)), [], "the server may have it");
    harness.connect();
    let sent_again = ClientAction::Publish { id: last, seq: 3, after: Some(1) };
    let expected = [attached(Attachment::Resumed), failed(expired, ErrorCode::Expired), sent_again];
    assert_eq!(harness.input(welcome(1)), expected);
    assert_eq!(harness.input(acked(1)), [published(kept, 1)]);
}

#[test]
fn a_hole_at_the_end_is_declared_by_the_next_new_publish() {
    let mut harness = Harness::attached();
    harness.publish_for(Some(s(10)));
    harness.actions();
    harness.disconnect();
    harness.pass(s(10));
    harness.connect();
    harness.input(welcome(0));
    let next = harness.publish();
    assert_eq!(harness.actions(), [ClientAction::Publish { id: next, seq: 2, after: Some(0) }]);
    let another = harness.publish();
    assert_eq!(harness.actions(), [sends(another, 3)]);
}

#[test]
fn a_publish_that_the_server_has_does_not_expire() {
    let mut harness = Harness::attached();
    let id = harness.publish_for(Some(s(10)));
    harness.actions();
    harness.disconnect();
    harness.pass(s(10));
    harness.connect();
    assert_eq!(harness.input(welcome(1)), [attached(Attachment::Resumed)]);
    assert_eq!(harness.input(acked(1)), [published(id, 1)]);
}

#[test]
fn a_publish_that_waits_expires_on_time_and_gets_no_number() {
    let mut harness = Harness::new();
    let expired = harness.publish_for(Some(s(10)));
    let kept = harness.publish();
    assert_eq!(harness.session.poll_deadline(), Some(harness.now + s(10)));
    assert_eq!(harness.pass(s(10)), [failed(expired, ErrorCode::Expired)]);
    assert_eq!(harness.session.poll_deadline(), None);
    harness.connect();
    assert_eq!(harness.input(welcome_new())[1..], [sends(kept, 1)]);
}

#[test]
fn no_more_publishes_are_unanswered_than_there_are_credits() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(2));
    let ids = [(); 4].map(|()| harness.publish());
    assert_eq!(harness.actions(), [sends(ids[0], 1), sends(ids[1], 2)]);
    assert_eq!(harness.input(acked(1)), [published(ids[0], 1), sends(ids[2], 3)]);
    assert_eq!(harness.input(ClientInput::Credits(3)), [sends(ids[3], 4)]);
    harness.input(ClientInput::Credits(1));
    harness.input(acked(2));
    harness.input(acked(3));
    let next = harness.publish();
    assert_eq!(harness.actions(), []);
    assert_eq!(harness.input(acked(4))[1..], [sends(next, 5)]);
}

#[test]
fn credits_of_an_earlier_connection_do_not_count_on_the_next() {
    let mut harness = Harness::attached();
    let ids = [(); 3].map(|()| harness.publish());
    harness.actions();
    harness.disconnect();
    harness.connect();
    let few = ClientInput::Welcome { is_new: false, acked: 1, keeps_requests: true, credits: 2, max_message: 1_000 };
    assert_eq!(harness.input(few)[1..], [sends(ids[1], 2)], "the answer to the first is on its way");
    assert_eq!(harness.input(acked(1))[1..], [sends(ids[2], 3)]);
}

#[test]
fn what_was_never_sent_goes_out_in_the_session_that_replaces_a_lost_one() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(1));
    let (sent, waiting) = (harness.publish(), harness.publish());
    harness.actions();
    harness.disconnect();
    harness.connect();
    let expected = [attached(Attachment::Replaced), failed(sent, ErrorCode::Unknown), sends(waiting, 1)];
    assert_eq!(harness.input(welcome_new()), expected);
}

#[test]
fn what_a_resumed_session_did_not_have_is_not_unknown_when_the_session_is_lost_later() {
    let mut harness = Harness::attached();
    let ids = [(); 3].map(|()| harness.publish());
    harness.actions();
    harness.disconnect();
    harness.connect();
    // One credit: the third is not sent again. `acked` says that it never arrived.
    let few = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 2, max_message: 1_000 };
    assert_eq!(harness.input(few)[1..], [sends(ids[0], 1), sends(ids[1], 2)]);
    harness.disconnect();
    harness.connect();
    let expected = [failed(ids[0], ErrorCode::Unknown), failed(ids[1], ErrorCode::Unknown), sends(ids[2], 1)];
    assert_eq!(harness.input(welcome_new())[1..], expected);
}

#[test]
fn a_publish_larger_than_the_server_takes_is_refused_here_with_the_limit() {
    // liveblocks/liveblocks#434, yjs/y-websocket#189: the connection broke, and the message was sent again on the next.
    let mut harness = Harness::attached();
    assert_eq!(harness.session.publish(harness.now, 1_001, None), Err(QueueError::TooLarge { limit: 1_000 }));
    assert!(harness.session.publish(harness.now, 1_000, None).is_ok());
}

#[test]
fn a_publish_accepted_before_the_limit_was_known_fails_without_being_sent() {
    let mut harness = Harness::new();
    let large = harness.session.publish(harness.now, 1_001, None).expect("no limit is known yet");
    let small = harness.publish();
    harness.connect();
    assert_eq!(harness.input(welcome_new())[1..], [failed(large, ErrorCode::TooLarge), sends(small, 1)]);
}

#[test]
fn what_is_unanswered_is_bounded_by_count_and_bytes() {
    let mut harness = Harness::with(ClientSessionConfig::default().max_pending(2).max_bytes(100));
    assert!(harness.session.publish(harness.now, 60, None).is_ok());
    assert_eq!(harness.session.publish(harness.now, 41, None), Err(QueueError::Full));
    assert!(harness.session.publish(harness.now, 40, None).is_ok());
    assert_eq!(harness.session.publish(harness.now, 0, None), Err(QueueError::Full));
    harness.connect();
    harness.input(welcome_new());
    harness.input(acked(1));
    assert_eq!((harness.session.pending(), harness.session.pending_bytes()), (1, 40));
    assert!(harness.session.publish(harness.now, 60, None).is_ok());
}

#[test]
fn what_has_expired_makes_room() {
    let mut harness = Harness::with(ClientSessionConfig::default().max_pending(1));
    harness.publish_for(Some(s(10)));
    harness.now = harness.now + s(10);
    harness.publish();
}

#[test]
fn when_the_application_ends_the_session_each_publish_has_an_outcome() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(1));
    let (sent, waiting) = (harness.publish(), harness.publish());
    harness.actions();
    harness.session.end(ErrorCode::Cancelled);
    let expected = [
        ClientAction::Bye,
        failed(sent, ErrorCode::Unknown),
        failed(waiting, ErrorCode::Cancelled),
        ClientAction::Over { code: ErrorCode::Cancelled },
    ];
    assert_eq!(harness.actions(), expected);
    assert!(harness.session.is_over());
    assert_eq!(harness.session.publish(harness.now, 1, None), Err(QueueError::Over));
    harness.session.end(ErrorCode::Cancelled);
    assert_eq!((harness.disconnect(), harness.connect(), harness.session.poll_deadline()), (vec![], vec![], None));
}

#[test]
fn a_publish_without_a_time_to_live_is_sent_now_or_not_at_all() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(1));
    let (sent, waiting) = (harness.publish_for(Some(Time::ZERO)), harness.publish_for(Some(Time::ZERO)));
    assert_eq!(harness.actions(), [sends(sent, 1)]);
    assert_eq!(harness.session.poll_deadline(), Some(harness.now));
    assert_eq!(harness.pass(Time::ZERO), [failed(waiting, ErrorCode::Expired)]);
    assert_eq!(harness.session.poll_deadline(), None);
}

// Requests.

fn req(id: RequestId, seq: u64, floor: u64, part: Option<u64>) -> ClientAction {
    ClientAction::Request { id, seq, timeout: None, floor, part }
}

fn res(seq: u64, part: u64, more: bool) -> ClientInput {
    ClientInput::Response { seq, part, more }
}

fn answered(id: RequestId, part: u64, more: bool) -> ClientAction {
    ClientAction::Answered { id, part, more }
}

fn request_failed(id: RequestId, code: ErrorCode) -> ClientAction {
    ClientAction::RequestFailed { id, code }
}

/// A `welcome` that resumes the session without its requests.
fn without_requests() -> ClientInput {
    ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: false, credits: 64, max_message: 1_000 }
}

/// Loses the connection and resumes the session. Returns the actions after the report of the resume.
fn resume(harness: &mut Harness, welcome: ClientInput) -> Vec<ClientAction> {
    harness.disconnect();
    harness.connect();
    harness.input(welcome).split_off(1)
}

#[test]
fn publishes_and_requests_go_out_in_the_order_of_the_calls() {
    let mut harness = Harness::new();
    let first = harness.request(None);
    let second = harness.publish();
    let third = harness.request(None);
    harness.connect();
    let expected = [req(first, 1, 1, None), sends(second, 1), req(third, 2, 1, None)];
    assert_eq!(harness.input(welcome_new())[1..], expected);
}

#[test]
fn the_parts_of_an_answer_are_reported_in_order_and_once() {
    let mut harness = Harness::attached();
    let id = harness.request(None);
    harness.actions();
    assert_eq!(harness.input(res(1, 0, true)), [answered(id, 0, true)]);
    assert_eq!(harness.input(res(1, 0, true)), []);
    assert_eq!(harness.input(res(1, 1, false)), [answered(id, 1, false)]);
    assert_eq!(harness.input(res(1, 2, false)), []);
    assert_eq!(harness.session.pending(), 0);
}

#[test]
fn an_answer_with_a_missing_part_is_an_error_of_the_server() {
    let mut harness = Harness::attached();
    harness.request(None);
    harness.actions();
    let code = ErrorCode::Sequence;
    assert_eq!(harness.input(res(1, 1, true)), [ClientAction::ReportError { code }, ClientAction::Close { code }]);
}

#[test]
fn an_answer_that_breaks_off_goes_on_with_the_part_that_is_missing() {
    let mut harness = Harness::attached();
    let id = harness.request(None);
    harness.actions();
    harness.input(res(1, 0, true));
    assert_eq!(resume(&mut harness, welcome(0)), [req(id, 1, 1, Some(1))]);
    assert_eq!(harness.input(res(1, 0, true)), []);
    assert_eq!(harness.input(res(1, 1, false)), [answered(id, 1, false)]);
}

#[test]
fn requests_that_the_server_lost_are_not_run_twice() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(1));
    let (sent, waiting) = (harness.request(None), harness.request(None));
    harness.actions();
    let expected = [request_failed(sent, ErrorCode::Unknown), req(waiting, 2, 2, None)];
    assert_eq!(resume(&mut harness, without_requests()), expected);
}

#[test]
fn requests_that_a_session_kept_and_then_lost_are_not_run_twice() {
    // They were not sent again on the second connection, for want of credits, but on the first.
    let mut harness = Harness::attached();
    let ids = [harness.request(None), harness.request(None)];
    harness.actions();
    let few = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 1, max_message: 1_000 };
    assert_eq!(resume(&mut harness, few), [req(ids[0], 1, 1, Some(0))]);
    let expected = ids.map(|id| request_failed(id, ErrorCode::Unknown));
    assert_eq!(resume(&mut harness, without_requests()), expected);
}

#[test]
fn requests_of_a_lost_session_are_unknown_and_later_ones_count_from_one() {
    let mut harness = Harness::attached();
    let lost = harness.request(None);
    harness.actions();
    assert_eq!(resume(&mut harness, welcome_new()), [request_failed(lost, ErrorCode::Unknown)]);
    let next = harness.request(None);
    assert_eq!(harness.actions(), [req(next, 1, 1, None)]);
}

#[test]
fn a_request_says_below_which_number_all_are_answered() {
    let mut harness = Harness::attached();
    let ids = [(); 3].map(|()| harness.request(None));
    assert_eq!(harness.actions()[2], req(ids[2], 3, 1, None));
    harness.input(res(1, 0, false));
    harness.input(res(2, 0, false));
    let next = harness.request(None);
    assert_eq!(harness.actions(), [req(next, 4, 3, None)]);
}

#[test]
fn requests_and_publishes_share_the_credits() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(2));
    let request = harness.request(None);
    let publishes = [harness.publish(), harness.publish()];
    assert_eq!(harness.actions(), [req(request, 1, 1, None), sends(publishes[0], 1)]);
    assert_eq!(harness.input(res(1, 0, true)).len(), 1, "it is not answered yet");
    assert_eq!(harness.input(res(1, 1, false))[1..], [sends(publishes[1], 2)]);
    let refused = ClientInput::Refused { seq: 1, code: ErrorCode::Limit };
    let last = harness.request(None);
    assert_eq!(harness.input(refused)[1..], [req(last, 2, 2, None)]);
    let another = harness.publish();
    let failure = ClientInput::RequestRefused { seq: 2, code: ErrorCode::Failed };
    assert_eq!(harness.input(failure), [request_failed(last, ErrorCode::Failed), sends(another, 3)]);
}

#[test]
fn a_request_that_ran_out_of_time_fails_here_and_holds_its_credit_until_the_server_answers() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(1));
    let late = harness.request(Some(s(5)));
    let next = harness.publish();
    harness.actions();
    assert_eq!(harness.session.poll_deadline(), Some(harness.now + s(5)));
    assert_eq!(harness.pass(s(5)), [request_failed(late, ErrorCode::Expired)]);
    assert_eq!(harness.session.poll_deadline(), None);
    let expired = ClientInput::RequestRefused { seq: 1, code: ErrorCode::Expired };
    assert_eq!(harness.input(expired), [sends(next, 1)]);
    assert_eq!(harness.input(acked(1)), [published(next, 1)]);
}

#[test]
fn a_request_is_sent_with_the_time_that_is_left() {
    let timeout = |actions: &[ClientAction]| match actions {
        [.., ClientAction::Request { timeout, .. }] => *timeout,
        other => panic!("no request in {other:?}"),
    };
    let mut harness = Harness::new();
    harness.request(Some(s(5)));
    harness.pass(s(2));
    harness.connect();
    assert_eq!(timeout(&harness.input(welcome_new())), Some(s(3)));
    harness.pass(s(1));
    assert_eq!(timeout(&resume(&mut harness, welcome(0))), Some(s(2)));
}

#[test]
fn a_request_that_ran_out_of_time_before_it_was_sent_gets_no_number() {
    let mut harness = Harness::new();
    let late = harness.request(Some(s(5)));
    let next = harness.request(None);
    assert_eq!(harness.pass(s(5)), [request_failed(late, ErrorCode::Expired)]);
    harness.connect();
    assert_eq!(harness.input(welcome_new())[1..], [req(next, 1, 1, None)]);
}

#[test]
fn a_cancelled_request_fails_at_once_and_what_the_server_still_answers_is_ignored() {
    let mut harness = Harness::attached();
    let id = harness.request(None);
    harness.actions();
    harness.session.cancel(id);
    assert_eq!(harness.actions(), [request_failed(id, ErrorCode::Cancelled), ClientAction::Cancel { seq: 1 }]);
    harness.session.cancel(id);
    assert_eq!(harness.actions(), []);
    assert_eq!(harness.input(res(1, 0, true)), []);
    assert_eq!(harness.input(ClientInput::RequestRefused { seq: 1, code: ErrorCode::Cancelled }), []);
    assert_eq!((harness.session.pending(), harness.session.pending_bytes()), (0, 0));
}

#[test]
fn a_request_cancelled_before_it_was_sent_is_not_sent() {
    let mut harness = Harness::new();
    let id = harness.request(None);
    harness.session.cancel(id);
    assert_eq!(harness.actions(), [request_failed(id, ErrorCode::Cancelled)]);
    harness.connect();
    assert_eq!(harness.input(welcome_new()).len(), 1);
}

#[test]
fn a_request_cancelled_while_the_connection_was_down_is_stopped_on_the_next() {
    // A request that is only not sent again would run on, and hold a credit.
    let mut harness = Harness::attached();
    let (cancelled, late) = (harness.request(None), harness.request(Some(Time::from_millis(1))));
    harness.actions();
    harness.disconnect();
    harness.session.cancel(cancelled);
    assert_eq!(harness.actions(), [request_failed(cancelled, ErrorCode::Cancelled)]);
    assert_eq!(harness.pass(s(1)), [request_failed(late, ErrorCode::Expired)]);
    harness.connect();
    let expected = [ClientAction::Cancel { seq: 1 }, ClientAction::Cancel { seq: 2 }];
    assert_eq!(harness.input(welcome(0))[1..], expected);
    assert_eq!(harness.session.pending(), 0);
}

#[test]
fn a_request_that_fits_no_more_into_a_message_may_have_run_all_the_same() {
    let mut harness = Harness::attached();
    let id = harness.request(None);
    harness.actions();
    let narrow = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 64, max_message: 9 };
    assert_eq!(resume(&mut harness, narrow), [request_failed(id, ErrorCode::Unknown)]);
}

#[test]
fn when_the_session_is_over_each_request_has_an_outcome() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Credits(1));
    let (sent, waiting) = (harness.request(None), harness.request(None));
    harness.actions();
    let code = ErrorCode::Gone;
    let expected =
        [request_failed(sent, ErrorCode::Unknown), request_failed(waiting, code), ClientAction::Over { code }];
    assert_eq!(harness.input(ClientInput::Bye { code }), expected);
    assert_eq!((harness.session.pending(), harness.session.pending_bytes()), (0, 0));
}

#[test]
fn a_request_that_waits_to_be_sent_again_is_stopped_where_it_runs() {
    let mut harness = Harness::attached();
    let ids = [harness.request(None), harness.request(None)];
    harness.actions();
    let few = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 1, max_message: 1_000 };
    assert_eq!(resume(&mut harness, few).len(), 1);
    harness.session.cancel(ids[1]);
    assert_eq!(harness.actions(), [request_failed(ids[1], ErrorCode::Cancelled), ClientAction::Cancel { seq: 2 }]);
    let never_sent = harness.request(None);
    harness.session.cancel(never_sent);
    assert_eq!(harness.actions(), [request_failed(never_sent, ErrorCode::Cancelled)]);
}

#[test]
fn a_request_accepted_before_the_limit_was_known_fails_without_being_sent() {
    let mut harness = Harness::new();
    let large = harness.session.request(harness.now, 1_001, None).expect("no limit is known yet");
    harness.connect();
    assert_eq!(harness.input(welcome_new())[1..], [request_failed(large, ErrorCode::TooLarge)]);
    assert_eq!(harness.session.pending_bytes(), 0);
}
