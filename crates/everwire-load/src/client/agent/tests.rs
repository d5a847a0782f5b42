use tokio::time::{Duration, advance};

use super::*;
use crate::cli::tests::plan;
use crate::interval::Interval;

/// An agent, the meter that it counts on, and a wire that keeps what it sends.
struct Bench {
    agent: Agent,
    meter: Arc<Meter>,
    wire: VecDeque<String>,
    is_closed: bool,
}

impl Bench {
    fn new(purpose: Purpose, flags: &[&str]) -> Self {
        let plan = Arc::new(plan(flags).unwrap());
        let meter = Arc::new(Meter::default());
        let part = Part { number: 3, purpose };
        let agent = Agent::new(plan, part, Clock::start(), Arc::clone(&meter), Instant::now());
        Self { agent, meter, wire: VecDeque::new(), is_closed: false }
    }

    /// Connected, and sending from now on.
    fn begun(purpose: Purpose, flags: &[&str]) -> Self {
        let mut bench = Self::new(purpose, flags);
        bench.open();
        bench.begin();
        bench
    }

    /// Sends from now on.
    fn begin(&mut self) {
        let Plan { warm_up, duration, .. } = *self.agent.plan;
        self.agent.begin(Window::new(Instant::now(), warm_up, duration));
    }

    fn open(&mut self) {
        let actions = self.agent.opened();
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Load { text, .. } | Action::Talk(text) => self.wire.push_back(text),
                Action::Close => self.is_closed = true,
            }
        }
    }

    /// Lets the time pass until the next message is due and so much more.
    async fn until_due(&mut self, late: Duration) {
        let due = self.agent.due().unwrap();
        advance(due - Instant::now() + late).await;
        let actions = self.agent.on_due(Instant::now());
        self.perform(actions);
    }

    /// Hands back what was sent, after a while.
    async fn echo(&mut self, after: Duration) -> String {
        advance(after).await;
        let text = self.wire.pop_front().unwrap();
        self.receive(&text);
        text
    }

    fn receive(&mut self, text: &str) {
        let actions = self.agent.received(text, Instant::now());
        self.perform(actions);
    }

    fn counted(&self) -> Interval {
        self.meter.take()
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn max_ms(histogram: &crate::Histogram) -> f64 {
    histogram.percentiles().unwrap().max_ms
}

#[tokio::test(start_paused = true)]
async fn every_ping_of_the_schedule_is_sent_and_its_round_trip_is_measured() {
    let mut bench = Bench::begun(Purpose::Ping, &["--ping-period", "1s", "--duration", "10s"]);
    while bench.agent.due().is_some() {
        bench.until_due(ms(0)).await;
        bench.echo(ms(7)).await;
    }
    let Interval { now, counts } = bench.counted();
    assert_eq!((counts.sent, counts.answered, counts.answered_again), (10, 10, 0));
    assert_eq!((now.connected, now.sending, now.unsent), (1, 0, 0));
    let found = counts.round_trip.percentiles().unwrap();
    assert!((found.p50_ms - 7.0).abs() < 0.01 && (found.max_ms - 7.0).abs() < 0.01, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_goes_out_late_counts_from_when_it_was_due() {
    let mut bench = Bench::begun(Purpose::Ping, &[]);
    bench.until_due(ms(400)).await;
    bench.echo(ms(7)).await;
    let counts = bench.counted().counts;
    assert!((max_ms(&counts.round_trip) / 405.0 - 1.0).abs() < 0.001);
    assert!((max_ms(&counts.lag) / 400.0 - 1.0).abs() < 0.001);
}

#[tokio::test(start_paused = true)]
async fn the_resolution_of_the_timer_is_not_taken_for_the_latency_of_the_server() {
    let mut bench = Bench::begun(Purpose::Ping, &[]);
    bench.until_due(ms(1)).await;
    bench.echo(ms(7)).await;
    assert!((max_ms(&bench.counted().counts.round_trip) - 7.0).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_rings_a_little_later_than_its_resolution_adds_that_little() {
    let mut bench = Bench::begun(Purpose::Ping, &[]);
    bench.until_due(Duration::from_micros(2100)).await;
    bench.echo(ms(7)).await;
    let found = max_ms(&bench.counted().counts.round_trip);
    assert!((found - 7.1).abs() < 0.01, "{found}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_kept_from_running_makes_up_for_all_that_was_due() {
    let mut bench = Bench::begun(Purpose::Ping, &["--ping-period", "1s", "--duration", "10s"]);
    bench.until_due(ms(3500)).await;
    assert_eq!(bench.wire.len(), 4);
    assert_eq!(bench.counted().counts.sent, 4);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_again_is_a_duplicate_and_one_that_was_never_asked_for_is_none() {
    let mut bench = Bench::begun(Purpose::Ping, &[]);
    bench.until_due(ms(0)).await;
    let text = bench.echo(ms(1)).await;
    bench.receive(&text);
    for stranger in ["hello", &text.replacen("00000003", "00000004", 1), &format!("0{text}")] {
        bench.receive(stranger);
    }
    let never_sent = Stamp { number: 99, ..Stamp::read(&text).unwrap() };
    bench.receive(&never_sent.payload(64));
    let counts = bench.counted().counts;
    assert_eq!((counts.answered, counts.answered_again, counts.unexpected), (1, 1, 4));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_without_a_connection_waits_and_goes_out_first_when_there_is_one() {
    let mut bench = Bench::begun(Purpose::Ping, &["--ping-period", "1s"]);
    bench.agent.dropped("cut".into());
    bench.until_due(ms(0)).await;
    bench.until_due(ms(0)).await;
    assert!(bench.wire.is_empty());
    let Interval { now, counts } = bench.counted();
    assert_eq!((now.unsent, now.connected, counts.sent, counts.disconnects), (2, 0, 2, 1));
    bench.open();
    let stamps: Vec<u32> = bench.wire.iter().map(|text| Stamp::read(text).unwrap().number).collect();
    assert_eq!(stamps, [0, 1]);
    bench.echo(ms(0)).await;
    let Interval { now, counts } = bench.counted();
    assert_eq!((now.unsent, now.connected, counts.reconnects, counts.opened), (0, 1, 1, 0));
    // A second it had to wait for the second ping, and for the connection.
    assert!((max_ms(&counts.round_trip) / 1000.0 - 1.0).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn a_client_settles_once_whether_it_connects_or_fails_to() {
    let mut bench = Bench::new(Purpose::Ping, &[]);
    for _ in 0..3 {
        bench.agent.dropped("refused".into());
    }
    bench.open();
    let Interval { now, counts } = bench.counted();
    assert_eq!((now.settled, now.connected), (1, 1));
    assert_eq!((counts.failed_dials, counts.disconnects, counts.opened, counts.reconnects), (3, 0, 1, 0));
    assert_eq!(counts.reasons["refused"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_is_that_of_the_attempt_that_succeeded() {
    let mut bench = Bench::new(Purpose::Ping, &[]);
    advance(ms(40)).await;
    bench.agent.dropped("refused".into());
    bench.agent.dials(Instant::now() + ms(1000));
    advance(ms(1003)).await;
    bench.open();
    let found = max_ms(&bench.counted().counts.handshake);
    assert!((found - 3.0).abs() < 0.01, "{found}");
}

#[tokio::test(start_paused = true)]
async fn in_a_dialect_nothing_is_sent_before_its_handshake_is_over() {
    let mut bench = Bench::begun(Purpose::Ping, &["--dialect", "socket.io"]);
    bench.until_due(ms(0)).await;
    assert!(bench.wire.is_empty());
    bench.receive("0{}");
    assert_eq!(bench.wire.pop_front().as_deref(), Some("40"));
    bench.receive(r#"40{"sid":"x"}"#);
    assert!(bench.echo(ms(5)).await.starts_with(r#"42["echo",""#));
    assert_eq!(bench.counted().counts.answered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_counts_each_message_of_each_publisher_once_and_how_long_it_took() {
    let flags = ["--subscribers", "50%"];
    let mut subscriber = Bench::begun(Purpose::Subscribe, &flags);
    assert_eq!(subscriber.counted().now.expecting, 1);
    let stamp = |client, number| Stamp {
        run: subscriber.agent.plan.run,
        client,
        number,
        is_counted: true,
        due: subscriber.agent.clock.micros(Instant::now()),
    };
    let sent = [stamp(7, 0), stamp(7, 2), stamp(8, 0), stamp(7, 0)];
    advance(ms(30)).await;
    sent.iter().for_each(|stamp| subscriber.receive(&stamp.payload(64)));
    let counts = subscriber.counted().counts;
    assert_eq!((counts.delivered, counts.delivered_again), (3, 1));
    assert!((max_ms(&counts.one_way) - 30.0).abs() < 0.05);
}

#[tokio::test(start_paused = true)]
async fn a_late_subscriber_does_not_make_up_for_the_losses_of_others() {
    let mut subscriber = Bench::new(Purpose::Subscribe, &["--subscribers", "50%"]);
    subscriber.begin();
    subscriber.open();
    let stamp = Stamp { run: subscriber.agent.plan.run, client: 7, number: 0, is_counted: true, due: 0 };
    subscriber.receive(&stamp.payload(64));
    let Interval { now, counts } = subscriber.counted();
    assert_eq!((now.connected, now.expecting), (1, 0));
    assert_eq!((counts.delivered, counts.one_way.count(), counts.unexpected), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_was_there_is_expected_to_receive_also_when_it_is_cut() {
    let mut subscriber = Bench::begun(Purpose::Subscribe, &["--subscribers", "50%"]);
    subscriber.agent.dropped("cut".into());
    assert_eq!(subscriber.counted().now.expecting, 1);
    subscriber.open();
    let stamp = Stamp { run: subscriber.agent.plan.run, client: 7, number: 5, is_counted: true, due: 0 };
    subscriber.receive(&stamp.payload(64));
    let Interval { now, counts } = subscriber.counted();
    assert_eq!((now.expecting, counts.delivered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_arrives_before_the_word_that_sending_has_begun_counts() {
    let mut subscriber = Bench::new(Purpose::Subscribe, &["--subscribers", "50%"]);
    subscriber.open();
    let stamp = Stamp { run: subscriber.agent.plan.run, client: 7, number: 0, is_counted: true, due: 0 };
    subscriber.receive(&stamp.payload(64));
    subscriber.agent.dropped("cut".into());
    subscriber.begin();
    let Interval { now, counts } = subscriber.counted();
    assert_eq!((now.expecting, counts.delivered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_another_run_publishes_is_not_counted_as_delivered() {
    let mut subscriber = Bench::begun(Purpose::Subscribe, &["--subscribers", "50%"]);
    let stamp =
        Stamp { run: subscriber.agent.plan.run.wrapping_add(1), client: 7, number: 0, is_counted: true, due: 0 };
    subscriber.receive(&stamp.payload(64));
    let counts = subscriber.counted().counts;
    assert_eq!((counts.delivered, counts.unexpected), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn publishers_publish_and_do_not_wait_for_an_answer() {
    let mut publisher = Bench::begun(Purpose::Publish, &["--subscribers", "50%", "--publish-period", "2s"]);
    publisher.until_due(ms(0)).await;
    let text = publisher.echo(ms(1)).await;
    assert_eq!(Stamp::read(&text).unwrap().client, 3);
    let counts = publisher.counted().counts;
    assert_eq!((counts.published, counts.sent, counts.answered, counts.unexpected), (1, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_in_the_warm_up_is_sent_on_the_same_schedule_and_not_counted() {
    let flags = ["--ping-period", "1s", "--warm-up", "3s", "--duration", "10s"];
    let mut bench = Bench::begun(Purpose::Ping, &flags);
    let mut sent = 0;
    while bench.agent.due().is_some() {
        bench.until_due(ms(0)).await;
        bench.echo(ms(7)).await;
        sent += 1;
    }
    let Interval { now, counts } = bench.counted();
    assert_eq!(sent, 13);
    assert_eq!((counts.sent, counts.answered, counts.unexpected, now.sending), (10, 10, 0, 0));
    assert_eq!((counts.round_trip.count(), counts.lag.count()), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_the_warm_up_does_not_count_wherever_it_arrives() {
    let flags = ["--ping-period", "1s", "--warm-up", "1s", "--duration", "1s"];
    let mut bench = Bench::begun(Purpose::Ping, &flags);
    // Goes out after the warm-up, in which it was due.
    bench.until_due(ms(999)).await;
    let warm_up = bench.wire.pop_front().unwrap();
    let counts = bench.counted().counts;
    assert_eq!((counts.sent, counts.lag.count()), (0, 0));
    bench.until_due(ms(0)).await;
    bench.receive(&warm_up);
    bench.receive(&warm_up);
    let counts = bench.counted().counts;
    assert_eq!((counts.sent, counts.answered, counts.answered_again, counts.unexpected), (1, 0, 0, 0));
    bench.echo(ms(1)).await;
    assert_eq!(bench.counted().counts.answered, 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_from_the_warm_up_for_a_connection_is_no_loss() {
    let flags = ["--ping-period", "1s", "--warm-up", "1s", "--duration", "1s"];
    let mut bench = Bench::begun(Purpose::Ping, &flags);
    bench.agent.dropped("cut".into());
    bench.until_due(ms(0)).await;
    assert_eq!(bench.counted().now.unsent, 0);
    bench.until_due(ms(0)).await;
    assert_eq!(bench.counted().now.unsent, 1);
    bench.open();
    assert_eq!((bench.wire.len(), bench.counted().now.unsent), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_published_in_the_warm_up_is_no_delivery() {
    let flags = ["--subscribers", "50%", "--publish-period", "1s", "--warm-up", "1s", "--duration", "1s"];
    let mut publisher = Bench::begun(Purpose::Publish, &flags);
    publisher.until_due(ms(0)).await;
    publisher.until_due(ms(0)).await;
    assert_eq!(publisher.counted().counts.published, 1);
    let mut subscriber = Bench::begun(Purpose::Subscribe, &flags);
    for text in publisher.wire {
        let stamp = Stamp { run: subscriber.agent.plan.run, ..Stamp::read(&text).unwrap() };
        subscriber.receive(&stamp.payload(64));
    }
    let counts = subscriber.counted().counts;
    assert_eq!((counts.delivered, counts.one_way.count(), counts.unexpected), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_is_told_and_the_client_goes_on() {
    let mut bench = Bench::begun(Purpose::Ping, &["--dialect", "socketcluster", "--ping-period", "1s"]);
    bench.wire.clear();
    bench.receive(r#"{"rid":1,"data":{"id":"x"}}"#);
    bench.until_due(ms(0)).await;
    bench.receive(r#"{"rid":2,"error":{"message":"not now"}}"#);
    bench.until_due(ms(0)).await;
    assert_eq!((bench.wire.len(), bench.is_closed), (2, false));
    let Interval { now, counts } = bench.counted();
    assert_eq!((now.connected, now.unsent, counts.disconnects, counts.reasons["not now"]), (1, 0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_want_to_go_on_is_left_and_what_was_due_is_lost() {
    let mut bench = Bench::begun(Purpose::Ping, &["--dialect", "socket.io", "--ping-period", "1s"]);
    bench.receive(r#"40{"sid":"x"}"#);
    bench.receive("41");
    assert!(bench.is_closed);
    bench.until_due(ms(0)).await;
    let Interval { now, counts } = bench.counted();
    assert_eq!((now.connected, now.unsent, counts.sent, counts.disconnects), (0, 1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_unrequested_message_is_unexpected_in_a_dialect_as_well() {
    let mut bench = Bench::begun(Purpose::Ping, &["--dialect", "socket.io"]);
    bench.receive(r#"40{"sid":"x"}"#);
    for text in ["42[7]", r#"42["news",{"a":1}]"#, "2"] {
        bench.receive(text);
    }
    assert_eq!(bench.counted().counts.unexpected, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_was_not_sent_where_it_counts() {
    let mut bench = Bench::begun(Purpose::Ping, &["--ping-period", "1s", "--warm-up", "1s"]);
    for _ in 0..2 {
        bench.until_due(ms(0)).await;
    }
    bench.agent.given_back("41");
    for text in core::mem::take(&mut bench.wire) {
        bench.agent.given_back(&text);
    }
    assert_eq!(bench.counted().now.unsent, 1);
}
