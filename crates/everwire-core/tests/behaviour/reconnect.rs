//! A dead socket is replaced at once, and has no effect afterwards.

use everwire_core::{Action, Config, DropCause, Input, Phase, SocketId};

use crate::world::{World, ms, s};

/// The world's driver reports the close of a socket that was given up a minute later, as Chromium does.
#[test]
fn a_dead_socket_is_given_up_without_waiting_for_its_close_event() {
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
fn nothing_that_an_old_socket_reports_has_an_effect() {
    let mut world = World::open(Config::default(), 2);
    let old = world.socket();
    world.input(Input::Reconnect);
    report_everything(&mut world, old, "while connecting");
    world.run_until_open();
    report_everything(&mut world, old, "while open");
    world.drop_socket();
    report_everything(&mut world, old, "while waiting");
    world.run_until_open();
    world.close();
    report_everything(&mut world, old, "while closing");
    world.run_for(s(10));
    report_everything(&mut world, old, "when closed");
}

fn report_everything(world: &mut World, socket: SocketId, when: &str) {
    let (phase, reports, deadline) = (world.client.phase(), world.log.len(), world.client.poll_deadline());
    let on_open = core::mem::replace(&mut world.on_open, vec!["late".to_owned()]);
    world.input(Input::Opened { socket });
    world.receive(socket, "late");
    world.input(Input::Pong { socket, ping: None, server_time: None });
    world.input(Input::Buffered { socket, bytes: 9_999_999 });
    world.input(Input::Dropped { socket, cause: DropCause::closed(1000, true), buffered: 9 });
    world.on_open = on_open;
    assert_eq!((world.client.phase(), world.log.len(), world.delivered.len()), (phase, reports, 0), "{when}");
    assert_eq!(world.client.poll_deadline(), deadline, "{when}");
}

#[test]
fn a_second_open_of_the_same_socket_changes_nothing() {
    let mut world = World::open(Config::default(), 3);
    let socket = world.socket();
    world.run_for(s(1));
    let since = world.client.phase();
    world.input(Input::Opened { socket });
    assert_eq!((world.client.phase(), world.opens()), (since, 1));
}

#[test]
fn the_application_learns_whether_a_connection_is_the_first() {
    let mut world = World::open(Config::default(), 4);
    world.drop_socket();
    world.run_until_open();
    let opened: Vec<_> = world
        .log
        .iter()
        .filter_map(|(_, action)| match action {
            Action::Opened { is_reconnect, failures, .. } => Some((*is_reconnect, *failures)),
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
        let Action::Dropped { retry, .. } = world.last_report().clone() else { panic!("it was dropped") };
        assert_eq!(world.client.phase(), Phase::Waiting { until: retry.at });
        world.run_until_open();
        assert_eq!(Some(world.dials[1]), retry.at);
    }
}
