use everwire_core::{
    protocol::ErrorCode,
    session::{Receipt, ServerAction, ServerSession},
};

use super::*;

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

/// It may have sent them before it knew.
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

/// The line that said so may have been lost with the connection before.
#[test]
fn a_welcome_says_the_number_of_credits_that_was_given_last() {
    let mut session = attached();
    let said = |session: &mut ServerSession| {
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
    assert_eq!(said(&mut session), Some(5));
    assert_eq!(publish(&mut session, 1), Receipt::Process);
    assert_eq!(session.attach(0, 1), Ok(3));
    session.set_credits(2);
    session.decided(1, stored(1));
    assert_eq!(said(&mut session), Some(2));
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
