use everwire_core::{
    Time,
    session::{Receipt, ServerAction, ServerSession},
};

use super::*;

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
