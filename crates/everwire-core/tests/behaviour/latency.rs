//! Round trips, loss, and the server's clock, measured over the life of a connection.

use everwire_core::{Action, Config, Input, Network, Page};

use crate::world::{OPEN, World, ms, s};

#[test]
fn round_trips_are_measured_and_reported() {
    let mut world = World::open(Config::default(), 1);
    world.link.latency = ms(35);
    world.run_for(s(120));
    let summary = world.client.latency().summary();
    assert_eq!((summary.min, summary.max, summary.lost), (Some(ms(70).into()), Some(ms(70).into()), 0));
    let reported = world.log.iter().filter(|(_, action)| *action == Action::Latency(ms(70))).count() as u64;
    assert_eq!(reported, summary.count);
    assert!(reported > 10);
}

#[test]
fn the_servers_clock_is_known_to_within_half_a_round_trip() {
    let mut world = World::new(Config::default(), 2);
    world.server.clock_ahead = 123_456.0;
    world.input(OPEN);
    world.run_for(s(60));
    let clock = world.client.latency().clock();
    let ours = world.now.as_millis_f64();
    let error = (clock.server_time(world.now).unwrap() - ours - 123_456.0).abs();
    assert!(error <= clock.error_bound().unwrap().as_secs_f64() * 1e3, "{error} ms");
}

#[test]
fn statistics_outlive_the_socket() {
    let mut world = World::open(Config::default(), 3);
    world.run_for(s(60));
    let before = world.client.latency().summary().count;
    world.drop_socket();
    world.run_until_open();
    world.run_for(s(60));
    assert!(world.client.latency().summary().count > before + 5);
}

#[test]
fn pings_that_a_dead_link_swallowed_count_as_lost() {
    let mut world = World::open(Config::default(), 4);
    world.run_for(s(60));
    world.cut();
    world.run_until_replaced();
    assert_eq!(world.client.latency().summary().lost, 1);
}

#[test]
fn a_ping_that_was_under_way_when_the_application_closed_is_not_lost() {
    let mut world = World::open(Config::default(), 5);
    world.page(Page::Visible);
    world.close();
    world.run_for(s(5));
    assert_eq!(world.client.latency().summary().lost, 0);
}

#[test]
fn an_answer_that_waited_out_a_freeze_or_a_sleep_is_no_round_trip() {
    for seconds in [8, 20, 3_600] {
        let mut frozen = World::open(Config::default(), 6);
        frozen.run_for(ms(7_010));
        frozen.freeze_for(s(seconds));
        frozen.page(Page::Resumed);
        frozen.run_for(s(60));
        assert_eq!(frozen.client.latency().summary().max, Some(ms(40).into()));

        let mut asleep = World::open(Config::default(), 7);
        asleep.run_for(ms(7_010));
        asleep.sleep_for(s(seconds), true);
        asleep.run_for(s(60));
        assert_eq!(asleep.client.latency().summary().max, Some(ms(40).into()), "{seconds} s");
    }
}

#[test]
fn answers_to_pings_of_an_earlier_socket_and_made_up_answers_are_no_samples() {
    let mut world = World::open(Config::default(), 8);
    world.input(Input::Network(Network::Online));
    let old = world.socket();
    world.input(Input::Reconnect);
    world.run_until_open();
    let socket = world.socket();
    let count = world.client.latency().summary().count;
    for (socket, ping) in [(old, Some(1)), (socket, Some(1)), (socket, Some(77)), (socket, None)] {
        world.input(Input::Pong { socket, ping, server_time: Some(1.0) });
    }
    assert_eq!(world.client.latency().summary().count, count);
}
