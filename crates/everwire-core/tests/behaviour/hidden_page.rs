//! A hidden page: its timers run once a minute, or not at all.

use everwire_core::{Config, HeartbeatMode, Page};

use crate::world::{OPEN, Timers, World, ms, s};

fn hidden(config: Config, seed: u64) -> World {
    let mut world = World::open(config, seed);
    world.run_for(ms(1_300 * seed));
    world.page(Page::Hidden);
    world.timers = Timers::EveryMinute;
    world
}

#[test]
fn an_hour_with_timers_once_a_minute_on_a_healthy_link_costs_no_connection() {
    for seed in 0..60 {
        let mut world = hidden(Config::default(), seed);
        world.run_for(s(3_600));
        world.timers = Timers::Punctual;
        world.page(Page::Visible);
        world.run_for(s(60));
        assert_eq!((world.drops().len(), world.dials.len()), (0, 1));
    }
}

#[test]
fn an_hour_on_a_slow_link_costs_no_connection_either() {
    for seed in 0..20 {
        let mut world = hidden(Config::default(), seed);
        world.link.latency = ms(900);
        world.run_for(s(3_600));
        assert_eq!(world.drops().len(), 0);
    }
}

#[test]
fn an_hour_of_a_server_that_sends_now_and_then_costs_no_connection_in_silence_mode() {
    let mut world = World::new(Config { heartbeat: HeartbeatMode::Silence(s(30)), ..Config::default() }, 1);
    world.server.sends_every = Some(s(20));
    world.input(OPEN);
    world.timers = Timers::EveryMinute;
    world.run_for(s(3_600));
    assert_eq!(world.drops().len(), 0);
}

#[test]
fn a_dead_link_is_found_in_a_hidden_page_too() {
    let mut world = hidden(Config::default(), 2);
    world.run_for(s(600));
    world.cut();
    let took = world.run_until_replaced();
    assert!(took <= s(360), "{took:?}");
}

#[test]
fn a_page_that_was_frozen_for_an_hour_keeps_a_healthy_link() {
    for seed in 0..60 {
        for sends_every in [None, Some(s(10))] {
            let mut world = hidden(Config::default(), seed);
            world.server.sends_every = sends_every;
            world.freeze_for(s(3_600));
            world.page(Page::Resumed);
            world.timers = Timers::Punctual;
            world.run_for(s(60));
            assert_eq!(world.drops().len(), 0);
        }
    }
}

#[test]
fn a_page_that_was_frozen_replaces_a_dead_link_within_3_seconds_of_its_return() {
    for seed in 0..60 {
        let mut world = hidden(Config::default(), seed);
        world.cut();
        world.freeze_for(s(3_600));
        world.timers = Timers::Punctual;
        world.page(Page::Resumed);
        let took = world.run_until_replaced();
        assert!(took <= s(3), "{took:?}");
    }
}

/// phoenixframework/phoenix#6804: after a freeze the event that reports the return may be missing.
#[test]
fn a_return_without_an_event_is_noticed_by_the_timer() {
    for heartbeat in [HeartbeatMode::default(), HeartbeatMode::Silence(s(8))] {
        let mut world = World::open(Config { heartbeat, ..Config::default() }, 3);
        world.run_for(s(2));
        world.cut();
        world.freeze_for(s(600));
        let took = world.run_until_replaced();
        assert!(took <= s(9), "{took:?}");
    }
}

/// `bufferedAmount` has no event, and the timer that measures it fires once a minute in a hidden page.
#[test]
fn a_hidden_page_sends_to_a_server_that_answers_without_waiting_for_a_timer() {
    let config = Config { heartbeat: HeartbeatMode::Off, ..Config::default() };
    let mut world = World::open(config, 9);
    world.page(Page::Hidden);
    world.timers = Timers::EveryMinute;
    world.link.uplink = Some(10e6);
    world.server.answers_messages = true;
    let start = world.now;
    let mut sent = 0;
    while sent < 64 {
        if world.client.is_ready() {
            world.accept(&"x".repeat(65_536));
            sent += 1;
        } else {
            world.run_for(ms(10));
        }
    }
    world.input(everwire_core::Input::Flush);
    while !world.client.is_flushed() {
        world.run_for(ms(10));
        assert!(world.now - start < s(5), "4 MiB at 10 MB a second took {:?}", world.now - start);
    }
}
