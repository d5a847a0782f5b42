use std::collections::BTreeSet;

use everwire_core::protocol::{GapReason, Mode, Start};

use crate::world::{Event, Item, World};

const CHAT: &str = "chat";

/// One client reads what it is sent, the other one does not.
fn with_slow_reader(mode: Mode) -> (World, u64) {
    let mut world = World::new(2);
    for client in 0..2 {
        world.subscribe_in(client, CHAT, Start::Live, mode);
        world.connect(client);
    }
    let slow = world.connection(0);
    (world, slow)
}

/// What waits for a client is bounded; the quick one gets everything at once.
fn publish_to_a_slow_reader(world: &mut World, slow: u64, publish: impl Fn(&mut World, usize)) {
    for number in 0..40 {
        publish(world, number);
        world.take_all(1);
        assert!(world.connections[&slow].down.len() <= 8, "what is queued for a slow reader grows without a bound");
    }
    assert_eq!(world.clients[1].messages(CHAT).len(), 40, "another reader is held up");
}

/// wse-client drops a slow reader's messages above 16 MB.
#[test]
fn a_slow_reader_neither_loses_messages_nor_holds_up_others() {
    let (mut world, slow) = with_slow_reader(Mode::Each);
    publish_to_a_slow_reader(&mut world, slow, |world, _| world.server_publishes(CHAT, 1));
    world.run();
    assert_eq!(world.clients[0].messages(CHAT), world.clients[1].messages(CHAT));
    assert_eq!(world.clients[0].gaps(CHAT), []);
    world.check_at_rest();
}

#[test]
fn a_slow_reader_of_values_does_not_read_what_is_out_of_date() {
    let (mut world, slow) = with_slow_reader(Mode::Latest);
    let set = |world: &mut World, number: usize| {
        world.server_sets(CHAT, &format!("key{}", number % 4), &format!("value{number}"));
    };
    publish_to_a_slow_reader(&mut world, slow, set);
    world.run();
    let messages = world.clients[0].messages(CHAT);
    assert_eq!(messages[messages.len() - 4..], ["value36", "value37", "value38", "value39"]);
    assert!(messages.len() <= 8 + 4, "{messages:?}");
    assert_eq!(world.clients[0].gaps(CHAT), []);
}

/// ably/ably-js#1559: that messages are missing was a flag of a state, easily overlooked.
#[test]
fn a_reader_that_is_slower_than_the_history_is_long_does_not_miss_messages_in_silence() {
    let (mut world, slow) = with_slow_reader(Mode::Each);
    publish_to_a_slow_reader(&mut world, slow, |world, _| world.server_publishes(CHAT, 1));
    world.apply(Event::Trim(CHAT.to_owned(), 30));
    world.run();
    let received = world.clients[0].messages(CHAT).len() as u64;
    assert_eq!(world.clients[0].items(CHAT).last(), Some(&Item::CaughtUp));
    assert_eq!(world.clients[0].gaps(CHAT), [GapReason::Trimmed]);
    assert!(world.clients[0].items(CHAT).contains(&Item::Gap(GapReason::Trimmed, Some(40 - received))));
    world.check_at_rest();
}

#[test]
fn a_paused_subscriber_does_not_lose_what_is_published_meanwhile() {
    let (mut world, _) = with_slow_reader(Mode::Each);
    world.pause(0, CHAT);
    world.server_publishes(CHAT, 20);
    world.run();
    assert_eq!(world.clients[0].messages(CHAT).len(), 0);
    world.resume(0, CHAT);
    world.run();
    assert_eq!(world.clients[0].messages(CHAT).len(), 20);
    world.check_at_rest();
}

#[test]
fn a_storm_of_resumes_does_not_read_a_page_once_for_each_client() {
    const CLIENTS: usize = 100;
    let channels: Vec<String> = (0..10).map(|number| format!("channel{number}")).collect();
    let mut world = World::new(CLIENTS);
    for client in 0..CLIENTS {
        channels.iter().for_each(|channel| {
            world.subscribe(client, channel, Start::Live);
        });
    }
    let connect_all = |world: &mut World| {
        for client in 0..CLIENTS {
            world.apply(Event::Dial(client));
            let id = world.connection(client);
            assert_eq!(world.connections[&id].up.len(), 1, "`hello` and all subscriptions travel in one message");
            world.apply(Event::ToServer(id));
            for channel in &channels {
                (0..3).for_each(|_| world.apply(Event::Pump(id, channel.clone())));
            }
            world.take_all(client);
        }
    };
    connect_all(&mut world);
    world.apply(Event::Restart);
    channels.iter().for_each(|channel| world.server_publishes(channel, 2));
    world.server.reads.clear();
    connect_all(&mut world);
    let names: BTreeSet<&String> = world.server.reads.iter().map(|(channel, ..)| channel).collect();
    assert_eq!((world.server.reads.len(), names.len()), (10, 10));
    world.check_at_rest();
}
