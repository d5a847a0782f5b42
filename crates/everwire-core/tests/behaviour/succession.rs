//! A dead socket is gone at once, and has no say afterwards.

use everwire_core::{Cause, Config, Event, Input, SocketId, State};

use crate::world::{World, ms, s};

/// The world's driver reports the close of an abandoned socket a minute later, as Chromium does.
#[test]
fn a_dead_socket_is_abandoned_without_waiting_for_its_close_event() {
    let mut world = World::open(Config::default(), 1);
    world.run_for(s(30));
    world.cut();
    let took = world.run_until_replaced();
    assert!(took < s(15));
    world.run_for(s(120));
    assert_eq!((world.drops().len(), world.opens()), (1, 2), "the late close event had an effect");
}

/// google/closure-library#362: the late close of an old socket hit the new one.
#[test]
fn nothing_that_an_old_socket_says_has_an_effect() {
    let mut world = World::open(Config::default(), 2);
    let old = world.socket();
    world.input(Input::Reconnect);
    say_everything(&mut world, old, "while connecting");
    world.run_until_open();
    say_everything(&mut world, old, "while open");
    world.drop_socket();
    say_everything(&mut world, old, "while waiting");
    world.run_until_open();
    world.close();
    say_everything(&mut world, old, "while closing");
    world.run_for(s(10));
    say_everything(&mut world, old, "when closed");
}

fn say_everything(world: &mut World, socket: SocketId, when: &str) {
    let (state, told, deadline) = (world.client.state(), world.log.len(), world.client.poll_deadline());
    world.input(Input::Opened { socket, greeting: vec!["late".to_owned()] });
    world.input(Input::Received { socket, message: "late".to_owned() });
    world.input(Input::Pong { socket, ping: None, server_time: None });
    world.input(Input::Buffered { socket, bytes: 9_999_999 });
    world.input(Input::Dropped { socket, cause: Cause::closed(1000, "late", true), buffered: 9 });
    assert_eq!((world.client.state(), world.log.len()), (state, told), "{when}");
    assert_eq!(world.client.poll_deadline(), deadline, "{when}");
}

#[test]
fn a_second_open_of_the_same_socket_changes_nothing() {
    let mut world = World::open(Config::default(), 3);
    let socket = world.socket();
    world.run_for(s(1));
    let since = world.client.state();
    world.input(Input::Opened { socket, greeting: vec!["twice".to_owned()] });
    assert_eq!((world.client.state(), world.opens()), (since, 1));
}

#[test]
fn the_application_learns_whether_a_connection_is_the_first() {
    let mut world = World::open(Config::default(), 4);
    world.drop_socket();
    world.run_until_open();
    let opened: Vec<_> = world
        .log
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Opened { is_reconnect, failures, .. } => Some((*is_reconnect, *failures)),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [(false, 0), (true, 1)]);
}

#[test]
fn the_attempt_is_made_when_it_was_announced() {
    for seed in 0..50 {
        let mut world = World::open(Config::default(), seed);
        world.run_for(ms(70));
        world.drop_socket();
        let Event::Dropped { retry, .. } = world.last_event().clone() else { panic!("it was dropped") };
        assert_eq!(world.client.state(), State::Waiting { until: retry.at });
        world.run_until_open();
        assert_eq!(Some(world.dials[1]), retry.at);
    }
}
