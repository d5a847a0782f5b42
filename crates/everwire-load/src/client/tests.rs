//! The state machine of a client in virtual time, and the limits of its socket.

use std::collections::VecDeque;

use tokio::time::{Duration, advance};

use super::*;
use crate::cli::tests::plan;
use crate::payload::PayloadHeader;
use crate::record::Histogram;
use crate::statistics::WorkerReport;

/// A client with its counters, and the messages that it has sent.
struct Harness {
    state: ClientState,
    counters: Arc<WorkerCounters>,
    sent: VecDeque<String>,
    is_closed: bool,
}

impl Harness {
    fn new(role: Role, flags: &[&str]) -> Self {
        let plan = Arc::new(plan(flags).unwrap());
        let counters = Arc::new(WorkerCounters::default());
        let client = ClientPlan { number: 3, role };
        let state = ClientState::new(plan, client, Clock::start(), Arc::clone(&counters), Instant::now());
        Self { state, counters, sent: VecDeque::new(), is_closed: false }
    }

    /// A client that is connected and sends from now on.
    fn loading(role: Role, flags: &[&str]) -> Self {
        let mut harness = Self::new(role, flags);
        harness.open();
        harness.start_load();
        harness
    }

    fn start_load(&mut self) {
        let Plan { warm_up, duration, .. } = *self.state.plan;
        self.state.start_load(SendWindow::new(Instant::now(), warm_up, duration));
    }

    fn open(&mut self) {
        let actions = self.state.opened();
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::SendLoad { text, .. } | Action::SendControl(text) => self.sent.push_back(text),
                Action::Close => self.is_closed = true,
            }
        }
    }

    /// Advances the time until the next message is due, and by `late`.
    async fn until_due(&mut self, late: Duration) {
        let due = self.state.due().unwrap();
        advance(due - Instant::now() + late).await;
        let actions = self.state.on_due(Instant::now());
        self.perform(actions);
    }

    /// Answers the next sent message after some time.
    async fn echo(&mut self, after: Duration) -> String {
        advance(after).await;
        let text = self.sent.pop_front().unwrap();
        self.receive(&text);
        text
    }

    fn receive(&mut self, text: &str) {
        let actions = self.state.received(text, Instant::now());
        self.perform(actions);
    }

    fn counted(&self) -> WorkerReport {
        self.counters.take()
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn max_ms(histogram: &Histogram) -> f64 {
    histogram.percentiles().unwrap().max_ms
}

#[tokio::test(start_paused = true)]
async fn every_ping_of_the_schedule_is_sent_and_its_round_trip_is_measured() {
    let mut harness = Harness::loading(Role::Pinger, &["--ping-period", "1s", "--duration", "10s"]);
    while harness.state.due().is_some() {
        harness.until_due(ms(0)).await;
        harness.echo(ms(7)).await;
    }
    let WorkerReport { gauges, counts } = harness.counted();
    assert_eq!((counts.sent, counts.answered, counts.answered_again), (10, 10, 0));
    assert_eq!((gauges.connected, gauges.sending, gauges.unsent), (1, 0, 0));
    let found = counts.round_trip.percentiles().unwrap();
    assert!((found.p50_ms - 7.0).abs() < 0.01 && (found.max_ms - 7.0).abs() < 0.01, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn the_latency_of_a_late_message_counts_from_when_it_was_due() {
    let mut harness = Harness::loading(Role::Pinger, &[]);
    harness.until_due(ms(400)).await;
    harness.echo(ms(7)).await;
    let counts = harness.counted().counts;
    assert!((max_ms(&counts.round_trip) / 405.0 - 1.0).abs() < 0.001);
    assert!((max_ms(&counts.lag) / 400.0 - 1.0).abs() < 0.001);
}

#[tokio::test(start_paused = true)]
async fn the_resolution_of_the_timer_does_not_count_as_latency() {
    let mut harness = Harness::loading(Role::Pinger, &[]);
    harness.until_due(ms(1)).await;
    harness.echo(ms(7)).await;
    assert!((max_ms(&harness.counted().counts.round_trip) - 7.0).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_fires_later_than_its_resolution_adds_the_excess() {
    let mut harness = Harness::loading(Role::Pinger, &[]);
    harness.until_due(Duration::from_micros(2100)).await;
    harness.echo(ms(7)).await;
    let found = max_ms(&harness.counted().counts.round_trip);
    assert!((found - 7.1).abs() < 0.01, "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_delayed_client_sends_all_messages_that_came_due() {
    let mut harness = Harness::loading(Role::Pinger, &["--ping-period", "1s", "--duration", "10s"]);
    harness.until_due(ms(3500)).await;
    assert_eq!(harness.sent.len(), 4);
    assert_eq!(harness.counted().counts.sent, 4);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_answer_is_a_duplicate_and_an_answer_to_nothing_is_unexpected() {
    let mut harness = Harness::loading(Role::Pinger, &[]);
    harness.until_due(ms(0)).await;
    let text = harness.echo(ms(1)).await;
    harness.receive(&text);
    for stranger in ["hello", &text.replacen("00000003", "00000004", 1), &format!("0{text}")] {
        harness.receive(stranger);
    }
    let never_sent = PayloadHeader { number: 99, ..PayloadHeader::parse(&text).unwrap() };
    harness.receive(&never_sent.payload(64));
    let counts = harness.counted().counts;
    assert_eq!((counts.answered, counts.answered_again, counts.unexpected), (1, 1, 4));
}

#[tokio::test(start_paused = true)]
async fn messages_due_without_a_connection_wait_and_are_sent_first_after_the_reconnect() {
    let mut harness = Harness::loading(Role::Pinger, &["--ping-period", "1s"]);
    harness.state.disconnected("connection lost".into());
    harness.until_due(ms(0)).await;
    harness.until_due(ms(0)).await;
    assert!(harness.sent.is_empty());
    let WorkerReport { gauges, counts } = harness.counted();
    assert_eq!((gauges.unsent, gauges.connected, counts.sent, counts.disconnects), (2, 0, 2, 1));
    harness.open();
    let numbers: Vec<u32> = harness.sent.iter().map(|text| PayloadHeader::parse(text).unwrap().number).collect();
    assert_eq!(numbers, [0, 1]);
    harness.echo(ms(0)).await;
    let WorkerReport { gauges, counts } = harness.counted();
    assert_eq!((gauges.unsent, gauges.connected, counts.reconnects, counts.opened), (0, 1, 1, 0));
    // The first ping waited one second, for the second ping and the connection.
    assert!((max_ms(&counts.round_trip) / 1000.0 - 1.0).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn a_client_settles_once_whether_it_connects_or_fails() {
    let mut harness = Harness::new(Role::Pinger, &[]);
    for _ in 0..3 {
        harness.state.disconnected("refused".into());
    }
    harness.open();
    let WorkerReport { gauges, counts } = harness.counted();
    assert_eq!((gauges.settled, gauges.connected), (1, 1));
    assert_eq!((counts.failed_dials, counts.disconnects, counts.opened, counts.reconnects), (3, 0, 1, 0));
    assert_eq!(counts.reasons["refused"], 3);
}

#[tokio::test(start_paused = true)]
async fn the_handshake_time_is_that_of_the_successful_attempt() {
    let mut harness = Harness::new(Role::Pinger, &[]);
    advance(ms(40)).await;
    harness.state.disconnected("refused".into());
    harness.state.dials_at(Instant::now() + ms(1000));
    advance(ms(1003)).await;
    harness.open();
    let found = max_ms(&harness.counted().counts.handshake);
    assert!((found - 3.0).abs() < 0.01, "{found}");
}

#[tokio::test(start_paused = true)]
async fn in_a_dialect_nothing_is_sent_before_its_handshake_is_complete() {
    let mut harness = Harness::loading(Role::Pinger, &["--dialect", "socket.io"]);
    harness.until_due(ms(0)).await;
    assert!(harness.sent.is_empty());
    harness.receive("0{}");
    assert_eq!(harness.sent.pop_front().as_deref(), Some("40"));
    harness.receive(r#"40{"sid":"x"}"#);
    assert!(harness.echo(ms(5)).await.starts_with(r#"42["echo",""#));
    assert_eq!(harness.counted().counts.answered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_counts_each_message_of_each_publisher_once_and_measures_it() {
    let flags = ["--subscribers", "50%"];
    let mut subscriber = Harness::loading(Role::Subscriber, &flags);
    assert_eq!(subscriber.counted().gauges.expecting, 1);
    let header = |client, number| PayloadHeader {
        run: subscriber.state.plan.run,
        client,
        number,
        is_counted: true,
        due: subscriber.state.clock.micros(Instant::now()),
    };
    let sent = [header(7, 0), header(7, 2), header(8, 0), header(7, 0)];
    advance(ms(30)).await;
    sent.iter().for_each(|header| subscriber.receive(&header.payload(64)));
    let counts = subscriber.counted().counts;
    assert_eq!((counts.delivered, counts.delivered_again), (3, 1));
    assert!((max_ms(&counts.one_way) - 30.0).abs() < 0.05);
}

#[tokio::test(start_paused = true)]
async fn a_late_subscriber_does_not_make_up_for_the_losses_of_others() {
    let mut subscriber = Harness::new(Role::Subscriber, &["--subscribers", "50%"]);
    subscriber.start_load();
    subscriber.open();
    let header = PayloadHeader { run: subscriber.state.plan.run, client: 7, number: 0, is_counted: true, due: 0 };
    subscriber.receive(&header.payload(64));
    let WorkerReport { gauges, counts } = subscriber.counted();
    assert_eq!((gauges.connected, gauges.expecting), (1, 0));
    assert_eq!((counts.delivered, counts.one_way.count(), counts.unexpected), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_of_the_start_is_expected_to_receive_after_a_disconnect() {
    let mut subscriber = Harness::loading(Role::Subscriber, &["--subscribers", "50%"]);
    subscriber.state.disconnected("connection lost".into());
    assert_eq!(subscriber.counted().gauges.expecting, 1);
    subscriber.open();
    let header = PayloadHeader { run: subscriber.state.plan.run, client: 7, number: 5, is_counted: true, due: 0 };
    subscriber.receive(&header.payload(64));
    let WorkerReport { gauges, counts } = subscriber.counted();
    assert_eq!((gauges.expecting, counts.delivered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_arrives_before_the_command_to_begin_counts() {
    let mut subscriber = Harness::new(Role::Subscriber, &["--subscribers", "50%"]);
    subscriber.open();
    let header = PayloadHeader { run: subscriber.state.plan.run, client: 7, number: 0, is_counted: true, due: 0 };
    subscriber.receive(&header.payload(64));
    subscriber.state.disconnected("connection lost".into());
    subscriber.start_load();
    let WorkerReport { gauges, counts } = subscriber.counted();
    assert_eq!((gauges.expecting, counts.delivered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn messages_of_another_run_are_not_deliveries() {
    let mut subscriber = Harness::loading(Role::Subscriber, &["--subscribers", "50%"]);
    let header = PayloadHeader {
        run: subscriber.state.plan.run.wrapping_add(1),
        client: 7,
        number: 0,
        is_counted: true,
        due: 0,
    };
    subscriber.receive(&header.payload(64));
    let counts = subscriber.counted().counts;
    assert_eq!((counts.delivered, counts.unexpected), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn publishers_publish_and_expect_no_answer() {
    let mut publisher = Harness::loading(Role::Publisher, &["--subscribers", "50%", "--publish-period", "2s"]);
    publisher.until_due(ms(0)).await;
    let text = publisher.echo(ms(1)).await;
    assert_eq!(PayloadHeader::parse(&text).unwrap().client, 3);
    let counts = publisher.counted().counts;
    assert_eq!((counts.published, counts.sent, counts.answered, counts.unexpected), (1, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn messages_of_the_warm_up_are_sent_on_the_same_schedule_and_not_counted() {
    let flags = ["--ping-period", "1s", "--warm-up", "3s", "--duration", "10s"];
    let mut harness = Harness::loading(Role::Pinger, &flags);
    let mut sent = 0;
    while harness.state.due().is_some() {
        harness.until_due(ms(0)).await;
        harness.echo(ms(7)).await;
        sent += 1;
    }
    let WorkerReport { gauges, counts } = harness.counted();
    assert_eq!(sent, 13);
    assert_eq!((counts.sent, counts.answered, counts.unexpected, gauges.sending), (10, 10, 0, 0));
    assert_eq!((counts.round_trip.count(), counts.lag.count()), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_warm_up_does_not_count_whenever_it_arrives() {
    let flags = ["--ping-period", "1s", "--warm-up", "1s", "--duration", "1s"];
    let mut harness = Harness::loading(Role::Pinger, &flags);
    // Sent after the warm-up, in which it was due.
    harness.until_due(ms(999)).await;
    let warm_up = harness.sent.pop_front().unwrap();
    let counts = harness.counted().counts;
    assert_eq!((counts.sent, counts.lag.count()), (0, 0));
    harness.until_due(ms(0)).await;
    harness.receive(&warm_up);
    harness.receive(&warm_up);
    let counts = harness.counted().counts;
    assert_eq!((counts.sent, counts.answered, counts.answered_again, counts.unexpected), (1, 0, 0, 0));
    harness.echo(ms(1)).await;
    assert_eq!(harness.counted().counts.answered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_warm_up_that_waits_for_a_connection_is_not_unsent() {
    let flags = ["--ping-period", "1s", "--warm-up", "1s", "--duration", "1s"];
    let mut harness = Harness::loading(Role::Pinger, &flags);
    harness.state.disconnected("connection lost".into());
    harness.until_due(ms(0)).await;
    assert_eq!(harness.counted().gauges.unsent, 0);
    harness.until_due(ms(0)).await;
    assert_eq!(harness.counted().gauges.unsent, 1);
    harness.open();
    assert_eq!((harness.sent.len(), harness.counted().gauges.unsent), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn messages_published_in_the_warm_up_are_not_deliveries() {
    let flags = ["--subscribers", "50%", "--publish-period", "1s", "--warm-up", "1s", "--duration", "1s"];
    let mut publisher = Harness::loading(Role::Publisher, &flags);
    publisher.until_due(ms(0)).await;
    publisher.until_due(ms(0)).await;
    assert_eq!(publisher.counted().counts.published, 1);
    let mut subscriber = Harness::loading(Role::Subscriber, &flags);
    for text in publisher.sent {
        let header = PayloadHeader { run: subscriber.state.plan.run, ..PayloadHeader::parse(&text).unwrap() };
        subscriber.receive(&header.payload(64));
    }
    let counts = subscriber.counted().counts;
    assert_eq!((counts.delivered, counts.one_way.count(), counts.unexpected), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_call_is_counted_and_the_client_continues() {
    let mut harness = Harness::loading(Role::Pinger, &["--dialect", "socketcluster", "--ping-period", "1s"]);
    harness.sent.clear();
    harness.receive(r#"{"rid":1,"data":{"id":"x"}}"#);
    harness.until_due(ms(0)).await;
    harness.receive(r#"{"rid":2,"error":{"message":"not now"}}"#);
    harness.until_due(ms(0)).await;
    assert_eq!((harness.sent.len(), harness.is_closed), (2, false));
    let WorkerReport { gauges, counts } = harness.counted();
    assert_eq!((gauges.connected, gauges.unsent, counts.disconnects, counts.reasons["not now"]), (1, 0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_client_closes_its_connection_and_its_messages_are_lost() {
    let mut harness = Harness::loading(Role::Pinger, &["--dialect", "socket.io", "--ping-period", "1s"]);
    harness.receive(r#"40{"sid":"x"}"#);
    harness.receive("41");
    assert!(harness.is_closed);
    harness.until_due(ms(0)).await;
    let WorkerReport { gauges, counts } = harness.counted();
    assert_eq!((gauges.connected, gauges.unsent, counts.sent, counts.disconnects), (0, 1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_unrequested_message_is_unexpected_in_a_dialect_as_well() {
    let mut harness = Harness::loading(Role::Pinger, &["--dialect", "socket.io"]);
    harness.receive(r#"40{"sid":"x"}"#);
    for text in ["42[7]", r#"42["news",{"a":1}]"#, "2"] {
        harness.receive(text);
    }
    assert_eq!(harness.counted().counts.unexpected, 2);
}

#[tokio::test(start_paused = true)]
async fn a_discarded_message_is_unsent_if_it_counts() {
    let mut harness = Harness::loading(Role::Pinger, &["--ping-period", "1s", "--warm-up", "1s"]);
    for _ in 0..2 {
        harness.until_due(ms(0)).await;
    }
    harness.state.discarded("41");
    for text in core::mem::take(&mut harness.sent) {
        harness.state.discarded(&text);
    }
    assert_eq!(harness.counted().gauges.unsent, 1);
}

#[test]
fn text_and_binary_messages_carry_the_same_text() {
    assert!(matches!(message_of("abc".into(), true), Message::Binary(_)));
    assert!(matches!(message_of("abc".into(), false), Message::Text(_)));
    assert_eq!([true, false].map(|is_binary| text_of(message_of("abc".into(), is_binary))), ["abc", "abc"]);
    assert_eq!(text_of(Message::Binary(vec![0xff])), NOT_TEXT);
}

#[test]
fn the_outbox_has_room_for_several_messages_of_any_size() {
    let largest = 64 << 20;
    assert!(outbox(64).max_bytes >= 1000 * 64 && outbox(largest).max_bytes > 4 * largest);
}
