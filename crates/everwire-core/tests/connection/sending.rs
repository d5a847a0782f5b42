//! Messages on their way: the platform's buffer, the outbox, large uploads, and the report of messages that may be lost.

use everwire_core::{
    Action, AtRisk, CloseOutcome, ClosingHandshake, Config, DiscardReason, Input, OutboxLimits, Page, Phase,
    QueueOptions, Refusal, Watermarks, WhenFull,
};

use crate::simulation::{OPEN, OnDial, Sent, Simulation, ms, s};

// The platform's buffer, its watermarks, and flushing.

fn small_watermarks() -> Config {
    Config { watermarks: Watermarks::default().high(100).low(40), ..Config::default() }
}

#[test]
fn above_the_high_water_mark_messages_wait_until_the_buffer_is_down_at_the_low_one() {
    let mut sim = Simulation::open(small_watermarks(), 1);
    for _ in 0..11 {
        sim.send_accepted("ten bytes!");
    }
    assert!(!sim.client.is_ready());
    assert!(matches!(sim.send("later"), Ok(Sent::Queued(_))));
    sim.link.buffered = Some(41);
    sim.run_for(s(1));
    assert!(!sim.client.is_ready() && sim.client.outbox().len() == 1, "41 is not below the low-water mark");
    sim.link.buffered = Some(40);
    sim.run_for(ms(25));
    assert!(sim.client.is_ready() && sim.client.outbox().is_empty());
}

#[test]
fn an_answer_of_the_server_makes_the_buffer_worth_measuring() {
    let mut sim = Simulation::open(small_watermarks(), 1);
    for _ in 0..11 {
        sim.send_accepted("ten bytes!");
    }
    assert!(!sim.client.is_ready());
    sim.link.buffered = Some(40);
    // No time passes: in a hidden page the next timer could be a minute away.
    let socket = sim.socket();
    sim.receive(socket, "I have ten of them");
    assert!(sim.client.is_ready());
}

#[test]
fn between_the_marks_a_buffer_that_was_never_above_the_high_one_takes_more() {
    let mut sim = Simulation::open(small_watermarks(), 2);
    for filled in [10, 50, 99] {
        sim.link.buffered = Some(filled);
        sim.run_for(s(2));
        assert!(matches!(sim.send("x"), Ok(Sent::Now(_))), "{filled}");
        assert!(sim.client.is_ready());
    }
}

#[test]
fn a_buffer_that_empties_as_fast_as_it_fills_never_holds_messages_back() {
    let mut sim = Simulation::open(small_watermarks(), 3);
    sim.link.buffered = Some(0);
    for _ in 0..1_000 {
        assert!(matches!(sim.send("ten bytes!"), Ok(Sent::Now(_))));
        assert!(sim.client.is_ready());
    }
}

#[test]
fn a_burst_measures_the_buffer_seldom() {
    let mut sim = Simulation::open(Config::default(), 4);
    for _ in 0..10_000 {
        sim.send_accepted("x");
    }
    assert!(sim.measurements <= 10, "{}", sim.measurements);
}

#[test]
fn the_order_is_kept_when_the_buffer_fills_and_empties() {
    let mut sim = Simulation::open(small_watermarks(), 5);
    sim.link.uplink = Some(1_000.0);
    sim.link.kernel = 20;
    let sent: Vec<String> = (0..200).map(|number| format!("message {number}")).collect();
    for message in &sent {
        sim.send_accepted(message);
        sim.run_for(ms(3));
    }
    sim.run_for(s(10));
    assert_eq!(sim.server.texts(), sent);
}

#[test]
fn a_flush_completes_when_everything_was_handed_to_the_network() {
    let mut sim = Simulation::open(Config::default(), 6);
    sim.link.uplink = Some(1_000.0);
    sim.link.kernel = 100;
    sim.send_accepted(&"x".repeat(2_100));
    sim.input(Input::Flush);
    sim.run_for(ms(1_950));
    assert!(!sim.client.is_flushed());
    sim.run_for(ms(100));
    assert!(sim.client.is_flushed());
}

#[test]
fn a_flush_before_the_connection_opens_completes() {
    let mut sim = Simulation::new(Config::default(), 7);
    sim.input(OPEN);
    sim.send_accepted("a");
    sim.input(Input::Flush);
    assert!(!sim.client.is_flushed());
    sim.run_until_open();
    sim.run_for(ms(30));
    assert!(sim.client.is_flushed());
}

#[test]
fn a_flush_outlives_the_socket() {
    let mut sim = Simulation::open(small_watermarks(), 8);
    sim.link.buffered = Some(1_000);
    for _ in 0..20 {
        sim.send_accepted("ten bytes!");
    }
    sim.input(Input::Flush);
    sim.drop_socket();
    assert!(!sim.client.is_flushed(), "the rest still waits");
    sim.link.buffered = Some(0);
    sim.run_until_open();
    sim.run_for(ms(50));
    assert!(sim.client.is_flushed());
}

#[test]
fn an_idle_connection_does_not_measure_its_buffer() {
    let mut sim = Simulation::open(Config::default(), 9);
    sim.send_accepted("one");
    sim.run_for(s(2));
    let before = sim.measurements;
    sim.run_for(s(3_600));
    assert_eq!(sim.measurements, before);
}

#[test]
fn a_high_water_mark_of_zero_still_lets_messages_through() {
    let mut sim =
        Simulation::open(Config { watermarks: Watermarks::default().high(0).low(0), ..Config::default() }, 10);
    for _ in 0..10 {
        sim.send_accepted("x");
    }
    sim.run_for(s(1));
    assert!(sim.client.is_ready());
    assert_eq!(sim.server.received.len(), 10);
}

#[test]
fn a_priority_message_overtakes_the_outbox_and_a_full_buffer() {
    let mut sim = Simulation::open(small_watermarks(), 11);
    for _ in 0..11 {
        sim.send_accepted("ten bytes!");
    }
    assert!(matches!(sim.send("later"), Ok(Sent::Queued(_))));
    assert!(matches!(sim.send_priority("token"), Ok(Sent::Now(_))));
    assert_eq!(sim.client.outbox().len(), 1);
    sim.link.buffered = Some(0);
    sim.run_for(s(2));
    assert_eq!(sim.server.texts()[11..], ["token", "later"]);
}

#[test]
fn without_an_open_connection_a_priority_message_waits_in_order() {
    let mut sim = Simulation::new(small_watermarks(), 12);
    assert!(matches!(sim.send("first"), Ok(Sent::Queued(_))));
    assert!(matches!(sim.send_priority("second"), Ok(Sent::Queued(_))));
    sim.input(OPEN);
    assert!(matches!(sim.send_priority("third"), Ok(Sent::Queued(_))));
    sim.run_until_open();
    sim.run_for(s(1));
    assert_eq!(sim.server.texts(), ["first", "second", "third"]);
}

// The outbox.

fn discarded(sim: &Simulation) -> Vec<(u64, DiscardReason)> {
    let discarded = sim.log.iter().filter_map(|(_, action)| match action {
        Action::Discarded { id, reason, .. } => Some((id.0, *reason)),
        _ => None,
    });
    discarded.collect()
}

fn limited(outbox: OutboxLimits) -> Config {
    Config { outbox, ..Config::default() }
}

#[test]
fn messages_sent_before_the_connection_opens_go_out_in_order_after_the_on_open_messages() {
    let mut sim = Simulation::new(Config::default(), 1);
    sim.on_open = vec!["token".to_owned(), "subscribe".to_owned()];
    sim.send_accepted("idle");
    sim.input(OPEN);
    sim.send_accepted("connecting");
    sim.run_until_open();
    sim.send_accepted("open");
    sim.run_for(s(1));
    assert_eq!(sim.server.texts(), ["token", "subscribe", "idle", "connecting", "open"]);
}

#[test]
fn on_open_messages_go_out_on_each_new_socket_before_what_waited() {
    let mut sim = Simulation::open(Config::default(), 2);
    sim.on_open = vec!["token".to_owned()];
    sim.drop_socket();
    assert!(matches!(sim.send("a"), Ok(Sent::Queued(_))));
    assert!(matches!(sim.send("b"), Ok(Sent::Queued(_))));
    sim.run_until_open();
    sim.run_for(s(1));
    assert_eq!(sim.server.texts(), ["token", "a", "b"]);
}

#[test]
fn what_waits_outlives_any_number_of_failed_attempts() {
    let mut sim = Simulation::new(Config::default(), 3);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    sim.send_accepted("patient");
    sim.run_for(s(3_600));
    sim.server.on_dial = OnDial::Accept;
    sim.run_until_open();
    sim.run_for(s(1));
    assert_eq!(sim.server.texts(), ["patient"]);
}

#[test]
fn a_full_outbox_refuses_messages_and_is_not_ready() {
    let mut sim = Simulation::new(limited(OutboxLimits::default().max_messages(2)), 4);
    sim.send_accepted("a");
    sim.send_accepted("b");
    assert!(!sim.client.is_ready());
    assert_eq!(sim.send("c"), Err(Refusal::Full));
    assert_eq!(discarded(&sim), []);
}

#[test]
fn the_oldest_make_room_where_the_application_chose_so_and_each_is_reported() {
    let limits = OutboxLimits::default().max_messages(2).when_full(WhenFull::DropOldest);
    let mut sim = Simulation::new(limited(limits), 5);
    for message in ["a", "b", "c", "d"] {
        sim.send_accepted(message);
    }
    assert_eq!(discarded(&sim), [(1, DiscardReason::Evicted), (2, DiscardReason::Evicted)]);
    sim.input(OPEN);
    sim.run_for(s(1));
    assert_eq!(sim.server.texts(), ["c", "d"]);
}

#[test]
fn a_message_that_was_replaced_does_not_go_out() {
    let mut sim = Simulation::new(Config::default(), 6);
    let mut replaces = None;
    for position in ["1,1", "1,2", "1,3"] {
        let sent = sim.send_with(position, QueueOptions { replaces, ..QueueOptions::default() }).unwrap();
        replaces = Some(sent.id());
    }
    assert_eq!(discarded(&sim), [(1, DiscardReason::Replaced), (2, DiscardReason::Replaced)]);
    sim.input(OPEN);
    sim.run_for(s(1));
    assert_eq!(sim.server.texts(), ["1,3"]);
}

#[test]
fn what_waited_longer_than_it_may_is_reported_when_its_time_is_up_and_never_sent() {
    let mut sim = Simulation::new(limited(OutboxLimits::default().time_to_live(s(60))), 7);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    let start = sim.now;
    sim.send_accepted("a minute");
    let _ = sim.send_with("a second", QueueOptions { time_to_live: Some(s(1)), ..QueueOptions::default() }).unwrap();
    sim.run_for(s(90));
    let ends = sim.log.iter().filter(|(_, action)| matches!(action, Action::Discarded { .. }));
    let times: Vec<_> = ends.map(|(at, _)| *at - start).collect();
    assert_eq!(discarded(&sim), [(2, DiscardReason::Expired), (1, DiscardReason::Expired)]);
    assert_eq!(times, [s(1), s(60)]);
    sim.server.on_dial = OnDial::Accept;
    sim.run_until_open();
    sim.run_for(s(1));
    assert!(sim.server.received.is_empty());
}

#[test]
fn what_expired_unseen_while_the_page_was_frozen_is_not_sent_on_its_return() {
    let mut sim = Simulation::open(Config::default(), 8);
    sim.drop_socket();
    let _ = sim.send_with("stale", QueueOptions { time_to_live: Some(s(5)), ..QueueOptions::default() }).unwrap();
    sim.freeze_for(s(3_600));
    sim.page(Page::Resumed);
    sim.run_until_open();
    sim.run_for(s(1));
    assert_eq!((sim.server.received.len(), discarded(&sim)), (0, vec![(1, DiscardReason::Expired)]));
}

#[test]
fn messages_sent_after_the_end_are_refused() {
    let mut sim = Simulation::open(Config::default(), 9);
    sim.close();
    assert_eq!(sim.send("closing"), Err(Refusal::Closed));
    sim.run_for(s(1));
    assert_eq!(sim.client.phase(), Phase::Closed);
    assert_eq!(sim.send("closed"), Err(Refusal::Closed));
    sim.input(Input::Reconnect);
    sim.send_accepted("again");
    sim.run_for(ms(200));
    assert_eq!(sim.server.texts(), ["again"]);
}

// Messages at risk.

#[test]
fn messages_that_the_platform_still_held_are_named() {
    let mut sim = Simulation::open(Config::default(), 1);
    sim.send_accepted("1234567890");
    let second = sim.send_accepted("1234567890");
    let third = sim.send_accepted("1234567890");
    sim.link.buffered = Some(15);
    sim.drop_socket();
    let Action::Dropped { at_risk, .. } = sim.last_report() else { panic!("{:?}", sim.last_report()) };
    assert_eq!((at_risk.bytes, &at_risk.messages[..]), (15, &[second, third][..]));
}

#[test]
fn nothing_is_at_risk_where_everything_had_left() {
    let mut sim = Simulation::open(Config::default(), 2);
    sim.send_accepted("1234567890");
    sim.run_for(ms(1));
    sim.drop_socket();
    let Action::Dropped { at_risk, .. } = sim.last_report() else { panic!("{:?}", sim.last_report()) };
    assert_eq!(*at_risk, AtRisk::default());
}

#[test]
fn what_was_sent_long_before_is_not_at_risk_when_a_socket_is_left_without_a_last_word() {
    let mut sim = Simulation::open(Config::default(), 3);
    for _ in 0..100 {
        sim.send_accepted("1234567890");
    }
    sim.run_for(s(2));
    let late = sim.send_accepted("1234567890");
    sim.input(Input::Reconnect);
    assert_eq!(sim.at_risk(), [vec![late]]);
}

#[test]
fn what_a_closing_handshake_that_never_ended_still_held_is_named() {
    let mut sim = Simulation::open(Config::default(), 4);
    sim.server.completes_closing = false;
    let message = sim.send_accepted("1234567890");
    sim.close();
    sim.run_for(s(4));
    let timed_out = CloseOutcome::ByApplication(ClosingHandshake::TimedOut);
    let Action::Closed { outcome, at_risk } = sim.last_report() else {
        panic!("{:?}", sim.last_report());
    };
    assert_eq!((*outcome, &at_risk.messages[..]), (timed_out, &[message][..]));
}

#[test]
fn an_on_open_message_is_not_named_but_its_bytes_count() {
    let mut sim = Simulation::new(Config::default(), 5);
    sim.on_open = vec!["12345".to_owned()];
    sim.link.buffered = Some(5);
    sim.input(OPEN);
    sim.run_until_open();
    sim.drop_socket();
    let Action::Dropped { at_risk, .. } = sim.last_report() else { panic!("{:?}", sim.last_report()) };
    assert_eq!((at_risk.bytes, at_risk.messages.len()), (5, 0));
}

// Large uploads over slow uplinks, behind which a ping has to wait.

fn uploading(bytes: usize, rate: f64, kernel: u64) -> Simulation {
    let mut sim = Simulation::open(Config::default(), 1);
    sim.run_for(s(60));
    sim.link.uplink = Some(rate);
    sim.link.kernel = kernel;
    for _ in 0..bytes / 65_536 {
        sim.send_accepted(&"x".repeat(65_536));
    }
    sim
}

#[test]
fn a_big_upload_on_a_slow_uplink_is_not_taken_for_a_dead_link() {
    for (rate, kernel) in [(20e3, 64 << 10), (50e3, 128 << 10), (100e3, 256 << 10), (400e3, 1 << 20), (2e6, 2 << 20)] {
        let mut sim = uploading(6 << 20, rate, kernel);
        sim.run_for(s((6 << 20) / rate as u64 + 120));
        assert_eq!(sim.drop_causes().len(), 0, "{rate} bytes per second");
        assert_eq!(sim.server.received.len(), 96);
    }
}

#[test]
fn looking_at_the_page_during_an_upload_does_not_end_it() {
    let mut sim = uploading(2 << 20, 60e3, 128 << 10);
    for _ in 0..20 {
        sim.run_for(ms(2_500));
        sim.page(Page::Visible);
    }
    assert_eq!(sim.drop_causes().len(), 0);
    assert!(sim.server.received.len() == 32);
}

#[test]
fn a_link_that_dies_during_an_upload_is_detected() {
    let mut sim = uploading(6 << 20, 100e3, 256 << 10);
    sim.run_for(s(20));
    sim.go_half_open();
    let took = sim.run_until_phase("lost", |phase| matches!(phase, Phase::Waiting { .. }));
    assert!(took <= s(45), "{took:?}");
}

#[test]
fn what_a_dead_link_still_held_is_reported_and_the_rest_goes_out_over_the_next() {
    let mut sim = uploading(4 << 20, 100e3, 256 << 10);
    sim.run_for(s(5));
    sim.go_half_open();
    sim.run_until_replaced();
    let lost: Vec<_> = sim.at_risk().into_iter().flatten().collect();
    sim.link.uplink = None;
    sim.run_for(s(60));
    // What the operating system held is neither: the platform says that it was handed to the network.
    let in_the_kernel = 64 - lost.len() - sim.server.received.len();
    assert!(in_the_kernel <= 5, "{} reported, {} received", lost.len(), sim.server.received.len());
    assert!((4..=17).contains(&lost.len()), "{}", lost.len());
}
