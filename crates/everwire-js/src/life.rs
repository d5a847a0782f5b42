//! A connection's life as JavaScript lives it, in numbers.

use crate::{
    Core, Knobs,
    codes::{action, cause, discarded, input, knob, sent, stat, status},
};

/// Polls until nothing is left to do.
fn obey(core: &mut Core) -> Vec<(u32, [f64; 6])> {
    let mut done = Vec::new();
    loop {
        match core.poll() {
            action::NONE => return done,
            number => done.push((number, [0, 1, 2, 3, 4, 5].map(|index| core.operand(index)))),
        }
    }
}

fn numbers(done: &[(u32, [f64; 6])]) -> Vec<u32> {
    done.iter().map(|(number, _)| *number).collect()
}

/// What becomes of a message that has no key, and so must not wait.
fn send_at_once(core: &mut Core, now: f64, ahead: bool) -> u32 {
    core.send(now, 5, ahead, 0, f64::NAN, 0) & !status::ACTIONS
}

/// A core whose first socket is open, at 100 ms.
fn open(mut knobs: Knobs) -> Core {
    knobs.turn(knob::FLOOR, 0.0);
    let mut core = Core::new(knobs, 0.5);
    core.handle(0.0, input::OPEN, f64::INFINITY, 0.0, 0.0);
    obey(&mut core);
    core.handle(100.0, input::OPENED, 1.0, 0.0, 0.0);
    obey(&mut core);
    core
}

#[test]
fn a_connection_opens_talks_is_lost_comes_back_and_is_closed() {
    let mut core = Core::new(Knobs::new(), 0.5);
    assert_eq!(core.send(0.0, 5, false, 1, f64::NAN, 0), sent::QUEUED);
    assert_eq!(core.handle(0.0, input::OPEN, f64::INFINITY, 0.0, 0.0), status::ACTIONS);
    let done = obey(&mut core);
    assert_eq!(numbers(&done), [action::DIAL, action::ALARM]);
    assert_eq!((done[0].1[0], done[1].1[0]), (1.0, 15_000.0), "socket 1, given up after the connect timeout");

    assert_eq!(core.handle(100.0, input::OPENED, 1.0, 0.0, 0.0), status::ACTIONS);
    let done = obey(&mut core);
    assert_eq!(numbers(&done), [action::OPENED, action::TRANSMIT, action::ALARM]);
    assert_eq!(done[1].1[0], 1.0, "the message with key 1");

    assert_eq!(send_at_once(&mut core, 160.0, false), sent::TRANSMITTED);

    core.handle(200.0, input::CLOSED, 1.0, -1006.0, 10.0);
    let done = obey(&mut core);
    assert_eq!(done[0].0, action::DROPPED);
    let [why, retries, bytes, messages, attempt, at] = done[0].1;
    assert_eq!((why, retries, bytes, messages, attempt), (cause::CLOSED.into(), 1.0, 10.0, 2.0, 1.0));
    assert!((700.0..=6_200.0).contains(&at), "{at}");
    assert_eq!(core.stat(stat::FAILURES), 1.0);

    core.handle(at, input::WAKE, 1e12, 0.0, 0.0);
    let done = obey(&mut core);
    assert_eq!((done[0].0, done[0].1[0], done[0].1[1]), (action::DIAL, 2.0, 1.0), "socket 2 after a failure");
    core.handle(at + 100.0, input::OPENED, 2.0, 0.0, 0.0);
    let done = obey(&mut core);
    assert_eq!(done[0].0, action::OPENED);

    core.handle(at + 200.0, input::CLOSE, 0.0, 0.0, 0.0);
    let done = obey(&mut core);
    assert_eq!(done[0].0, action::CLOSE);
    assert_eq!(core.send(at + 250.0, 5, false, 3, f64::NAN, 0), sent::REFUSED);
    core.handle(at + 300.0, input::CLOSED, 2.0, 4_321.0, 0.0);
    let done = obey(&mut core);
    assert_eq!(numbers(&done), [action::ENDED]);
    assert_eq!(done[0].1[..3], [cause::BY_APPLICATION.into(), 0.0, 0.0]);
    assert_eq!(core.poll(), action::NONE);
}

#[test]
fn a_ping_is_answered_and_measured() {
    let mut knobs = Knobs::new();
    knobs.turn(knob::PING_AFTER_SILENCE, 1_000.0);
    let mut core = open(knobs);
    core.handle(1_100.0, input::WAKE, 1e12, 0.0, 0.0);
    let done = obey(&mut core);
    assert_eq!(done[0].0, action::PROBE);
    assert!(core.stat(stat::LAST).is_nan());
    core.handle(1_140.0, input::PONG, 1.0, done[0].1[0], 1e12);
    let done = obey(&mut core);
    assert_eq!((done[0].0, done[0].1[0]), (action::LATENCY, 40.0));
    assert_eq!((core.stat(stat::ANSWERED), core.stat(stat::LAST), core.stat(stat::P50)), (1.0, 40.0, 40.0));
    assert_eq!(core.stat(stat::CLOCK_OFFSET), 1e12 - 1_120.0);
}

#[test]
fn the_latest_of_a_key_replaces_the_one_before_and_time_to_live_runs_out() {
    let mut core = Core::new(Knobs::new(), 0.5);
    assert_eq!(core.send(0.0, 1, false, 1, f64::NAN, 9), sent::QUEUED);
    assert_eq!(core.send(0.0, 1, false, 2, 500.0, 9), sent::QUEUED | status::ACTIONS);
    let done = obey(&mut core);
    assert_eq!((done[0].0, done[0].1[0], done[0].1[1]), (action::DISCARDED, 1.0, discarded::REPLACED.into()));
    assert_eq!((done[1].0, done[1].1[0]), (action::ALARM, 500.0));
    core.handle(500.0, input::WAKE, 1e12, 0.0, 0.0);
    let done = obey(&mut core);
    assert_eq!((done[0].0, done[0].1[0], done[0].1[1]), (action::DISCARDED, 2.0, discarded::EXPIRED.into()));
}

#[test]
fn what_goes_ahead_overtakes_what_the_opening_has_just_released() {
    let mut core = Core::new(Knobs::new(), 0.5);
    core.send(0.0, 1, false, 1, f64::NAN, 0);
    core.handle(0.0, input::OPEN, f64::INFINITY, 0.0, 0.0);
    obey(&mut core);
    core.handle(100.0, input::OPENED, 1.0, 0.0, 0.0);
    assert_eq!(core.poll(), action::OPENED);
    assert_eq!(send_at_once(&mut core, 100.0, true), sent::TRANSMITTED);
    assert_eq!(send_at_once(&mut core, 100.0, false), sent::REFUSED, "it must not overtake what is on its way");
    assert_eq!(core.send(100.0, 1, false, 3, f64::NAN, 0) & !status::ACTIONS, sent::ORDERED);
    let done = obey(&mut core);
    assert_eq!((done[0].1[0], done[1].1[0]), (1.0, 3.0));
    assert_eq!(numbers(&done)[..2], [action::TRANSMIT; 2]);
}

#[test]
fn a_message_that_cannot_be_handed_over_at_once_is_not_accepted_before_it_was_copied() {
    let mut core = Core::new(Knobs::new(), 0.5);
    assert_eq!(send_at_once(&mut core, 0.0, false), sent::REFUSED);
    core.handle(0.0, input::OPEN, f64::INFINITY, 0.0, 0.0);
    core.handle(100.0, input::OPENED, 1.0, 0.0, 0.0);
    assert_eq!(numbers(&obey(&mut core)), [action::DIAL, action::OPENED], "nothing to transmit");
}

#[test]
fn where_none_was_asked_for_there_is_no_ping() {
    let mut core = open(Knobs::new());
    core.handle(3_600_000.0, input::WAKE, 1e12, 0.0, 0.0);
    core.handle(3_600_001.0, input::VISIBLE, 0.0, 0.0, 0.0);
    assert_eq!(numbers(&obey(&mut core)), []);
}

#[test]
fn a_message_on_a_free_way_asks_for_nothing_more_than_that_it_is_handed_over() {
    let mut core = open(Knobs::new());
    core.send(110.0, 10, false, 0, f64::NAN, 0);
    obey(&mut core);
    for now in [120.0, 130.0, 140.0] {
        assert_eq!(core.send(now, 10, false, 0, f64::NAN, 0), sent::TRANSMITTED);
        assert_eq!(core.handle(now, input::HEARD, 1.0, 0.0, 0.0), 0);
    }
}

/// What follows when the server has closed with this code, where these knobs were turned.
fn after_close(code: f64, turned: &[u32]) -> (u32, [f64; 6]) {
    let mut knobs = Knobs::new();
    for knob in turned {
        knobs.turn(*knob, 1.0);
    }
    let mut core = open(knobs);
    core.handle(200.0, input::CLOSED, 1.0, code, 0.0);
    obey(&mut core).swap_remove(0)
}

#[test]
fn where_javascript_judges_every_ending_but_a_refused_address_is_retried() {
    assert_eq!(after_close(1000.0, &[]).0, action::ENDED);
    let (number, operands) = after_close(1000.0, &[knob::RETRY_ALL]);
    assert_eq!((number, operands[1]), (action::DROPPED, 0.0), "the default would not have tried again");
}

#[test]
fn credentials_that_are_renewed_may_be_refused() {
    assert_eq!(after_close(4401.0, &[]).0, action::ENDED);
    for knobs in [&[knob::RENEW_CREDENTIALS][..], &[knob::RENEW_CREDENTIALS, knob::RETRY_ALL]] {
        let (number, operands) = after_close(4401.0, knobs);
        assert_eq!((number, operands[1]), (action::DROPPED, 1.0), "the default tries again");
    }
}

#[test]
fn a_core_that_takes_the_place_of_another_keeps_to_the_floor_after_its_last_dial() {
    let mut core = Core::new(Knobs::new(), 0.5);
    core.handle(1_000.0, input::OPEN, 100.0, 0.0, 0.0);
    let done = obey(&mut core);
    assert_eq!((numbers(&done), done[0].1[0]), (vec![action::ALARM], 1_400.0));
    core.handle(1_400.0, input::WAKE, 1e12, 0.0, 0.0);
    assert_eq!(numbers(&obey(&mut core)), [action::DIAL, action::ALARM]);
}
