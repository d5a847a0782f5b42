//! What follows when the page, the machine or the network comes back.

use everwire_core::{Config, HeartbeatMode, Input, Network, Page, Phase};

use crate::world::{OPEN, World, ms, s};

type Happens = fn(&mut World);

const WAKE_EVENTS: [(&str, Happens); 6] = [
    ("visible", |world| world.page(Page::Visible)),
    ("resumed", |world| world.page(Page::Resumed)),
    ("restored", |world| world.page(Page::Restored)),
    ("online", |world| world.input(Input::Network(Network::Online))),
    ("slept, monotonic clock stopped", |world| {
        world.sleep_for(s(3_600), false);
        world.wake();
    }),
    ("slept, monotonic clock running", |world| {
        world.sleep_for(s(3_600), true);
        world.wake();
    }),
];

#[test]
fn a_half_open_link_is_replaced_within_3_seconds_of_each_wake_event() {
    for (name, happens) in WAKE_EVENTS {
        for (seed, phase) in (0..150).zip((0..).map(|step| ms(step * 103))) {
            let mut world = World::open(Config::default(), seed);
            world.run_for(s(20) + phase);
            world.cut();
            happens(&mut world);
            let took = world.run_until_replaced();
            assert!(took <= s(3), "{name}: {took:?} with phase {phase:?}");
        }
    }
}

#[test]
fn a_half_open_link_that_was_silent_for_a_while_is_replaced_within_3_seconds_of_each_wake_event() {
    for (name, happens) in WAKE_EVENTS {
        for silent_for in (0..80).map(|step| ms(step * 101)) {
            let mut world = World::open(Config::default(), 1);
            world.run_for(s(33));
            world.cut();
            world.run_for(silent_for);
            if world.drops().is_empty() {
                happens(&mut world);
                let took = world.run_until_replaced();
                assert!(took <= s(3), "{name}: {took:?} after {silent_for:?}");
            }
        }
    }
}

#[test]
fn a_healthy_link_outlives_each_wake_event() {
    for (name, happens) in WAKE_EVENTS {
        for (seed, phase) in (0..150).zip((0..).map(|step| ms(step * 103))) {
            let mut world = World::open(Config::default(), seed);
            world.run_for(phase);
            happens(&mut world);
            world.run_for(s(30));
            assert_eq!(world.drops().len(), 0, "{name} with phase {phase:?}");
        }
    }
}

#[test]
fn several_wake_events_at_once_ping_once() {
    let mut world = World::open(Config::default(), 2);
    world.run_for(s(3));
    let before = world.pings.len();
    world.page(Page::Visible);
    world.page(Page::Resumed);
    world.page(Page::Visible);
    world.input(Input::Network(Network::Online));
    assert_eq!(world.pings.len() - before, 1);
}

#[test]
fn repeated_wake_events_do_not_extend_the_deadline() {
    for (name, happens) in WAKE_EVENTS {
        for heartbeat in [HeartbeatMode::default(), HeartbeatMode::Silence(s(5))] {
            let mut world = World::open(Config { heartbeat, ..Config::default() }, 3);
            world.cut();
            let cut_at = world.now;
            while world.drops().is_empty() {
                happens(&mut world);
                world.run_for(ms(700));
                // Where the monotonic clock counts the sleep, each of them takes an hour.
                assert!(world.now - cut_at <= s(3 * 3_600 + 30), "{name}");
                assert!(world.pings.len() < 40, "{name}");
            }
        }
    }
}

#[test]
fn an_overdue_deadline_is_extended_when_the_page_comes_back() {
    let mut world = World::open(Config::default(), 4);
    world.run_for(ms(7_005));
    // The ping is out; the answer comes while nothing runs, and the page's event is first in the queue behind the stall.
    world.stall_for(s(20));
    world.page(Page::Visible);
    world.run_for(s(30));
    assert_eq!(world.drops().len(), 0);
}

#[test]
fn silence_over_a_sleep_does_not_count_against_a_server_that_sends_all_the_time() {
    for monotonic_runs_on in [false, true] {
        let mut world = World::new(Config { heartbeat: HeartbeatMode::Silence(s(5)), ..Config::default() }, 5);
        world.server.sends_every = Some(s(1));
        world.input(OPEN);
        world.run_for(s(60));
        world.sleep_for(s(3_600), monotonic_runs_on);
        world.run_for(s(60));
        assert_eq!(world.drops().len(), 0, "monotonic clock runs on: {monotonic_runs_on}");
    }
}

#[test]
fn an_attempt_that_slept_with_the_machine_is_replaced_soon() {
    let mut world = World::open(Config::default(), 6);
    world.run_for(s(30));
    world.provider = crate::world::Provider::Hangs;
    world.input(Input::Reconnect);
    world.run_for(s(1));
    world.provider = crate::world::Provider::Answers;
    world.sleep_for(s(3_600), false);
    world.wake();
    let took = world.run_until_open();
    assert!(took <= ms(700), "{took:?}");
}

#[test]
fn a_backoff_is_shortened_after_sleep() {
    let mut world = World::open(Config::default(), 7);
    world.server.accepts = crate::world::Accepts::Refuses;
    world.drop_socket();
    world.run_for(s(200));
    world.run_until_phase("waiting", |phase| matches!(phase, Phase::Waiting { .. }));
    world.server.accepts = crate::world::Accepts::Always;
    world.sleep_for(s(60), false);
    world.wake();
    let took = world.run_until_open();
    assert!(took <= ms(900), "{took:?}");
}

#[test]
fn corrections_of_the_wall_clock_are_not_taken_for_sleep() {
    let mut world = World::open(Config::default(), 8);
    world.run_for(s(8));
    world.sleep_for(s(3), false);
    let before = world.pings.len();
    world.wake();
    assert_eq!(world.pings.len(), before);
}
