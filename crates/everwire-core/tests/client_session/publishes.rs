//! What becomes of publishes.

use everwire_core::{
    Time,
    protocol::ErrorCode,
    session::{Attachment, ClientAction, ClientInput, ClientSessionConfig, QueueError},
};

use crate::bench::{Bench, acked, attached, failed, published, s, sends, welcome, welcome_new};

#[test]
fn publishes_wait_for_welcome_and_then_go_out_in_order() {
    let mut bench = Bench::new();
    let first = bench.publish();
    bench.connect();
    let second = bench.publish();
    assert_eq!(bench.actions(), []);
    assert_eq!(bench.input(welcome_new()), [attached(Attachment::New), sends(first, 1), sends(second, 2)]);
    let third = bench.publish();
    assert_eq!(bench.actions(), [sends(third, 3)]);
}

#[test]
fn an_answer_is_reported_once() {
    let mut bench = Bench::attached();
    let id = bench.publish();
    bench.actions();
    assert_eq!(bench.input(acked(1)), [published(id, 1)]);
    assert_eq!(bench.input(acked(1)), []);
    assert_eq!(bench.input(ClientInput::Refused { seq: 1, code: ErrorCode::Denied }), []);
    assert_eq!(bench.session.pending(), 0);
}

#[test]
fn a_refusal_is_the_outcome_of_the_publish_that_it_names() {
    let mut bench = Bench::attached();
    let (first, second) = (bench.publish(), bench.publish());
    bench.actions();
    let refusal = ClientInput::Refused { seq: 2, code: ErrorCode::Denied };
    assert_eq!(bench.input(refusal), [failed(second, ErrorCode::Denied)]);
    assert_eq!(bench.input(acked(1)), [published(first, 1)]);
}

#[test]
fn what_the_server_has_is_not_sent_again_and_the_rest_keeps_its_numbers() {
    let mut bench = Bench::attached();
    let ids = [(); 4].map(|()| bench.publish());
    bench.actions();
    bench.input(acked(1));
    assert_eq!(bench.resume(2), [attached(Attachment::Resumed), sends(ids[2], 3), sends(ids[3], 4)]);
    assert_eq!(bench.input(acked(2)), [published(ids[1], 2)]);
    let next = bench.publish();
    assert_eq!(bench.actions(), [sends(next, 5)]);
}

#[test]
fn a_publish_that_expired_before_it_could_be_sent_again_leaves_a_declared_hole() {
    let mut bench = Bench::attached();
    let kept = bench.publish();
    let expired = bench.publish_for(Some(s(10)));
    let last = bench.publish();
    bench.actions();
    bench.disconnect();
    assert_eq!(bench.pass(s(10)), [], "the server may have it");
    bench.connect();
    let sent_again = ClientAction::Publish { id: last, seq: 3, after: Some(1) };
    let expected = [attached(Attachment::Resumed), failed(expired, ErrorCode::Expired), sent_again];
    assert_eq!(bench.input(welcome(1)), expected);
    assert_eq!(bench.input(acked(1)), [published(kept, 1)]);
}

#[test]
fn a_hole_at_the_end_is_declared_by_the_next_new_publish() {
    let mut bench = Bench::attached();
    bench.publish_for(Some(s(10)));
    bench.actions();
    bench.disconnect();
    bench.pass(s(10));
    bench.connect();
    bench.input(welcome(0));
    let next = bench.publish();
    assert_eq!(bench.actions(), [ClientAction::Publish { id: next, seq: 2, after: Some(0) }]);
    let another = bench.publish();
    assert_eq!(bench.actions(), [sends(another, 3)]);
}

#[test]
fn a_publish_that_the_server_has_does_not_expire() {
    let mut bench = Bench::attached();
    let id = bench.publish_for(Some(s(10)));
    bench.actions();
    bench.disconnect();
    bench.pass(s(10));
    bench.connect();
    assert_eq!(bench.input(welcome(1)), [attached(Attachment::Resumed)]);
    assert_eq!(bench.input(acked(1)), [published(id, 1)]);
}

#[test]
fn a_publish_that_waits_expires_on_time_and_gets_no_number() {
    let mut bench = Bench::new();
    let expired = bench.publish_for(Some(s(10)));
    let kept = bench.publish();
    assert_eq!(bench.session.poll_deadline(), Some(bench.now + s(10)));
    assert_eq!(bench.pass(s(10)), [failed(expired, ErrorCode::Expired)]);
    assert_eq!(bench.session.poll_deadline(), None);
    bench.connect();
    assert_eq!(bench.input(welcome_new())[1..], [sends(kept, 1)]);
}

#[test]
fn no_more_publishes_are_unanswered_than_there_are_credits() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(2));
    let ids = [(); 4].map(|()| bench.publish());
    assert_eq!(bench.actions(), [sends(ids[0], 1), sends(ids[1], 2)]);
    assert_eq!(bench.input(acked(1)), [published(ids[0], 1), sends(ids[2], 3)]);
    assert_eq!(bench.input(ClientInput::Credits(3)), [sends(ids[3], 4)]);
    bench.input(ClientInput::Credits(1));
    bench.input(acked(2));
    bench.input(acked(3));
    let next = bench.publish();
    assert_eq!(bench.actions(), []);
    assert_eq!(bench.input(acked(4))[1..], [sends(next, 5)]);
}

#[test]
fn credits_of_an_earlier_connection_do_not_count_on_the_next() {
    let mut bench = Bench::attached();
    let ids = [(); 3].map(|()| bench.publish());
    bench.actions();
    bench.disconnect();
    bench.connect();
    let few = ClientInput::Welcome { is_new: false, acked: 1, keeps_requests: true, credits: 2, max_message: 1_000 };
    assert_eq!(bench.input(few)[1..], [sends(ids[1], 2)], "the answer to the first is on its way");
    assert_eq!(bench.input(acked(1))[1..], [sends(ids[2], 3)]);
}

#[test]
fn what_was_never_sent_goes_out_in_the_session_that_replaces_a_lost_one() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(1));
    let (sent, waiting) = (bench.publish(), bench.publish());
    bench.actions();
    bench.disconnect();
    bench.connect();
    let expected = [attached(Attachment::Replaced), failed(sent, ErrorCode::Unknown), sends(waiting, 1)];
    assert_eq!(bench.input(welcome_new()), expected);
}

#[test]
fn what_a_resumed_session_did_not_have_is_not_unknown_when_the_session_is_lost_later() {
    let mut bench = Bench::attached();
    let ids = [(); 3].map(|()| bench.publish());
    bench.actions();
    bench.disconnect();
    bench.connect();
    // One credit: the third is not sent again. `acked` says that it never arrived.
    let few = ClientInput::Welcome { is_new: false, acked: 0, keeps_requests: true, credits: 2, max_message: 1_000 };
    assert_eq!(bench.input(few)[1..], [sends(ids[0], 1), sends(ids[1], 2)]);
    bench.disconnect();
    bench.connect();
    let expected = [failed(ids[0], ErrorCode::Unknown), failed(ids[1], ErrorCode::Unknown), sends(ids[2], 1)];
    assert_eq!(bench.input(welcome_new())[1..], expected);
}

#[test]
fn a_publish_larger_than_the_server_takes_is_refused_here_with_the_limit() {
    // liveblocks/liveblocks#434, yjs/y-websocket#189: the connection broke, and the message was sent again on the next.
    let mut bench = Bench::attached();
    assert_eq!(bench.session.publish(bench.now, 1_001, None), Err(QueueError::TooLarge { limit: 1_000 }));
    assert!(bench.session.publish(bench.now, 1_000, None).is_ok());
}

#[test]
fn a_publish_accepted_before_the_limit_was_known_fails_without_being_sent() {
    let mut bench = Bench::new();
    let large = bench.session.publish(bench.now, 1_001, None).expect("no limit is known yet");
    let small = bench.publish();
    bench.connect();
    assert_eq!(bench.input(welcome_new())[1..], [failed(large, ErrorCode::TooLarge), sends(small, 1)]);
}

#[test]
fn what_is_unanswered_is_bounded_by_count_and_bytes() {
    let mut bench = Bench::with(ClientSessionConfig::default().max_pending(2).max_bytes(100));
    assert!(bench.session.publish(bench.now, 60, None).is_ok());
    assert_eq!(bench.session.publish(bench.now, 41, None), Err(QueueError::Full));
    assert!(bench.session.publish(bench.now, 40, None).is_ok());
    assert_eq!(bench.session.publish(bench.now, 0, None), Err(QueueError::Full));
    bench.connect();
    bench.input(welcome_new());
    bench.input(acked(1));
    assert_eq!((bench.session.pending(), bench.session.pending_bytes()), (1, 40));
    assert!(bench.session.publish(bench.now, 60, None).is_ok());
}

#[test]
fn what_has_expired_makes_room() {
    let mut bench = Bench::with(ClientSessionConfig::default().max_pending(1));
    bench.publish_for(Some(s(10)));
    bench.now = bench.now + s(10);
    bench.publish();
}

#[test]
fn when_the_application_ends_the_session_each_publish_has_an_outcome() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(1));
    let (sent, waiting) = (bench.publish(), bench.publish());
    bench.actions();
    bench.session.end(ErrorCode::Cancelled);
    let expected = [
        ClientAction::Bye,
        failed(sent, ErrorCode::Unknown),
        failed(waiting, ErrorCode::Cancelled),
        ClientAction::Over { code: ErrorCode::Cancelled },
    ];
    assert_eq!(bench.actions(), expected);
    assert!(bench.session.is_over());
    assert_eq!(bench.session.publish(bench.now, 1, None), Err(QueueError::Over));
    bench.session.end(ErrorCode::Cancelled);
    assert_eq!((bench.disconnect(), bench.connect(), bench.session.poll_deadline()), (vec![], vec![], None));
}

#[test]
fn a_publish_without_a_time_to_live_is_sent_now_or_not_at_all() {
    let mut bench = Bench::attached();
    bench.input(ClientInput::Credits(1));
    let (sent, waiting) = (bench.publish_for(Some(Time::ZERO)), bench.publish_for(Some(Time::ZERO)));
    assert_eq!(bench.actions(), [sends(sent, 1)]);
    assert_eq!(bench.session.poll_deadline(), Some(bench.now));
    assert_eq!(bench.pass(Time::ZERO), [failed(waiting, ErrorCode::Expired)]);
    assert_eq!(bench.session.poll_deadline(), None);
}
