//! A page that nobody looks at: its timers run once a minute, or not at all.

use everwire_core::{Config, Heartbeat, Input, Page};

use crate::world::{Timers, World, ms, s};

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
fn an_hour_of_a_server_that_talks_now_and_then_costs_no_connection_in_silence_mode() {
    let mut world = World::new(Config { heartbeat: Heartbeat::Silence(s(30)), ..Config::default() }, 1);
    world.server.talks_every = Some(s(20));
    world.input(Input::Open);
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
        for talks_every in [None, Some(s(10))] {
            let mut world = hidden(Config::default(), seed);
            world.server.talks_every = talks_every;
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

/// phoenixframework/phoenix#6804: after a freeze the event that should tell of the return may stay out.
#[test]
fn a_return_that_nobody_tells_of_is_noticed_by_the_timer() {
    for heartbeat in [Heartbeat::default(), Heartbeat::Silence(s(8))] {
        let mut world = World::open(Config { heartbeat, ..Config::default() }, 3);
        world.run_for(s(2));
        world.cut();
        world.freeze_for(s(600));
        let took = world.run_until_replaced();
        assert!(took <= s(9), "{took:?}");
    }
}
