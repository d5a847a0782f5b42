//! What waits to be sent.

use everwire_core::{Action, Config, DiscardReason, Input, OutboxLimits, Phase, QueueOptions, Refusal, WhenFull};

use crate::world::{Accepts, OPEN, Sent, World, ms, s};

fn discarded(world: &World) -> Vec<(u64, DiscardReason)> {
    let discarded = world.log.iter().filter_map(|(_, action)| match action {
        Action::Discarded { id, reason, .. } => Some((id.0, *reason)),
        _ => None,
    });
    discarded.collect()
}

fn with(outbox: OutboxLimits) -> Config {
    Config { outbox, ..Config::default() }
}

#[test]
fn messages_sent_before_the_connection_opens_go_out_in_order_after_the_on_open_messages() {
    let mut world = World::new(Config::default(), 1);
    world.on_open = vec!["token".to_owned(), "subscribe".to_owned()];
    world.accept("idle");
    world.input(OPEN);
    world.accept("connecting");
    world.run_until_open();
    world.accept("open");
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["token", "subscribe", "idle", "connecting", "open"]);
}

#[test]
fn on_open_messages_go_out_on_each_new_socket_before_what_waited() {
    let mut world = World::open(Config::default(), 2);
    world.on_open = vec!["token".to_owned()];
    world.drop_socket();
    assert!(matches!(world.send("a"), Ok(Sent::Queued(_))));
    assert!(matches!(world.send("b"), Ok(Sent::Queued(_))));
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["token", "a", "b"]);
}

#[test]
fn what_waits_outlives_any_number_of_failed_attempts() {
    let mut world = World::new(Config::default(), 3);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    world.accept("patient");
    world.run_for(s(3_600));
    world.server.accepts = Accepts::Always;
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["patient"]);
}

#[test]
fn a_full_outbox_refuses_messages_and_is_not_ready() {
    let mut world = World::new(with(OutboxLimits::default().max_messages(2)), 4);
    world.accept("a");
    world.accept("b");
    assert!(!world.client.is_ready());
    assert_eq!(world.send("c"), Err(Refusal::Full));
    assert_eq!(discarded(&world), []);
}

#[test]
fn the_oldest_make_room_where_the_application_chose_so_and_each_is_reported() {
    let limits = OutboxLimits::default().max_messages(2).when_full(WhenFull::DropOldest);
    let mut world = World::new(with(limits), 5);
    for message in ["a", "b", "c", "d"] {
        world.accept(message);
    }
    assert_eq!(discarded(&world), [(1, DiscardReason::Evicted), (2, DiscardReason::Evicted)]);
    world.input(OPEN);
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["c", "d"]);
}

#[test]
fn a_message_that_was_replaced_does_not_go_out() {
    let mut world = World::new(Config::default(), 6);
    let mut replaces = None;
    for position in ["1,1", "1,2", "1,3"] {
        let sent = world.send_with(position, QueueOptions { replaces, ..QueueOptions::default() }).unwrap();
        replaces = Some(sent.id());
    }
    assert_eq!(discarded(&world), [(1, DiscardReason::Replaced), (2, DiscardReason::Replaced)]);
    world.input(OPEN);
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["1,3"]);
}

#[test]
fn what_waited_longer_than_it_may_is_reported_when_its_time_is_up_and_never_sent() {
    let mut world = World::new(with(OutboxLimits::default().time_to_live(s(60))), 7);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    let start = world.now;
    world.accept("a minute");
    let _ = world.send_with("a second", QueueOptions { time_to_live: Some(s(1)), ..QueueOptions::default() }).unwrap();
    world.run_for(s(90));
    let ends = world.log.iter().filter(|(_, action)| matches!(action, Action::Discarded { .. }));
    let times: Vec<_> = ends.map(|(at, _)| *at - start).collect();
    assert_eq!(discarded(&world), [(2, DiscardReason::Expired), (1, DiscardReason::Expired)]);
    assert_eq!(times, [s(1), s(60)]);
    world.server.accepts = Accepts::Always;
    world.run_until_open();
    world.run_for(s(1));
    assert!(world.server.received.is_empty());
}

#[test]
fn what_expired_unseen_while_the_page_was_frozen_is_not_sent_on_its_return() {
    let mut world = World::open(Config::default(), 8);
    world.drop_socket();
    let _ = world.send_with("stale", QueueOptions { time_to_live: Some(s(5)), ..QueueOptions::default() }).unwrap();
    world.freeze_for(s(3_600));
    world.page(everwire_core::Page::Resumed);
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!((world.server.received.len(), discarded(&world)), (0, vec![(1, DiscardReason::Expired)]));
}

#[test]
fn messages_sent_after_the_end_are_refused() {
    let mut world = World::open(Config::default(), 9);
    world.close();
    assert_eq!(world.send("closing"), Err(Refusal::Closed));
    world.run_for(s(1));
    assert_eq!(world.client.phase(), Phase::Closed);
    assert_eq!(world.send("closed"), Err(Refusal::Closed));
    world.input(Input::Reconnect);
    world.accept("again");
    world.run_for(ms(200));
    assert_eq!(world.server.texts(), ["again"]);
}
