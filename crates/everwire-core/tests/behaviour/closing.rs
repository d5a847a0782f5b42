//! The application closes.

use everwire_core::{Config, DiscardReason, Ended, Event, Input, Page, State};

use crate::world::{Greets, World, s};

#[test]
fn closing_an_open_connection_sends_what_waits_and_shakes_hands() {
    let mut world = World::open(Config::default(), 1);
    world.link.buffered = Some(5 << 20);
    world.accept(&"x".repeat(2 << 20));
    world.accept("waits");
    assert_eq!(world.client.outbox().len(), 1);
    world.close();
    world.link.buffered = None;
    world.run_for(s(1));
    assert_eq!(world.server.heard.last().unwrap().1, "waits");
    let ended = Ended::ByApplication { code: 1000, reason: "done".to_owned(), was_clean: true };
    assert_eq!(world.last_event(), &Event::Closed { ended, at_risk: Default::default() });
}

#[test]
fn a_server_that_does_not_shake_hands_is_waited_for_no_longer_than_the_close_timeout() {
    let mut world = World::open(Config::default(), 2);
    world.server.completes_closing = false;
    world.close();
    let took = world.run_until_state("closed", |state| state == State::Closed);
    assert_eq!(took, Config::default().close_timeout);
}

#[test]
fn what_the_server_still_says_while_closing_is_heard() {
    let mut world = World::open(Config::default(), 3);
    world.server.completes_closing = false;
    world.close();
    let socket = world.socket();
    world.input(Input::Received { socket, message: "last words".to_owned() });
    assert_eq!(world.last_event(), &Event::Message("last words".to_owned()));
}

#[test]
fn closing_before_the_connection_is_open_ends_it_at_once_and_hands_back_what_waited() {
    let idle = World::new(Config::default(), 4);
    let mut connecting = World::new(Config::default(), 5);
    connecting.input(Input::Open);
    let mut waiting = World::open(Config::default(), 6);
    waiting.drop_socket();
    let mut cached = World::open(Config::default(), 7);
    cached.page(Page::Suspended);
    for mut world in [idle, connecting, waiting, cached] {
        let id = world.accept("unsent");
        let dials = world.dials.len();
        world.close();
        assert_eq!(world.client.state(), State::Closed);
        let message = "unsent".to_owned();
        let told = Event::Discarded { id, message, reason: DiscardReason::Closed };
        assert_eq!(world.log[world.log.len() - 2].1, told);
        assert!(matches!(world.last_event(), Event::Closed { ended: Ended::ByApplication { .. }, .. }));
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
    let ends = world.log.iter().filter(|(_, event)| matches!(event, Event::Closed { .. })).count();
    assert_eq!(ends, 1);
}

#[test]
fn open_opens_what_is_idle_and_nothing_else() {
    let mut world = World::open(Config::default(), 9);
    world.input(Input::Open);
    world.drop_socket();
    world.input(Input::Open);
    assert_eq!(world.dials.len(), 1);
    world.close();
    world.input(Input::Open);
    world.run_for(s(60));
    assert_eq!(world.dials.len(), 1);
}

#[test]
fn a_server_that_closes_first_while_we_close_ends_it_too() {
    let mut world = World::new(Config::default(), 10);
    world.server.greets = Greets::Closes(1001, s(5));
    world.input(Input::Open);
    world.run_for(s(5));
    assert!(world.client.state().is_open());
    world.close();
    world.run_for(s(1));
    assert!(matches!(world.last_event(), Event::Closed { ended: Ended::ByApplication { code: 1000 | 1001, .. }, .. }));
    assert_eq!(world.client.state(), State::Closed);
}
