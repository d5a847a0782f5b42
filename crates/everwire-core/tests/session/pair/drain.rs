use everwire_core::{
    Time,
    protocol::Start,
    session::{Attachment, PublishOutcome},
};

use crate::world::{Event, Presence, World};

const CHAT: &str = "chat";
const PERIOD: Time = Time::from_secs(10);

/// Clients that are subscribed to a channel.
fn subscribed(clients: usize) -> World {
    let mut world = World::new(clients);
    for client in 0..clients {
        world.subscribe(client, CHAT, Start::Live);
        world.connect(client);
    }
    world
}

/// The server asks its clients to leave.
fn drain(world: &mut World) {
    world.apply(Event::Drain(PERIOD));
    world.run();
}

fn connected(world: &World) -> usize {
    world.clients.iter().filter(|client| client.connection.is_some()).count()
}

/// centrifugal/centrifugo closes all connections at once when it shuts down: what is spread by the clients alone is a storm.
#[test]
fn clients_of_a_server_that_drains_do_not_leave_at_the_same_moment() {
    let mut world = subscribed(40);
    drain(&mut world);
    let mut left_in = [0; 10];
    for second in &mut left_in {
        let before = connected(&world);
        world.pass(Time::from_secs(1));
        *second = before - connected(&world);
    }
    assert_eq!(connected(&world), 0, "all have left when the server ends");
    assert!(left_in.iter().all(|left| *left <= 12), "{left_in:?}");
}

#[test]
fn a_client_that_leaves_a_server_that_drains_neither_loses_nor_repeats_anything() {
    let mut world = subscribed(2);
    let request = world.request(0);
    world.run_without_handlers();
    world.apply(Event::Drain(PERIOD));
    world.run_without_handlers();
    // It goes on until it leaves.
    let before = world.publish(0, CHAT);
    world.run_without_handlers();
    world.pass(PERIOD);
    assert_eq!(connected(&world), 0);
    let between = world.publish(0, CHAT);
    world.server_publishes(CHAT, 2);
    // The next server has the store of this one.
    world.apply(Event::Restart);
    (0..2).for_each(|client| world.connect(client));
    for publish in [before, between] {
        assert!(matches!(world.clients[0].publishes[&publish].outcome, Some(PublishOutcome::Stored(_))));
    }
    for client in &world.clients {
        assert_eq!(client.messages(CHAT), ["c0.2", "p1", "p2", "c0.3"]);
        assert_eq!((client.gaps(CHAT), &client.attachments[..]), (vec![], &[Attachment::New, Attachment::Resumed][..]));
    }
    assert!(world.clients[0].requests[&request].outcome.is_some());
    world.check_at_rest();
}

/// phoenixframework/phoenix#2306: each deploy left members behind that were gone, or dropped those that were not.
#[test]
fn a_client_that_leaves_a_server_that_drains_is_neither_a_leave_nor_a_join() {
    let mut world = subscribed(2);
    drain(&mut world);
    let joined: Vec<Presence> = world.server.presence.clone();
    world.pass(PERIOD);
    world.run();
    assert_eq!(connected(&world), 0);
    (0..2).for_each(|client| world.connect(client));
    assert_eq!(world.server.presence, joined);
    world.check_at_rest();
}

/// The request to leave ends with the connection on which it came.
#[test]
fn a_client_that_has_left_does_not_leave_the_next_server_as_well() {
    let mut world = subscribed(1);
    drain(&mut world);
    world.pass(PERIOD);
    world.apply(Event::Restart);
    world.connect(0);
    world.pass(Time::from_secs(600));
    assert!(world.clients[0].machine.is_attached());
    assert_eq!(world.clients[0].attachments, [Attachment::New, Attachment::Resumed]);
}
