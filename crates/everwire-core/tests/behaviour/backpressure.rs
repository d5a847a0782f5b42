//! The platform's buffer, its watermarks, and waiting for it.

use everwire_core::{Config, Input, Watermarks};

use crate::world::{OPEN, Sent, World, ms, s};

fn small() -> Config {
    Config { watermarks: Watermarks::default().high(100).low(40), ..Config::default() }
}

#[test]
fn above_the_high_water_mark_messages_wait_until_the_buffer_is_down_at_the_low_one() {
    let mut world = World::open(small(), 1);
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
fn an_answer_of_the_server_makes_the_buffer_worth_measuring() {
    let mut world = World::open(small(), 1);
    for _ in 0..11 {
        world.accept("ten bytes!");
    }
    assert!(!world.client.is_ready());
    world.link.buffered = Some(40);
    // No time passes: in a hidden page the next timer could be a minute away.
    let socket = world.socket();
    world.receive(socket, "I have ten of them");
    assert!(world.client.is_ready());
}

#[test]
fn between_the_marks_a_buffer_that_was_never_above_the_high_one_takes_more() {
    let mut world = World::open(small(), 2);
    for filled in [10, 50, 99] {
        world.link.buffered = Some(filled);
        world.run_for(s(2));
        assert!(matches!(world.send("x"), Ok(Sent::Now(_))), "{filled}");
        assert!(world.client.is_ready());
    }
}

#[test]
fn a_buffer_that_empties_as_fast_as_it_fills_never_holds_messages_back() {
    let mut world = World::open(small(), 3);
    world.link.buffered = Some(0);
    for _ in 0..1_000 {
        assert!(matches!(world.send("ten bytes!"), Ok(Sent::Now(_))));
        assert!(world.client.is_ready());
    }
}

#[test]
fn a_burst_measures_the_buffer_seldom() {
    let mut world = World::open(Config::default(), 4);
    for _ in 0..10_000 {
        world.accept("x");
    }
    assert!(world.measurements <= 10, "{}", world.measurements);
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
fn a_flush_completes_when_everything_was_handed_to_the_network() {
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
fn a_flush_before_the_connection_opens_completes() {
    let mut world = World::new(Config::default(), 7);
    world.input(OPEN);
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
fn an_idle_connection_does_not_measure_its_buffer() {
    let mut world = World::open(Config::default(), 9);
    world.accept("one");
    world.run_for(s(2));
    let before = world.measurements;
    world.run_for(s(3_600));
    assert_eq!(world.measurements, before);
}

#[test]
fn a_high_water_mark_of_zero_still_lets_messages_through() {
    let mut world = World::open(Config { watermarks: Watermarks::default().high(0).low(0), ..Config::default() }, 10);
    for _ in 0..10 {
        world.accept("x");
    }
    world.run_for(s(1));
    assert!(world.client.is_ready());
    assert_eq!(world.server.received.len(), 10);
}

#[test]
fn a_priority_message_overtakes_the_outbox_and_a_full_buffer() {
    let mut world = World::open(small(), 11);
    for _ in 0..11 {
        world.accept("ten bytes!");
    }
    assert!(matches!(world.send("later"), Ok(Sent::Queued(_))));
    assert!(matches!(world.send_first("token"), Ok(Sent::Now(_))));
    assert_eq!(world.client.outbox().len(), 1);
    world.link.buffered = Some(0);
    world.run_for(s(2));
    assert_eq!(world.server.texts()[11..], ["token", "later"]);
}

#[test]
fn without_an_open_connection_a_priority_message_waits_in_order() {
    let mut world = World::new(small(), 12);
    assert!(matches!(world.send("first"), Ok(Sent::Queued(_))));
    assert!(matches!(world.send_first("second"), Ok(Sent::Queued(_))));
    world.input(OPEN);
    assert!(matches!(world.send_first("third"), Ok(Sent::Queued(_))));
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["first", "second", "third"]);
}
