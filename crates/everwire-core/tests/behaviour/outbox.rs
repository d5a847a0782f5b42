//! What waits to be sent.

use everwire_core::{Config, DiscardReason, Event, Input, OutboxLimits, Refusal, SendOptions, Sent, State, WhenFull};

use crate::world::{Greets, World, ms, s};

fn discarded(world: &World) -> Vec<(u64, DiscardReason)> {
    let discarded = world.log.iter().filter_map(|(_, event)| match event {
        Event::Discarded { id, reason, .. } => Some((id.0, *reason)),
        _ => None,
    });
    discarded.collect()
}

fn with(outbox: OutboxLimits) -> Config {
    Config { outbox, ..Config::default() }
}

#[test]
fn what_is_sent_before_the_connection_opens_goes_out_in_order_after_the_greeting() {
    let mut world = World::new(Config::default(), 1);
    world.greeting = vec!["token".to_owned(), "subscribe".to_owned()];
    world.accept("idle");
    world.input(Input::Open);
    world.accept("connecting");
    world.run_until_open();
    world.accept("open");
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["token", "subscribe", "idle", "connecting", "open"]);
}

#[test]
fn each_new_socket_is_greeted_before_what_waited() {
    let mut world = World::open(Config::default(), 2);
    world.greeting = vec!["token".to_owned()];
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
    world.server.greets = Greets::Refuses;
    world.input(Input::Open);
    world.accept("patient");
    world.run_for(s(3_600));
    world.server.greets = Greets::Accepts;
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["patient"]);
}

#[test]
fn a_full_outbox_refuses_and_says_so() {
    let mut world = World::new(with(OutboxLimits { max_messages: 2, ..OutboxLimits::default() }), 4);
    world.accept("a");
    world.accept("b");
    assert!(!world.client.is_ready());
    let refused = world.send("c").unwrap_err();
    assert_eq!((refused.refusal, refused.message.as_str()), (Refusal::Full, "c"));
    assert_eq!(discarded(&world), []);
}

#[test]
fn the_oldest_make_room_where_the_application_chose_so_and_each_is_reported() {
    let limits = OutboxLimits { max_messages: 2, when_full: WhenFull::DropOldest, ..OutboxLimits::default() };
    let mut world = World::new(with(limits), 5);
    for message in ["a", "b", "c", "d"] {
        world.accept(message);
    }
    assert_eq!(discarded(&world), [(1, DiscardReason::Evicted), (2, DiscardReason::Evicted)]);
    world.input(Input::Open);
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["c", "d"]);
}

#[test]
fn only_the_latest_of_a_key_goes_out() {
    let mut world = World::new(Config::default(), 6);
    for position in ["1,1", "1,2", "1,3"] {
        let options = SendOptions { key: Some("position".to_owned()), ..SendOptions::default() };
        let _ = world.send_with(position, options).unwrap();
    }
    assert_eq!(discarded(&world), [(1, DiscardReason::Replaced), (2, DiscardReason::Replaced)]);
    world.input(Input::Open);
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["1,3"]);
}

#[test]
fn what_waited_longer_than_it_may_is_reported_when_its_time_is_up_and_never_sent() {
    let mut world = World::new(with(OutboxLimits { time_to_live: Some(s(60)), ..OutboxLimits::default() }), 7);
    world.server.greets = Greets::Refuses;
    world.input(Input::Open);
    let start = world.now;
    world.accept("a minute");
    let _ = world.send_with("a second", SendOptions { time_to_live: Some(s(1)), ..SendOptions::default() }).unwrap();
    world.run_for(s(90));
    let ends = world.log.iter().filter(|(_, event)| matches!(event, Event::Discarded { .. }));
    let times: Vec<_> = ends.map(|(at, _)| *at - start).collect();
    assert_eq!(discarded(&world), [(2, DiscardReason::Expired), (1, DiscardReason::Expired)]);
    assert_eq!(times, [s(1), s(60)]);
    world.server.greets = Greets::Accepts;
    world.run_until_open();
    world.run_for(s(1));
    assert!(world.server.heard.is_empty());
}

#[test]
fn what_expired_unseen_while_the_page_was_frozen_is_not_sent_on_its_return() {
    let mut world = World::open(Config::default(), 8);
    world.drop_socket();
    let _ = world.send_with("stale", SendOptions { time_to_live: Some(s(5)), ..SendOptions::default() }).unwrap();
    world.freeze_for(s(3_600));
    world.page(everwire_core::Page::Resumed);
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!((world.server.heard.len(), discarded(&world)), (0, vec![(1, DiscardReason::Expired)]));
}

#[test]
fn what_is_sent_after_the_end_comes_back() {
    let mut world = World::open(Config::default(), 9);
    world.close();
    assert_eq!(world.send("closing").unwrap_err().refusal, Refusal::Closed);
    world.run_for(s(1));
    assert_eq!(world.client.state(), State::Closed);
    assert_eq!(world.send("closed").unwrap_err().refusal, Refusal::Closed);
    world.input(Input::Reconnect);
    world.accept("again");
    world.run_for(ms(200));
    assert_eq!(world.server.texts(), ["again"]);
}
