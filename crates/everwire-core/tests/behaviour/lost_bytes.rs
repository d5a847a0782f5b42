//! Messages that may have been lost with a socket are reported.

use everwire_core::{Action, AtRisk, CloseOutcome, ClosingHandshake, Config, Input};

use crate::world::{OPEN, World, ms, s};

#[test]
fn messages_that_the_platform_still_held_are_named() {
    let mut world = World::open(Config::default(), 1);
    world.accept("1234567890");
    let second = world.accept("1234567890");
    let third = world.accept("1234567890");
    world.link.buffered = Some(15);
    world.drop_socket();
    let Action::Dropped { at_risk, .. } = world.last_report() else { panic!("{:?}", world.last_report()) };
    assert_eq!((at_risk.bytes, &at_risk.messages[..]), (15, &[second, third][..]));
}

#[test]
fn nothing_is_at_risk_where_everything_had_left() {
    let mut world = World::open(Config::default(), 2);
    world.accept("1234567890");
    world.run_for(ms(1));
    world.drop_socket();
    let Action::Dropped { at_risk, .. } = world.last_report() else { panic!("{:?}", world.last_report()) };
    assert_eq!(*at_risk, AtRisk::default());
}

#[test]
fn what_was_sent_long_before_is_not_at_risk_when_a_socket_is_left_without_a_last_word() {
    let mut world = World::open(Config::default(), 3);
    for _ in 0..100 {
        world.accept("1234567890");
    }
    world.run_for(s(2));
    let late = world.accept("1234567890");
    world.input(Input::Reconnect);
    assert_eq!(world.reports(), [vec![late]]);
}

#[test]
fn what_a_closing_handshake_that_never_ended_still_held_is_named() {
    let mut world = World::open(Config::default(), 4);
    world.server.completes_closing = false;
    let message = world.accept("1234567890");
    world.close();
    world.run_for(s(4));
    let timed_out = CloseOutcome::ByApplication(ClosingHandshake::TimedOut);
    let Action::Closed { outcome, at_risk } = world.last_report() else {
        panic!("{:?}", world.last_report());
    };
    assert_eq!((*outcome, &at_risk.messages[..]), (timed_out, &[message][..]));
}

#[test]
fn an_on_open_message_is_not_named_but_its_bytes_count() {
    let mut world = World::new(Config::default(), 5);
    world.on_open = vec!["12345".to_owned()];
    world.link.buffered = Some(5);
    world.input(OPEN);
    world.run_until_open();
    world.drop_socket();
    let Action::Dropped { at_risk, .. } = world.last_report() else { panic!("{:?}", world.last_report()) };
    assert_eq!((at_risk.bytes, at_risk.messages.len()), (5, 0));
}
