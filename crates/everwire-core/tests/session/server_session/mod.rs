//! The server's side of a session, input by input.

mod attaching;
mod publishes;
mod requests;
mod restarts;

use core::ops::RangeInclusive;

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
