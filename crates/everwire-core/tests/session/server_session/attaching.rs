use everwire_core::{
    Time,
    protocol::ErrorCode,
    session::{Receipt, Request, ServerAction},
};

use super::*;

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
