use everwire_core::{
    Time,
    protocol::{ClientLine, Start},
    session::Attachment,
};

use crate::world::{Event, Presence, World};

const CHAT: &str = "chat";

fn subscribed() -> World {
    let mut world = World::new(1);
    world.subscribe(0, CHAT, Start::Live);
    world.connect(0);
    world
}

/// The client connects again before the server knows that the earlier connection is gone. Returns that one.
fn take_over(world: &mut World) -> u64 {
    let old = world.connection(0);
    world.apply(Event::Cut(0));
    world.apply(Event::Dial(0));
    let new = world.connection(0);
    world.apply(Event::ToServer(new));
    world.take_all(0);
    old
}

/// Whether the only session is there and has a connection.
fn attached(world: &World) -> bool {
    let mut sessions = world.server.sessions.values();
    sessions.next().is_some_and(|session| session.machine.is_current(session.machine.generation()))
}

/// socketio/socket.io#4880: the timeout of the earlier connection ended the session that had been resumed.
#[test]
fn a_connection_that_dies_after_the_takeover_does_not_take_the_session_with_it() {
    let mut world = subscribed();
    let old = take_over(&mut world);
    world.pass(Time::from_secs(60));
    world.apply(Event::Notice(old));
    world.pass(Time::from_secs(600));
    assert!(attached(&world));
    world.server_publishes(CHAT, 1);
    world.run();
    assert_eq!(world.clients[0].messages(CHAT), ["p1"]);
    assert_eq!(world.clients[0].attachments, [Attachment::New, Attachment::Resumed]);
    world.check_at_rest();
}

/// eclipse-mosquitto/mosquitto#1650: a takeover lost messages.
#[test]
fn a_publish_that_arrives_on_the_old_connection_after_the_takeover_is_not_stored_twice() {
    let mut world = subscribed();
    world.publish(0, CHAT);
    let old = take_over(&mut world);
    assert!(!world.connections[&old].up.is_empty());
    world.apply(Event::ToServer(old));
    world.run();
    assert_eq!(world.clients[0].messages(CHAT), ["c0.1"]);
    world.check_at_rest();
}

#[test]
fn a_bye_on_the_old_connection_does_not_end_the_session() {
    let mut world = subscribed();
    world.send(0, &ClientLine::Bye);
    let old = take_over(&mut world);
    world.apply(Event::ToServer(old));
    world.run();
    assert!(attached(&world));
    world.check_at_rest();
}

/// A publish that the broker has not decided when the client comes back: the answer must not be given on the old connection only.
#[test]
fn a_takeover_while_the_broker_stores_does_not_lose_the_answer() {
    let mut world = subscribed();
    world.publish(0, CHAT);
    let old = world.connection(0);
    world.apply(Event::ToServer(old));
    take_over(&mut world);
    assert!(!world.clients[0].machine.is_attached(), "the welcome waits for the broker");
    world.run();
    assert_eq!(world.clients[0].messages(CHAT), ["c0.1"]);
    world.check_at_rest();
}

/// Nothing would be attached then: the client has given that connection up, and takes the end of the present one as final.
#[test]
fn a_hello_that_arrives_late_does_not_take_the_session_from_the_present_connection() {
    let mut world = subscribed();
    world.disconnect(0);
    world.apply(Event::Dial(0));
    let late = take_over(&mut world);
    world.apply(Event::ToServer(late));
    world.run();
    assert_eq!(world.clients[0].over, None);
    world.server_publishes(CHAT, 1);
    world.run();
    assert_eq!(world.clients[0].messages(CHAT), ["p1"]);
    world.check_at_rest();
}

/// socketio/socket.io-redis-streams-adapter#26: a client that was back too soon could not resume.
#[test]
fn a_client_that_is_back_at_once_is_not_refused() {
    let mut world = subscribed();
    for _ in 0..10 {
        take_over(&mut world);
        world.server_publishes(CHAT, 1);
        world.pass(Time::from_millis(1));
    }
    world.run();
    assert_eq!(world.clients[0].messages(CHAT).len(), 10);
    assert_eq!(world.clients[0].attachments[1..], [Attachment::Resumed; 10]);
    world.check_at_rest();
}

/// phoenixframework/phoenix#2306, #2255.
#[test]
fn a_hundred_reconnects_are_neither_joins_nor_leaves() {
    let mut world = subscribed();
    for round in 0..100 {
        if round % 3 == 0 {
            world.reconnect(0);
        } else {
            take_over(&mut world);
        }
    }
    world.run();
    assert_eq!(world.server.presence, [Presence::Joined("s1".to_owned())]);
}

/// phoenixframework/phoenix#2306: members that were gone stayed for ever.
#[test]
fn a_client_that_does_not_come_back_does_not_stay_present() {
    let mut world = subscribed();
    world.disconnect(0);
    world.pass(Time::from_secs(119));
    assert_eq!(world.server.presence.len(), 1);
    world.pass(Time::from_secs(1));
    assert_eq!(world.server.presence[1..], [Presence::Left("s1".to_owned())]);
}

#[test]
fn a_client_that_said_goodbye_does_not_stay_present() {
    let mut world = subscribed();
    world.end(0);
    world.run();
    assert_eq!(world.server.presence[1..], [Presence::Left("s1".to_owned())]);
    assert!(world.server.sessions.is_empty());
}

#[test]
fn a_restart_of_the_server_is_neither_a_join_nor_a_leave() {
    let mut world = subscribed();
    for _ in 0..10 {
        world.apply(Event::Restart);
        world.connect(0);
    }
    assert_eq!(world.server.presence, [Presence::Joined("s1".to_owned())]);
    world.check_at_rest();
}
