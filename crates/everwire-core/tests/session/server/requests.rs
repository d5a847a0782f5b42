use everwire_core::{
    Time,
    protocol::ErrorCode,
    session::{Receipt, Request, ServerAction},
};

use super::*;

const RELEASE_1: ServerAction = ServerAction::Release { seq: 1, below: u64::MAX };

#[test]
fn a_request_runs_once_and_its_answer_is_repeated() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    assert_eq!(request(&mut session, 1), Receipt::Ignore);
    assert_eq!(session.responded(1, 5, false), Some(0));
    assert_eq!(actions(&mut session), [respond(1, 0, false)]);
    assert_eq!(request(&mut session, 1), Receipt::Ignore);
    assert_eq!(actions(&mut session), [respond(1, 0, false)]);
}

#[test]
fn a_streamed_answer_goes_on_where_the_client_lost_it() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    (0..2).for_each(|part| assert_eq!(session.responded(1, 5, true), Some(part)));
    session.detach(NOW, 1);
    assert_eq!(session.responded(1, 5, true), Some(2));
    session.attach(0, 1).unwrap();
    actions(&mut session);
    assert_eq!(request_from(&mut session, 1, 1), Receipt::Ignore);
    let release = ServerAction::Release { seq: 1, below: 1 };
    assert_eq!(actions(&mut session), [respond(1, 1, true), respond(1, 2, true), release]);
    assert_eq!(session.responded(1, 5, false), Some(3));
    assert_eq!(actions(&mut session), [respond(1, 3, false)]);
}

/// It would arrive before the parts that the client lost with the connection.
#[test]
fn a_part_is_not_sent_before_the_client_has_sent_the_request_again() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    assert_eq!(session.responded(1, 5, true), Some(0));
    session.attach(0, 1).unwrap();
    actions(&mut session);
    assert_eq!(session.responded(1, 5, false), Some(1));
    assert_eq!(actions(&mut session), []);
    assert_eq!(request(&mut session, 1), Receipt::Ignore);
    assert_eq!(actions(&mut session), [respond(1, 0, true), respond(1, 1, false)]);
}

#[test]
fn a_failure_is_kept_like_an_answer() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    assert_eq!(session.responded(1, 5, true), Some(0));
    session.failed(1, ErrorCode::Failed, 20);
    let failure = ServerAction::FailRequest { seq: 1, code: ErrorCode::Failed };
    assert_eq!(actions(&mut session), [respond(1, 0, true), failure]);
    session.attach(0, 1).unwrap();
    actions(&mut session);
    assert_eq!(request_from(&mut session, 1, 0), Receipt::Ignore);
    assert_eq!(actions(&mut session), [respond(1, 0, true), failure]);
}

#[test]
fn a_request_that_has_ended_is_answered_no_further() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    session.failed(1, ErrorCode::Failed, 20);
    actions(&mut session);
    assert_eq!(session.responded(1, 5, false), None);
    session.failed(1, ErrorCode::Unknown, 20);
    session.cancel(Some(1), 1);
    assert_eq!(actions(&mut session), []);
}

#[test]
fn answers_below_the_floor_are_released() {
    let mut session = attached();
    for seq in 1..=2 {
        assert_eq!(request(&mut session, seq), Receipt::Process);
        assert_eq!(session.responded(seq, 5, false), Some(0));
    }
    actions(&mut session);
    session.attach(0, 2).unwrap();
    assert!(actions(&mut session).contains(&RELEASE_1));
    assert_eq!(session.kept_bytes(), 5 + 64);
}

#[test]
fn what_is_below_the_floor_and_still_runs_is_stopped() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    let next = Request { seq: 2, floor: 2, ..Request::default() };
    assert_eq!(session.request(NOW, 1, next), Receipt::Process);
    assert_eq!(actions(&mut session), [ServerAction::Stop { seq: 1 }, RELEASE_1]);
    assert_eq!(session.unanswered(), 1);
}

#[test]
fn a_request_that_the_client_did_not_send_again_is_stopped_by_the_next_one() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    assert_eq!(request(&mut session, 2), Receipt::Process);
    session.attach(0, 1).unwrap();
    actions(&mut session);
    assert_eq!(request(&mut session, 2), Receipt::Ignore);
    assert_eq!(request(&mut session, 3), Receipt::Process);
    assert_eq!(actions(&mut session), [ServerAction::Stop { seq: 1 }, RELEASE_1]);
    assert_eq!(session.unanswered(), 2);
}

#[test]
fn a_cancelled_request_is_stopped_and_answered() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    session.cancel(Some(1), 1);
    let cancelled = ServerAction::FailRequest { seq: 1, code: ErrorCode::Cancelled };
    assert_eq!(actions(&mut session), [cancelled, ServerAction::Stop { seq: 1 }]);
    assert_eq!(session.unanswered(), 0);
}

#[test]
fn a_request_of_an_earlier_connection_can_be_cancelled() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    session.attach(0, 1).unwrap();
    actions(&mut session);
    session.cancel(Some(2), 1);
    let cancelled = ServerAction::FailRequest { seq: 1, code: ErrorCode::Cancelled };
    assert_eq!(actions(&mut session), [cancelled, ServerAction::Stop { seq: 1 }]);
}

#[test]
fn another_session_can_cancel_a_request_while_this_one_is_detached() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    session.detach(NOW, 1);
    session.cancel(None, 1);
    assert_eq!(actions(&mut session), [ServerAction::Stop { seq: 1 }]);
    session.attach(0, 1).unwrap();
    actions(&mut session);
    assert_eq!(request(&mut session, 1), Receipt::Ignore);
    let cancelled = ServerAction::FailRequest { seq: 1, code: ErrorCode::Cancelled };
    assert_eq!(actions(&mut session), [cancelled]);
}

#[test]
fn a_request_is_stopped_when_its_time_is_out() {
    let mut session = attached();
    let timed = Request { seq: 1, timeout: Some(Time::from_secs(2)), ..Request::default() };
    assert_eq!(session.request(NOW, 1, timed), Receipt::Process);
    let due = NOW + Time::from_secs(2);
    assert_eq!(session.poll_deadline(), Some(due));
    session.wake(due);
    let expired = ServerAction::FailRequest { seq: 1, code: ErrorCode::Expired };
    assert_eq!(actions(&mut session), [expired, ServerAction::Stop { seq: 1 }]);
    assert_eq!(session.poll_deadline(), None);
}

#[test]
fn kept_answers_are_bounded_in_bytes_and_what_was_dropped_is_unknown() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    for _ in 0..6 {
        session.responded(1, 200, true);
    }
    assert!(session.kept_bytes() <= 1_000);
    session.attach(0, 1).unwrap();
    actions(&mut session);
    assert_eq!(request_from(&mut session, 1, 2), Receipt::Ignore);
    let unknown = ServerAction::FailRequest { seq: 1, code: ErrorCode::Unknown };
    assert_eq!(actions(&mut session), [ServerAction::Stop { seq: 1 }, RELEASE_1, unknown]);
    assert_eq!(session.kept_bytes(), 0);
}

#[test]
fn the_latest_parts_survive_the_bound() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    for _ in 0..6 {
        session.responded(1, 200, true);
    }
    session.attach(0, 1).unwrap();
    actions(&mut session);
    assert_eq!(request_from(&mut session, 1, 3), Receipt::Ignore);
    assert_eq!(actions(&mut session), [3, 4, 5].map(|part| respond(1, part, true)));
}

#[test]
fn empty_parts_are_bounded_as_well() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    for _ in 0..1_000 {
        session.responded(1, 0, true);
    }
    assert!(session.kept_bytes() <= 1_000);
}

#[test]
fn a_long_request_does_not_keep_the_answers_of_all_that_follow() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    for seq in 2..=6 {
        assert_eq!(request(&mut session, seq), Receipt::Process);
        session.responded(seq, 0, false);
    }
    assert_eq!(session.kept_bytes(), 3 * 64);
    actions(&mut session);
    assert_eq!(request(&mut session, 3), Receipt::Ignore);
    assert_eq!(actions(&mut session), [ServerAction::FailRequest { seq: 3, code: ErrorCode::Unknown }]);
    assert_eq!(request(&mut session, 1), Receipt::Ignore);
    assert_eq!(session.responded(1, 5, false), Some(0));
}

#[test]
fn sizes_beyond_counting_do_no_harm() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    for size in [usize::MAX, 1, usize::MAX, 1] {
        session.responded(1, size, true);
    }
    assert_eq!(session.kept_bytes(), 1 + 64);
}
