use everwire_core::protocol::{GapReason, Mode, Start};

use crate::world::{Event, Item, World};

const CHAT: &str = "chat";

fn subscribed() -> World {
    let mut world = World::new(1);
    world.subscribe(0, CHAT, Start::Live);
    world.connect(0);
    world
}

/// A channel with so many messages that the client has.
fn with_messages(count: usize) -> World {
    let mut world = subscribed();
    world.server_publishes(CHAT, count);
    world.run();
    assert_eq!(world.clients[0].messages(CHAT).len(), count);
    world
}

#[track_caller]
fn assert_gap(world: &World, reason: GapReason) {
    assert_eq!(world.clients[0].gaps(CHAT), [reason]);
    world.check_at_rest();
}

/// centrifugal/centrifuge-go#160: the offset of the lost history was taken for one of the new history.
#[test]
fn a_position_in_a_history_that_was_lost_is_not_taken_for_one_in_the_next() {
    let mut world = with_messages(3);
    world.apply(Event::LoseDisk);
    world.server_publishes(CHAT, 5);
    world.connect(0);
    assert_eq!(world.clients[0].messages(CHAT), ["p1", "p2", "p3"]);
    assert_gap(&world, GapReason::Rewritten);
    world.server_publishes(CHAT, 1);
    world.run();
    assert_eq!(world.clients[0].messages(CHAT), ["p1", "p2", "p3", "p9"]);
}

/// centrifugal/centrifuge-go#159: without an epoch, the check was skipped.
#[test]
fn a_channel_without_messages_is_not_without_an_epoch() {
    let mut world = subscribed();
    world.apply(Event::LoseDisk);
    world.server_publishes(CHAT, 2);
    world.connect(0);
    assert_gap(&world, GapReason::Rewritten);
}

/// A store directory of NATS JetStream that was put back showed the same creation time and the same sequence numbers with other content.
#[test]
fn messages_that_took_the_offsets_of_others_are_not_delivered_as_their_continuation() {
    let mut world = with_messages(2);
    world.apply(Event::BackUp);
    world.server_publishes(CHAT, 2);
    world.run();
    world.apply(Event::RestoreBackup);
    world.server_publishes(CHAT, 4);
    world.connect(0);
    assert_eq!(world.clients[0].messages(CHAT), ["p1", "p2", "p3", "p4"]);
    assert_gap(&world, GapReason::Rewritten);
}

/// Replicache answers such a client with an error: its cookie is from the future.
#[test]
fn a_position_ahead_of_the_history_is_not_waited_for_in_silence() {
    let mut world = with_messages(2);
    world.apply(Event::BackUp);
    world.server_publishes(CHAT, 2);
    world.run();
    world.apply(Event::RestoreBackup);
    world.connect(0);
    assert_gap(&world, GapReason::Rewritten);
    world.server_publishes(CHAT, 1);
    world.run();
    assert_eq!(world.clients[0].messages(CHAT).last(), Some(&"p5"));
}

#[test]
fn an_older_store_is_no_gap_for_a_client_that_has_nothing_newer() {
    let mut world = with_messages(2);
    world.apply(Event::BackUp);
    world.disconnect(0);
    world.server_publishes(CHAT, 2);
    world.apply(Event::RestoreBackup);
    world.server_publishes(CHAT, 1);
    world.connect(0);
    assert_eq!(world.clients[0].messages(CHAT), ["p1", "p2", "p5"]);
    assert_eq!(world.clients[0].gaps(CHAT), []);
    world.check_at_rest();
}

/// gofastr#382: offsets were rounded to what a double can hold.
#[test]
fn offsets_beyond_two_to_the_53_are_not_rounded() {
    let mut world = World::new(1);
    world.server.broker.first_offset = (1 << 53) - 2;
    world.subscribe(0, CHAT, Start::Live);
    world.connect(0);
    for message in 1..=6 {
        world.disconnect(0);
        world.server_publishes(CHAT, 1);
        world.connect(0);
        assert_eq!(world.clients[0].messages(CHAT).len(), message);
    }
    let position = world.clients[0].machine.position(world.clients[0].subscriptions[0].id);
    assert_eq!(position.map(|position| position.offset), Some((1 << 53) + 4));
    assert_eq!(world.clients[0].gaps(CHAT), []);
    world.check_at_rest();
}

#[test]
fn a_quiet_channel_whose_messages_have_aged_out_has_no_gap() {
    let mut world = with_messages(3);
    world.apply(Event::Trim(CHAT.to_owned(), 3));
    world.reconnect(0);
    assert_eq!(world.clients[0].items(CHAT)[3..], [Item::Resumed, Item::CaughtUp]);
    world.check_at_rest();
}

#[test]
fn messages_that_were_missed_and_have_aged_out_are_not_passed_over() {
    let mut world = with_messages(3);
    world.disconnect(0);
    world.server_publishes(CHAT, 4);
    world.apply(Event::Trim(CHAT.to_owned(), 5));
    world.connect(0);
    assert_eq!(world.clients[0].items(CHAT)[3..], [Item::Gap(GapReason::Trimmed, Some(4)), Item::CaughtUp]);
    world.check_at_rest();
}

/// The position of a subscriber of values moves on though nothing is delivered for it, so that it is not behind when they age out.
#[test]
fn a_position_is_not_left_behind_by_messages_that_do_not_concern_the_subscriber() {
    let mut world = World::new(1);
    world.server_sets("prices", "a", "a1");
    world.server_sets("prices", "b", "b1");
    world.server_sets("prices", "a", "a2");
    world.subscribe_in(0, "prices", Start::State, Mode::Latest);
    world.connect(0);
    assert_eq!(world.clients[0].messages("prices"), ["b1", "a2"]);
    world.reconnect(0);
    assert_eq!(world.clients[0].messages("prices"), ["b1", "a2"]);
    assert_eq!(world.clients[0].gaps("prices"), []);
}

/// socketio/socket.io#5538: a connection could not be resumed before it had received an event.
#[test]
fn a_subscription_that_received_nothing_is_not_lost() {
    let mut world = subscribed();
    world.disconnect(0);
    world.server_publishes(CHAT, 2);
    world.connect(0);
    assert_eq!(world.clients[0].messages(CHAT), ["p1", "p2"]);
    world.check_at_rest();
}

/// socketio/socket.io#5419: what was replayed did not move the offset, and came again with the next replay.
#[test]
fn what_a_resume_delivered_is_not_delivered_by_the_next_one() {
    let mut world = with_messages(1);
    world.disconnect(0);
    world.server_publishes(CHAT, 2);
    for _ in 0..3 {
        world.connect(0);
        world.disconnect(0);
    }
    assert_eq!(world.clients[0].messages(CHAT), ["p1", "p2", "p3"]);
}

/// A resume that breaks off in the middle of a page.
#[test]
fn a_resume_that_is_interrupted_again_and_again_neither_loses_nor_repeats() {
    let mut world = with_messages(1);
    world.disconnect(0);
    world.server_publishes(CHAT, 20);
    for _ in 0..20 {
        world.apply(Event::Dial(0));
        let id = world.connection(0);
        world.apply(Event::ToServer(id));
        for _ in 0..2 {
            world.apply(Event::Pump(id, CHAT.to_owned()));
            world.apply(Event::ToClient(id));
        }
        world.disconnect(0);
    }
    world.connect(0);
    world.check_at_rest();
}

/// Mercure authorises what it replays with today's token.
#[test]
fn what_a_subscriber_may_not_see_any_more_is_not_replayed() {
    let mut world = with_messages(1);
    world.disconnect(0);
    world.server_publishes(CHAT, 2);
    world.server.hides_history.insert(CHAT.to_owned());
    world.connect(0);
    assert_eq!(world.clients[0].items(CHAT)[1..], [Item::Gap(GapReason::Refused, Some(2)), Item::CaughtUp]);
    world.check_at_rest();
}
