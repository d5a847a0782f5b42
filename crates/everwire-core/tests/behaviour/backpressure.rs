//! The platform's buffer, its watermarks, and waiting for it.

use everwire_core::{Config, Input, SendOptions, Sent, Watermarks};

use crate::world::{World, ms, s};

fn small() -> Config {
    Config { watermarks: Watermarks { high: 100, low: 40 }, ..Config::default() }
}

#[test]
fn above_the_high_water_mark_messages_wait_until_the_buffer_is_down_at_the_low_one() {
    let mut world = World::open(small(), 1);
    world.link.buffered = Some(101);
    for _ in 0..11 {
        world.accept("ten bytes!");
    }
    assert!(!world.client.is_ready());
    assert!(matches!(world.send("later"), Ok(Sent::Queued(_))));
    world.link.buffered = Some(41);
    world.run_for(s(1));
    assert!(!world.client.is_ready() && world.client.outbox().len() == 1, "41 is not below the low-water mark");
    world.link.buffered = Some(40);
    world.run_for(ms(25));
    assert!(world.client.is_ready() && world.client.outbox().is_empty());
}

#[test]
fn an_answer_of_the_server_is_a_reason_to_look_at_the_buffer() {
    let mut world = World::open(small(), 1);
    world.link.buffered = Some(101);
    for _ in 0..11 {
        world.accept("ten bytes!");
    }
    assert!(!world.client.is_ready());
    world.link.buffered = Some(40);
    // No time passes: in a hidden page the next timer could be a minute away.
    let socket = world.socket();
    world.input(Input::Received { socket, message: "I have ten of them".to_owned() });
    assert!(world.client.is_ready());
}

#[test]
fn between_the_marks_a_buffer_that_was_never_above_the_high_one_takes_more() {
    let mut world = World::open(small(), 2);
    for filled in [10, 50, 99] {
        world.link.buffered = Some(filled);
        world.run_for(s(2));
        assert!(matches!(world.send("x"), Ok(Sent::Transmitted(_))), "{filled}");
        assert!(world.client.is_ready());
    }
}

#[test]
fn a_buffer_that_empties_as_fast_as_it_fills_never_holds_messages_back() {
    let mut world = World::open(small(), 3);
    for _ in 0..1_000 {
        assert!(matches!(world.send("ten bytes!"), Ok(Sent::Transmitted(_))));
        assert!(world.client.is_ready());
    }
}

#[test]
fn a_burst_asks_the_platform_seldom() {
    let mut world = World::open(Config::default(), 4);
    for _ in 0..10_000 {
        world.accept("x");
    }
    assert!(world.measurements <= 10_000 / 255, "{}", world.measurements);
}

#[test]
fn the_order_is_kept_when_the_buffer_fills_and_empties() {
    let mut world = World::open(small(), 5);
    world.link.uplink = Some(1_000.0);
    world.link.kernel = 20;
    let sent: Vec<String> = (0..200).map(|number| format!("message {number}")).collect();
    for message in &sent {
        world.accept(message);
        world.run_for(ms(3));
    }
    world.run_for(s(10));
    assert_eq!(world.server.texts(), sent);
}

#[test]
fn a_flush_is_over_when_everything_was_handed_to_the_network() {
    let mut world = World::open(Config::default(), 6);
    world.link.uplink = Some(1_000.0);
    world.link.kernel = 100;
    world.accept(&"x".repeat(2_100));
    world.input(Input::Flush);
    world.run_for(ms(1_950));
    assert!(!world.client.is_flushed());
    world.run_for(ms(100));
    assert!(world.client.is_flushed());
}

#[test]
fn a_flush_asked_for_before_the_connection_opens_comes_to_an_end() {
    let mut world = World::new(Config::default(), 7);
    world.input(Input::Open);
    world.accept("a");
    world.input(Input::Flush);
    assert!(!world.client.is_flushed());
    world.run_until_open();
    world.run_for(ms(30));
    assert!(world.client.is_flushed());
}

#[test]
fn a_flush_outlives_the_socket() {
    let mut world = World::open(small(), 8);
    world.link.buffered = Some(1_000);
    for _ in 0..20 {
        world.accept("ten bytes!");
    }
    world.input(Input::Flush);
    world.drop_socket();
    assert!(!world.client.is_flushed(), "the rest still waits");
    world.link.buffered = Some(0);
    world.run_until_open();
    world.run_for(ms(50));
    assert!(world.client.is_flushed());
}

#[test]
fn an_idle_connection_does_not_look_at_its_buffer() {
    let mut world = World::open(Config::default(), 9);
    world.accept("one");
    world.run_for(s(2));
    let before = world.measurements;
    world.run_for(s(3_600));
    assert_eq!(world.measurements, before);
}

#[test]
fn a_high_water_mark_of_zero_still_lets_messages_through() {
    let mut world = World::open(Config { watermarks: Watermarks { high: 0, low: 0 }, ..Config::default() }, 10);
    for _ in 0..10 {
        world.accept("x");
    }
    assert!(world.client.is_ready());
    world.run_for(s(1));
    assert_eq!(world.server.heard.len(), 10);
}

#[test]
fn what_is_sent_ahead_overtakes_the_outbox_and_a_full_buffer() {
    let mut world = World::open(small(), 11);
    world.link.buffered = Some(101);
    for _ in 0..11 {
        world.accept("ten bytes!");
    }
    assert!(matches!(world.send("later"), Ok(Sent::Queued(_))));
    assert!(matches!(world.send_with("token", ahead()), Ok(Sent::Transmitted(_))));
    assert_eq!(world.client.outbox().len(), 1);
    world.link.buffered = Some(0);
    world.run_for(s(2));
    assert_eq!(world.server.texts()[11..], ["token", "later"]);
}

#[test]
fn without_an_open_connection_what_is_sent_ahead_waits_its_turn() {
    let mut world = World::new(small(), 12);
    assert!(matches!(world.send("first"), Ok(Sent::Queued(_))));
    assert!(matches!(world.send_with("second", ahead()), Ok(Sent::Queued(_))));
    world.input(Input::Open);
    assert!(matches!(world.send_with("third", ahead()), Ok(Sent::Queued(_))));
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["first", "second", "third"]);
}

fn ahead() -> SendOptions {
    SendOptions { ahead: true, ..SendOptions::default() }
}
