use super::*;

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
    core::iter::from_fn(|| session.poll_action()).collect()
}

/// A session that its client was welcomed to.
fn attached() -> ServerSession {
    let mut session = ServerSession::new(limits());
    assert_eq!(session.attach(0, 1), Ok(1));
    assert_eq!(actions(&mut session), [welcome(1, 0)]);
    session
}

fn welcome(generation: u64, acked: u64) -> ServerAction {
    ServerAction::Welcome { generation, acked, keeps_requests: true }
}

fn answer(seq: u64, answer: Answer) -> ServerAction {
    ServerAction::Answer { seq, answer }
}

fn publish(session: &mut ServerSession, seq: u64) -> Receipt {
    session.publish(session.generation(), seq, seq - 1)
}

/// Publishes and stores messages up to this number, at offsets that equal the numbers.
fn store_up_to(session: &mut ServerSession, seq: u64) {
    for seq in session.publishes.received() + 1..=seq {
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

mod attaching {
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
}

mod publishes {
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
        store_up_to(&mut session, 2);
        assert_eq!(publish(&mut session, 4), Receipt::Fatal(ErrorCode::Sequence));
        assert_eq!(session.publish(1, 4, 1), Receipt::Fatal(ErrorCode::Sequence));
    }

    #[test]
    fn numbers_that_expired_unsent_may_be_left_out() {
        let mut session = attached();
        store_up_to(&mut session, 2);
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

    #[test]
    fn a_client_that_resumes_gets_the_answers_that_it_missed() {
        let mut session = attached();
        store_up_to(&mut session, 3);
        session.detach(NOW, 1);
        actions(&mut session);
        assert_eq!(session.attach(1, 1), Ok(2));
        assert_eq!(actions(&mut session), [welcome(2, 3), answer(2, stored(2)), answer(3, stored(3))]);
    }

    #[test]
    fn as_many_answers_are_kept_as_there_are_credits() {
        let mut session = attached();
        store_up_to(&mut session, 5);
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
        store_up_to(&mut session, 6);
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
        store_up_to(&mut session, 2);
        assert_eq!(publish(&mut session, 3), Receipt::Process);
        session.set_credits(1);
        session.detach(NOW, 1);
        assert_eq!(session.attach(0, 1), Ok(2));
        actions(&mut session);
        session.decided(3, stored(3));
        assert_eq!(actions(&mut session)[1..], [1, 2, 3].map(|seq| answer(seq, stored(seq))));
    }

    #[test]
    fn a_client_that_claims_to_know_nothing_gets_no_flood_of_answers() {
        let mut session = ServerSession::restore(NOW, limits(), 4, [(1 << 40, cursor(9))]);
        assert_eq!(session.attach(0, 1), Ok(5));
        let answers = &actions(&mut session)[1..];
        assert_eq!(answers.len(), 4);
        assert_eq!(answers[0], answer((1 << 40) - 3, UNKNOWN));
    }

    #[test]
    fn a_decision_about_nothing_has_no_effect() {
        let mut session = attached();
        store_up_to(&mut session, 1);
        actions(&mut session);
        session.decided(1, stored(8));
        session.decided(2, stored(9));
        assert_eq!(actions(&mut session), []);
    }
}

mod restarts {
    use super::*;

    fn restored() -> ServerSession {
        ServerSession::restore(NOW, limits(), 7, [(3, cursor(13)), (1, cursor(11)), (2, cursor(12))])
    }

    #[test]
    fn a_restored_session_stores_nothing_twice() {
        let mut session = restored();
        assert_eq!(session.attach(1, 1), Ok(8));
        let welcome = ServerAction::Welcome { generation: 8, acked: 3, keeps_requests: false };
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
}

mod requests {
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
}
