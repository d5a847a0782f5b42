use everwire_core::{
    Time,
    protocol::{ErrorCode, Start},
    session::{Attachment, PublishId, PublishOutcome, QueueError},
};

use crate::world::{Event, Frame, World};

const CHAT: &str = "chat";

fn chat() -> String {
    CHAT.to_owned()
}

fn connected() -> World {
    let mut world = World::new(1);
    world.connect(0);
    world
}

fn outcome(world: &World, id: PublishId) -> Option<PublishOutcome> {
    world.clients[0].publishes[&id].outcome
}

fn stored(world: &World, channel: &str) -> usize {
    world.server.broker.disk.channels.get(channel).map_or(0, |channel| channel.messages.len())
}

/// The server gets everything that is under way from the client.
fn all_to_server(world: &mut World) {
    let id = world.connection(0);
    while !world.connections[&id].up.is_empty() {
        world.apply(Event::ToServer(id));
    }
}

/// JetStream forgets what it has seen when the history is trimmed and the server restarts: it stored the message a second time.
#[test]
fn a_trimmed_history_and_a_restart_do_not_store_a_publish_twice() {
    let mut world = connected();
    let id = world.publish(0, CHAT);
    all_to_server(&mut world);
    world.apply(Event::Store(chat()));
    world.apply(Event::Trim(chat(), 1));
    world.apply(Event::Restart);
    world.connect(0);
    assert!(matches!(outcome(&world, id), Some(PublishOutcome::Stored(_))));
    assert_eq!(stored(&world, CHAT), 1);
    world.check_at_rest();
}

/// Centrifugo documents that a publish that is retried after a timeout can arrive twice.
#[test]
fn a_publish_of_which_the_server_does_not_know_is_not_sent_again_blindly() {
    let mut world = connected();
    let (undecided, later) = (world.publish(0, CHAT), world.publish(0, "news"));
    all_to_server(&mut world);
    world.apply(Event::Store("news".to_owned()));
    world.apply(Event::Restart);
    world.connect(0);
    assert_eq!(outcome(&world, undecided), Some(PublishOutcome::Failed(ErrorCode::Unknown)));
    assert!(matches!(outcome(&world, later), Some(PublishOutcome::Stored(_))));
    assert_eq!(stored(&world, CHAT), 0);
    world.check_at_rest();
}

#[test]
fn a_publish_is_not_left_without_an_outcome_because_many_have_expired_after_it() {
    let mut world = connected();
    let first = world.publish(0, "news");
    for _ in 0..20 {
        world.try_publish(0, CHAT, Some(Time::from_secs(1))).expect("there is room");
        world.apply(Event::Restart);
        world.pass(Time::from_secs(2));
        world.apply(Event::Dial(0));
        all_to_server(&mut world);
        world.take_all(0);
    }
    world.publish(0, CHAT);
    all_to_server(&mut world);
    world.apply(Event::Store(chat()));
    world.apply(Event::Restart);
    world.connect(0);
    assert_eq!(outcome(&world, first), Some(PublishOutcome::Failed(ErrorCode::Unknown)));
    world.check_at_rest();
}

#[test]
fn a_publish_in_a_session_that_was_lost_is_not_sent_in_the_next_one() {
    let mut world = connected();
    let id = world.publish(0, CHAT);
    all_to_server(&mut world);
    world.apply(Event::Store(chat()));
    world.apply(Event::Cut(0));
    world.pass(Time::from_secs(200));
    let waiting = world.publish(0, CHAT);
    world.run();
    world.pass(Time::from_secs(200));
    world.connect(0);
    assert_eq!(world.clients[0].attachments, [Attachment::New, Attachment::Replaced]);
    assert_eq!(outcome(&world, id), Some(PublishOutcome::Failed(ErrorCode::Unknown)));
    assert!(matches!(outcome(&world, waiting), Some(PublishOutcome::Stored(_))));
    assert_eq!(stored(&world, CHAT), 2);
    world.check_at_rest();
}

#[test]
fn a_server_that_dies_between_store_and_answer_neither_loses_nor_repeats_a_publish() {
    let mut world = connected();
    world.subscribe(0, CHAT, Start::Live);
    world.run();
    for round in 1..=1_000 {
        let id = world.publish(0, CHAT);
        all_to_server(&mut world);
        world.apply(Event::Store(chat()));
        world.apply(Event::Restart);
        world.connect(0);
        assert!(matches!(outcome(&world, id), Some(PublishOutcome::Stored(_))), "round {round}");
    }
    assert_eq!(stored(&world, CHAT), 1_000);
    assert_eq!(world.clients[0].messages(CHAT).len(), 1_000);
    world.check_at_rest();
}

#[test]
fn a_server_that_dies_before_it_has_stored_does_not_lose_a_publish() {
    let mut world = connected();
    for _ in 0..100 {
        world.publish(0, CHAT);
        all_to_server(&mut world);
        world.apply(Event::Restart);
        world.connect(0);
    }
    assert_eq!(stored(&world, CHAT), 100);
    world.check_at_rest();
}

fn lines_to_client(world: &World) -> Vec<String> {
    let id = world.connection(0);
    let frames = world.connections[&id].down.iter();
    let texts = frames.filter_map(|frame| if let Frame::Text(text) = frame { Some(text) } else { None });
    let lines = texts.flat_map(|text| text.split('\u{1e}'));
    lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_own_message_does_not_precede_its_answer() {
    let mut world = connected();
    world.subscribe(0, CHAT, Start::Live);
    world.run();
    world.publish(0, CHAT);
    all_to_server(&mut world);
    world.apply(Event::Store(chat()));
    assert_eq!(lines_to_client(&world), ["ack", "msg"]);
}

/// Convex answers all mutations before it sends any data.
#[test]
fn after_a_reconnect_an_own_message_does_not_precede_its_answer() {
    let mut world = connected();
    world.subscribe(0, CHAT, Start::Live);
    world.run();
    world.publish(0, CHAT);
    all_to_server(&mut world);
    world.apply(Event::Store(chat()));
    world.disconnect(0);
    world.apply(Event::Dial(0));
    all_to_server(&mut world);
    let id = world.connection(0);
    (0..2).for_each(|_| world.apply(Event::Pump(id, chat())));
    assert_eq!(lines_to_client(&world), ["welcome", "ack", "subscribed", "msg", "pos"]);
    world.run();
    world.check_at_rest();
}

#[test]
fn a_slow_channel_does_not_hold_up_the_answers_of_another() {
    let mut world = connected();
    let (slow, quick) = (world.publish(0, CHAT), world.publish(0, "news"));
    all_to_server(&mut world);
    world.apply(Event::Store("news".to_owned()));
    world.take_all(0);
    assert_eq!(outcome(&world, slow), None);
    assert!(matches!(outcome(&world, quick), Some(PublishOutcome::Stored(_))));
    // Answered in another order than sent, they are still not mixed up after a reconnect.
    world.apply(Event::Store(chat()));
    world.reconnect(0);
    assert!(matches!(outcome(&world, slow), Some(PublishOutcome::Stored(_))));
    world.publish(0, CHAT);
    world.run();
    world.check_at_rest();
}

/// emqx/emqx#17698: messages that had expired in flight were delivered.
#[test]
fn a_publish_that_has_expired_is_not_sent_again() {
    let mut world = connected();
    let id = world.try_publish(0, CHAT, Some(Time::from_secs(5))).unwrap();
    world.disconnect(0);
    world.pass(Time::from_secs(6));
    let next = world.publish(0, CHAT);
    world.connect(0);
    assert_eq!(outcome(&world, id), Some(PublishOutcome::Failed(ErrorCode::Expired)));
    assert!(matches!(outcome(&world, next), Some(PublishOutcome::Stored(_))));
    world.check_at_rest();
}

/// eclipse-mosquitto/mosquitto#1822: more than the receive maximum was sent after a reconnect.
#[test]
fn a_reconnect_does_not_send_more_than_the_credits() {
    let mut world = connected();
    for _ in 0..30 {
        world.publish(0, CHAT);
    }
    for _ in 0..3 {
        // The world's server takes it for an error if there are more than its eight credits.
        all_to_server(&mut world);
        assert_eq!(world.server.broker.undecided.len(), 8);
        world.apply(Event::Cut(0));
        while !world.server.broker.undecided.is_empty() {
            world.apply(Event::Store(chat()));
        }
        world.apply(Event::Dial(0));
        all_to_server(&mut world);
        world.take_all(0);
    }
    world.run();
    assert_eq!(stored(&world, CHAT), 30);
    world.check_at_rest();
}

/// liveblocks/liveblocks#434, jamsocket/y-sweet#217: a box in the middle dropped the connection at each attempt.
#[test]
fn a_message_above_the_limit_of_the_server_is_not_tried() {
    let mut world = connected();
    let id = world.connection(0);
    assert_eq!(world.publish_payload(0, "x".repeat(1_000)), Err(QueueError::TooLarge { limit: 1_000 }));
    assert!(world.connections[&id].up.is_empty());
    world.publish_payload(0, "x".repeat(900)).unwrap();
    world.run();
    world.check_at_rest();
}
