//! The application closes.

use everwire_core::{Action, CloseOutcome, ClosingHandshake, Config, DiscardReason, Page, Phase};

use crate::world::{Accepts, OPEN, World, s};

#[test]
fn closing_an_open_connection_sends_what_waits_and_completes_the_handshake() {
    let mut world = World::open(Config::default(), 1);
    world.link.buffered = Some(5 << 20);
    world.accept(&"x".repeat(2 << 20));
    world.accept("waits");
    assert_eq!(world.client.outbox().len(), 1);
    world.close();
    world.link.buffered = None;
    world.run_for(s(1));
    assert_eq!(world.server.received.last().unwrap().1, "waits");
    let outcome = CloseOutcome::ByApplication(ClosingHandshake::Ended { code: 1000, was_clean: true });
    assert_eq!(world.last_report(), &Action::Closed { outcome, at_risk: Default::default() });
}

#[test]
fn a_closing_handshake_takes_no_longer_than_the_close_timeout() {
    let mut world = World::open(Config::default(), 2);
    world.server.completes_closing = false;
    world.close();
    let took = world.run_until_phase("closed", |phase| phase == Phase::Closed);
    assert_eq!(took, Config::default().close_timeout);
}

#[test]
fn messages_that_arrive_while_closing_are_delivered() {
    let mut world = World::open(Config::default(), 3);
    world.server.completes_closing = false;
    world.close();
    let socket = world.socket();
    world.receive(socket, "last words");
    assert_eq!(world.delivered, ["last words"]);
}

#[test]
fn closing_before_the_connection_is_open_ends_it_at_once_and_discards_what_waited() {
    let idle = World::new(Config::default(), 4);
    let mut connecting = World::new(Config::default(), 5);
    connecting.input(OPEN);
    let mut waiting = World::open(Config::default(), 6);
    waiting.drop_socket();
    let mut cached = World::open(Config::default(), 7);
    cached.page(Page::Suspended);
    for mut world in [idle, connecting, waiting, cached] {
        let id = world.accept("unsent");
        let dials = world.dials.len();
        world.close();
        assert_eq!(world.client.phase(), Phase::Closed);
        let discarded = Action::Discarded { id, reason: DiscardReason::Closed };
        assert_eq!(world.log[world.log.len() - 2].1, discarded);
        let outcome = CloseOutcome::ByApplication(ClosingHandshake::NotOpen);
        assert!(matches!(world.last_report(), Action::Closed { outcome: ended, .. } if *ended == outcome));
        world.run_for(s(3_600));
        assert_eq!(world.dials.len(), dials);
    }
}

#[test]
fn closing_twice_is_closing_once() {
    let mut world = World::open(Config::default(), 8);
    world.close();
    world.close();
    world.run_for(s(10));
    world.close();
    let ends = world.log.iter().filter(|(_, action)| matches!(action, Action::Closed { .. })).count();
    assert_eq!(ends, 1);
}

#[test]
fn open_opens_what_is_idle_and_nothing_else() {
    let mut world = World::open(Config::default(), 9);
    world.input(OPEN);
    world.drop_socket();
    world.input(OPEN);
    assert_eq!(world.dials.len(), 1);
    world.close();
    world.input(OPEN);
    world.run_for(s(60));
    assert_eq!(world.dials.len(), 1);
}

#[test]
fn a_server_that_closes_first_while_we_close_ends_it_too() {
    let mut world = World::new(Config::default(), 10);
    world.server.accepts = Accepts::ThenCloses(1001, s(5));
    world.input(OPEN);
    world.run_for(s(5));
    assert!(world.client.phase().is_open());
    world.close();
    world.run_for(s(1));
    assert!(matches!(
        world.last_report(),
        Action::Closed {
            outcome: CloseOutcome::ByApplication(ClosingHandshake::Ended { code: 1000 | 1001, was_clean: true }),
            ..
        }
    ));
    assert_eq!(world.client.phase(), Phase::Closed);
}
