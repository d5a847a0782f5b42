//! The server's side of a session: inputs and the actions that follow.

mod requests;

use std::ops::RangeInclusive;

use everwire_core::{
    Time,
    protocol::{Cursor, ErrorCode},
    session::{Answer, Receipt, Request, ServerAction, ServerSession, SessionLimits},
};

const NOW: Time = Time::from_secs(100);

fn cursor(offset: u64) -> Cursor {
    Cursor { epoch: 0x9f, offset, time: 1_000 + offset }
}

fn stored(offset: u64) -> Answer {
    Answer::Stored(cursor(offset))
}

const UNKNOWN: Answer = Answer::Refused(ErrorCode::Unknown);

fn limits() -> SessionLimits {
    SessionLimits::default().credits(3).answer_bytes(1_000).expires_after(Time::from_secs(10))
}

fn actions(session: &mut ServerSession) -> Vec<ServerAction> {
    std::iter::from_fn(|| session.poll_action()).collect()
}

/// A session that its client was welcomed to.
fn attached() -> ServerSession {
    let mut session = ServerSession::new(limits());
    assert_eq!(session.attach(0, 1), Ok(1));
    assert_eq!(actions(&mut session), [welcome(1, 0)]);
    session
}

fn welcome(generation: u64, acked: u64) -> ServerAction {
    ServerAction::Welcome { generation, acked, keeps_requests: true, credits: 3 }
}

fn answer(seq: u64, answer: Answer) -> ServerAction {
    ServerAction::Answer { seq, answer }
}

fn publish(session: &mut ServerSession, seq: u64) -> Receipt {
    session.publish(session.generation(), seq, seq - 1)
}

/// Publishes and stores messages with these numbers, at offsets that equal them.
fn store(session: &mut ServerSession, numbers: RangeInclusive<u64>) {
    for seq in numbers {
        assert_eq!(publish(session, seq), Receipt::Process);
        session.decided(seq, stored(seq));
    }
}

fn request(session: &mut ServerSession, seq: u64) -> Receipt {
    session.request(NOW, session.generation(), Request { seq, ..Request::default() })
}

fn request_from(session: &mut ServerSession, seq: u64, part: u64) -> Receipt {
    session.request(NOW, session.generation(), Request { seq, part, ..Request::default() })
}

fn respond(seq: u64, part: u64, more: bool) -> ServerAction {
    ServerAction::Respond { seq, part, more }
}

// Attaching and expiry.

#[test]
fn each_attach_gets_the_next_generation_and_ends_the_earlier_connection() {
    let mut session = attached();
    assert_eq!(session.attach(0, 1), Ok(2));
    assert_eq!(actions(&mut session), [ServerAction::TakeOver { generation: 1 }, welcome(2, 0)]);
    assert!(session.is_current(2) && !session.is_current(1));
}

#[test]
fn a_connection_that_ended_before_is_not_taken_over() {
    let mut session = attached();
    session.detach(NOW, 1);
    assert_eq!(session.attach(0, 1), Ok(2));
    assert_eq!(actions(&mut session), [welcome(2, 0)]);
}

#[test]
fn nothing_of_an_earlier_generation_has_an_effect() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    assert_eq!(session.attach(0, 1), Ok(2));
    actions(&mut session);
    assert_eq!(session.publish(1, 1, 0), Receipt::Ignore);
    assert_eq!(session.request(NOW, 1, Request { seq: 2, ..Request::default() }), Receipt::Ignore);
    session.cancel(Some(1), 1);
    session.bye(1);
    session.detach(NOW, 1);
    assert_eq!(actions(&mut session), []);
    assert_eq!(session.poll_deadline(), None);
    assert_eq!(publish(&mut session, 1), Receipt::Process);
}

#[test]
fn the_welcome_waits_until_the_broker_has_decided() {
    let mut session = attached();
    assert_eq!((publish(&mut session, 1), publish(&mut session, 2)), (Receipt::Process, Receipt::Process));
    session.detach(NOW, 1);
    assert_eq!(session.attach(0, 1), Ok(2));
    session.decided(2, stored(7));
    assert_eq!(actions(&mut session), []);
    session.decided(1, stored(8));
    assert_eq!(actions(&mut session), [welcome(2, 2), answer(1, stored(8)), answer(2, stored(7))]);
}

#[test]
fn a_connection_that_ends_before_its_welcome_gets_none() {
    let mut session = attached();
    assert_eq!(publish(&mut session, 1), Receipt::Process);
    assert_eq!(session.attach(0, 1), Ok(2));
    session.detach(NOW, 2);
    actions(&mut session);
    session.decided(1, stored(1));
    assert_eq!(actions(&mut session), []);
}

#[test]
fn a_publish_before_the_welcome_is_unexpected() {
    let mut session = attached();
    assert_eq!(publish(&mut session, 1), Receipt::Process);
    assert_eq!(session.attach(0, 1), Ok(2));
    assert_eq!(publish(&mut session, 2), Receipt::Fatal(ErrorCode::Unexpected));
    assert_eq!(request(&mut session, 1), Receipt::Fatal(ErrorCode::Unexpected));
}

#[test]
fn a_session_expires_some_time_after_its_connection_ended() {
    let mut session = attached();
    assert_eq!(session.poll_deadline(), None);
    session.detach(NOW, 1);
    let due = NOW + Time::from_secs(10);
    assert_eq!(session.poll_deadline(), Some(due));
    session.wake(due - Time::from_millis(1));
    assert_eq!(actions(&mut session), []);
    session.wake(due);
    assert_eq!(actions(&mut session), [ServerAction::Over]);
    assert_eq!((session.poll_deadline(), session.attach(0, 1)), (None, Err(ErrorCode::Gone)));
}

#[test]
fn an_attach_in_time_keeps_the_session() {
    let mut session = attached();
    session.detach(NOW, 1);
    assert_eq!(session.attach(0, 1), Ok(2));
    session.wake(NOW + Time::from_secs(60));
    assert!(!session.is_over());
}

#[test]
fn the_end_of_a_session_stops_its_requests() {
    let mut session = attached();
    assert_eq!(request(&mut session, 1), Receipt::Process);
    session.bye(1);
    let release = ServerAction::Release { seq: 1, below: u64::MAX };
    assert_eq!(actions(&mut session), [ServerAction::Stop { seq: 1 }, release, ServerAction::Over]);
    session.end();
    assert_eq!(actions(&mut session), []);
}

// Publishes.

#[test]
fn a_publish_is_stored_once_however_often_it_arrives() {
    let mut session = attached();
    assert_eq!(publish(&mut session, 1), Receipt::Process);
    assert_eq!(publish(&mut session, 1), Receipt::Ignore);
    assert_eq!(actions(&mut session), []);
    session.decided(1, stored(4));
    assert_eq!(actions(&mut session), [answer(1, stored(4))]);
    assert_eq!(publish(&mut session, 1), Receipt::Ignore);
    assert_eq!(actions(&mut session), [answer(1, stored(4))]);
}

/// An answer that waited for that of a lower number would come after the client's own copy of the message.
#[test]
fn an_answer_does_not_wait_for_another_channel() {
    let mut session = attached();
    assert_eq!((publish(&mut session, 1), publish(&mut session, 2)), (Receipt::Process, Receipt::Process));
    session.decided(2, stored(1));
    assert_eq!(actions(&mut session), [answer(2, stored(1))]);
}

#[test]
fn a_missing_number_ends_the_connection() {
    let mut session = attached();
    store(&mut session, 1..=2);
    assert_eq!(publish(&mut session, 4), Receipt::Fatal(ErrorCode::Sequence));
    assert_eq!(session.publish(1, 4, 1), Receipt::Fatal(ErrorCode::Sequence));
}

#[test]
fn numbers_that_expired_unsent_may_be_left_out() {
    let mut session = attached();
    store(&mut session, 1..=2);
    assert_eq!(session.publish(1, 6, 2), Receipt::Process);
    session.decided(6, stored(3));
    assert_eq!(publish(&mut session, 7), Receipt::Process);
}

#[test]
fn one_more_than_the_credits_ends_the_connection() {
    let mut session = attached();
    assert_eq!((publish(&mut session, 1), publish(&mut session, 2)), (Receipt::Process, Receipt::Process));
    assert_eq!(request(&mut session, 1), Receipt::Process);
    assert_eq!(publish(&mut session, 3), Receipt::Fatal(ErrorCode::Credits));
    assert_eq!(request(&mut session, 2), Receipt::Fatal(ErrorCode::Credits));
    session.decided(2, stored(1));
    assert_eq!(publish(&mut session, 3), Receipt::Process);
}

#[test]
fn a_repetition_takes_no_credit() {
    let mut session = attached();
    for seq in 1..=3 {
        assert_eq!(publish(&mut session, seq), Receipt::Process);
    }
    assert_eq!(publish(&mut session, 2), Receipt::Ignore);
}

/// The client may have sent publishes before it knew of the smaller number.
#[test]
fn a_client_may_use_the_credits_that_it_had() {
    let mut session = attached();
    session.set_credits(1);
    assert_eq!(actions(&mut session), [ServerAction::Credits(1)]);
    assert_eq!((publish(&mut session, 1), publish(&mut session, 2)), (Receipt::Process, Receipt::Process));
    (1..=2).for_each(|seq| session.decided(seq, stored(seq)));
    assert_eq!(session.attach(2, 1), Ok(2));
    assert_eq!(
        (publish(&mut session, 3), publish(&mut session, 4)),
        (Receipt::Process, Receipt::Fatal(ErrorCode::Credits))
    );
}

/// The `credits` line may have been lost with the previous connection.
#[test]
fn a_welcome_says_the_number_of_credits_that_was_given_last() {
    let mut session = attached();
    let credits_of_welcome = |session: &mut ServerSession| {
        actions(session).into_iter().find_map(|action| match action {
            ServerAction::Welcome { credits, .. } => Some(credits),
            _ => None,
        })
    };
    session.set_credits(7);
    session.detach(NOW, 1);
    actions(&mut session);
    // While the client is away, and while it waits for its welcome.
    session.set_credits(5);
    assert_eq!(session.attach(0, 1), Ok(2));
    assert_eq!(credits_of_welcome(&mut session), Some(5));
    assert_eq!(publish(&mut session, 1), Receipt::Process);
    assert_eq!(session.attach(0, 1), Ok(3));
    session.set_credits(2);
    session.decided(1, stored(1));
    assert_eq!(credits_of_welcome(&mut session), Some(2));
}

#[test]
fn a_client_that_resumes_gets_the_answers_that_it_missed() {
    let mut session = attached();
    store(&mut session, 1..=3);
    session.detach(NOW, 1);
    actions(&mut session);
    assert_eq!(session.attach(1, 1), Ok(2));
    assert_eq!(actions(&mut session), [welcome(2, 3), answer(2, stored(2)), answer(3, stored(3))]);
}

#[test]
fn as_many_answers_are_kept_as_there_are_credits() {
    let mut session = attached();
    store(&mut session, 1..=5);
    actions(&mut session);
    let answers = (1..=5).map(|seq| {
        assert_eq!(publish(&mut session, seq), Receipt::Ignore);
        session.poll_action()
    });
    let expected = [(1, UNKNOWN), (2, UNKNOWN), (3, stored(3)), (4, stored(4)), (5, stored(5))];
    assert!(answers.eq(expected.map(|(seq, kept)| Some(answer(seq, kept)))));
}

/// The client waits for it, however many others were decided before.
#[test]
fn the_answer_that_came_last_is_kept_though_its_number_is_low() {
    let mut session = attached();
    assert_eq!(publish(&mut session, 1), Receipt::Process);
    store(&mut session, 2..=6);
    session.decided(1, stored(9));
    session.detach(NOW, 1);
    actions(&mut session);
    assert_eq!(publish(&mut session, 1), Receipt::Ignore);
    assert_eq!(session.attach(0, 1), Ok(2));
    assert!(actions(&mut session).contains(&answer(1, stored(9))));
}

#[test]
fn fewer_credits_do_not_lose_answers() {
    let mut session = attached();
    store(&mut session, 1..=2);
    assert_eq!(publish(&mut session, 3), Receipt::Process);
    session.set_credits(1);
    session.detach(NOW, 1);
    assert_eq!(session.attach(0, 1), Ok(2));
    actions(&mut session);
    session.decided(3, stored(3));
    assert_eq!(actions(&mut session)[1..], [1, 2, 3].map(|seq| answer(seq, stored(seq))));
}

/// More than the credits may have expired unsent after a publish whose answer was lost.
#[test]
fn each_publish_without_an_answer_is_unknown_however_many_there_are() {
    let mut session = ServerSession::restore(NOW, limits(), 4, [(100, cursor(9))]);
    assert_eq!(session.attach(0, 1), Ok(5));
    let unknown = (1..100).map(|seq| answer(seq, UNKNOWN));
    let expected: Vec<ServerAction> = unknown.chain([answer(100, stored(9))]).collect();
    assert_eq!(actions(&mut session)[1..], expected);
}

#[test]
fn a_client_that_claims_to_know_nothing_gets_no_flood_of_answers() {
    let mut session = ServerSession::restore(NOW, limits(), 4, [(1 << 40, cursor(9))]);
    assert_eq!(session.attach(0, 1), Err(ErrorCode::Gone));
    assert_eq!(actions(&mut session), [ServerAction::Over]);
}

#[test]
fn a_decision_about_nothing_has_no_effect() {
    let mut session = attached();
    store(&mut session, 1..=1);
    actions(&mut session);
    session.decided(1, stored(8));
    session.decided(2, stored(9));
    assert_eq!(actions(&mut session), []);
}

// Restarts.

fn restored() -> ServerSession {
    ServerSession::restore(NOW, limits(), 7, [(3, cursor(13)), (1, cursor(11)), (2, cursor(12))])
}

#[test]
fn a_restored_session_stores_nothing_twice() {
    let mut session = restored();
    assert_eq!(session.attach(1, 1), Ok(8));
    let welcome = ServerAction::Welcome { generation: 8, acked: 3, keeps_requests: false, credits: 3 };
    assert_eq!(actions(&mut session), [welcome, answer(2, stored(12)), answer(3, stored(13))]);
    assert_eq!(publish(&mut session, 3), Receipt::Ignore);
    assert_eq!(publish(&mut session, 4), Receipt::Process);
}

#[test]
fn a_publish_that_was_undecided_when_a_later_one_was_stored_is_unknown() {
    let mut session = ServerSession::restore(NOW, limits(), 1, [(1, cursor(11)), (3, cursor(13))]);
    assert_eq!(session.attach(1, 1), Ok(2));
    let actions = actions(&mut session);
    assert_eq!(actions[1..], [answer(2, UNKNOWN), answer(3, stored(13))]);
}

#[test]
fn refusals_that_the_client_knows_of_count_as_received() {
    let mut session = restored();
    assert_eq!(session.attach(5, 1), Ok(8));
    assert!(matches!(actions(&mut session)[..], [ServerAction::Welcome { acked: 5, .. }]));
    assert_eq!(publish(&mut session, 6), Receipt::Process);
}

#[test]
fn a_restored_session_expires_like_a_detached_one() {
    let mut session = restored();
    session.wake(NOW + Time::from_secs(10));
    assert_eq!(actions(&mut session), [ServerAction::Over]);
}

fn keeps_requests(session: &mut ServerSession) -> bool {
    let actions = actions(session).into_iter();
    let mut welcomes = actions.filter_map(|action| match action {
        ServerAction::Welcome { keeps_requests, .. } => Some(keeps_requests),
        _ => None,
    });
    welcomes.next().expect("the client is welcomed")
}

/// The client would otherwise send a request again that was running before the restart, and it would run twice.
#[test]
fn requests_are_not_said_to_be_kept_until_the_client_knows_that_they_were_lost() {
    let mut session = restored();
    for _ in 0..2 {
        session.attach(3, 1).unwrap();
        assert!(!keeps_requests(&mut session));
    }
    assert_eq!(request(&mut session, 9), Receipt::Process);
    session.attach(3, 1).unwrap();
    assert!(keeps_requests(&mut session));
    assert_eq!(request(&mut session, 9), Receipt::Ignore);
}

#[test]
fn a_publish_shows_that_the_client_knows_of_its_lost_requests() {
    let mut session = restored();
    session.attach(3, 1).unwrap();
    assert_eq!(publish(&mut session, 4), Receipt::Process);
    session.decided(4, stored(14));
    actions(&mut session);
    session.attach(4, 1).unwrap();
    assert!(keeps_requests(&mut session));
}
