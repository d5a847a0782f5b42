//! A connection's life as JavaScript lives it, in numbers.

use everwire_core::{
    Config, HeartbeatMode,
    protocol::{Cursor, ErrorCode, GapReason},
};

use crate::{
    Arguments, Client, Core, Operands,
    codes::{action, attachment, cause, discarded, input, over, refusal, start, stat, status},
    javascript, options,
};

/// A core with the block of operands that JavaScript shares with it.
struct Bench {
    core: Core,
    operands: Operands,
}

/// An action with its first operands.
type Done = (u32, [f64; 5]);

impl Bench {
    fn new(chosen: &[(&str, f64)]) -> Self {
        let operands = operands_of(chosen);
        Self { core: Core::new(&operands, 0.5), operands }
    }

    /// One whose first socket is open, at 100 ms.
    fn open(options: &[(&str, f64)]) -> Self {
        let mut bench = Self::new(&[&[("floor", 0.0)], options].concat());
        bench.handle(0.0, input::OPEN, &[f64::INFINITY]);
        bench.handle(100.0, input::OPENED, &[1.0]);
        bench
    }

    /// Hands an input in, and polls until nothing is left to do.
    fn handle(&mut self, now: f64, input: u32, operands: &[f64]) -> Vec<Done> {
        let status = self.core.handle(now, input, arguments(operands), &self.operands);
        let done = self.poll();
        assert_eq!(status, if done.is_empty() { status::NOTHING } else { status::ACTIONS });
        done
    }

    fn poll(&mut self) -> Vec<Done> {
        let mut done = Vec::new();
        loop {
            match self.core.poll(&self.operands) {
                action::NONE => return done,
                number => done.push((number, [0, 1, 2, 3, 4].map(|place| self.operands.get(place)))),
            }
        }
    }

    fn enqueue(&mut self, now: f64, time_to_live: f64, replaces: f64) -> f64 {
        self.core.enqueue(now, 1, time_to_live, replaces)
    }

    fn stat(&self, stat: u32) -> f64 {
        self.core.stats(&self.operands);
        self.operands.get(stat as usize)
    }
}

/// The defaults, as JavaScript fills them in, but for what is chosen.
fn operands_of(chosen: &[(&str, f64)]) -> Operands {
    let operands = Operands::new();
    let defaults = options::defaults().into_iter().flat_map(|(_, options)| options);
    let chosen = chosen.iter().copied();
    for (name, value) in defaults.chain([("silence", -1.0)]).chain(chosen) {
        operands.set(options::NAMES.iter().position(|other| *other == name).expect("an option of this name"), value);
    }
    operands
}

/// As JavaScript hands them over: not a number where one is left out.
fn arguments(given: &[f64]) -> Arguments {
    std::array::from_fn(|place| given.get(place).copied().unwrap_or(f64::NAN))
}

fn numbers(done: &[Done]) -> Vec<u32> {
    done.iter().map(|(number, _)| *number).collect()
}

#[test]
fn a_connection_opens_talks_is_lost_comes_back_and_is_closed() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.enqueue(0.0, f64::NAN, 0.0), 1.0);
    let done = bench.handle(0.0, input::OPEN, &[f64::INFINITY]);
    assert_eq!(numbers(&done), [action::DIAL, action::TIMER]);
    assert_eq!((done[0].1[0], done[1].1[0]), (1.0, 15_000.0), "socket 1, given up after the connect timeout");

    let done = bench.handle(100.0, input::OPENED, &[1.0]);
    assert_eq!(numbers(&done), [action::OPENED, action::TRANSMIT, action::MEASURE]);
    assert_eq!((done[1].1[0], done[2].1[0]), (1.0, 1.0), "message 1, socket 1");
    assert_eq!(numbers(&bench.handle(100.0, input::BUFFERED, &[1.0, 1.0])), [action::TIMER]);

    assert_eq!(bench.core.send_now(5, false), status::ACCEPTED);

    let done = bench.handle(200.0, input::CLOSED, &[1.0, -1006.0, 6.0]);
    assert_eq!(done[0].0, action::DROPPED);
    let [why, attempt, at, messages, bytes] = done[0].1;
    assert_eq!((why, attempt, messages, bytes), (cause::CLOSED.into(), 1.0, 2.0, 6.0));
    assert!((700.0..=6_200.0).contains(&at), "{at}");

    let done = bench.handle(at, input::WAKE, &[1e12]);
    assert_eq!((done[0].0, done[0].1[0], done[0].1[1]), (action::DIAL, 2.0, 1.0), "socket 2 after a failure");
    let done = bench.handle(at + 100.0, input::OPENED, &[2.0]);
    assert_eq!(done[0].0, action::OPENED);

    let done = bench.handle(at + 200.0, input::CLOSE, &[]);
    assert_eq!(done[0].0, action::CLOSE);
    assert_eq!(bench.enqueue(at + 250.0, f64::NAN, 0.0), 0.0, "it is closed");
    let done = bench.handle(at + 300.0, input::CLOSED, &[2.0, 4_321.0, 0.0]);
    assert_eq!(numbers(&done), [action::ENDED]);
    assert_eq!(done[0].1[..3], [cause::BY_APPLICATION.into(), 0.0, 0.0]);
    assert_eq!((bench.stat(stat::OPENED), bench.stat(stat::DROPPED)), (2.0, 1.0));
    assert_eq!((bench.stat(stat::MESSAGES_OUT), bench.stat(stat::BYTES_OUT)), (2.0, 6.0));
}

#[test]
fn a_ping_is_answered_and_measured() {
    let mut bench = Bench::open(&[("sends_pings", 1.0), ("after_silence", 1_000.0)]);
    let done = bench.handle(1_100.0, input::WAKE, &[1e12]);
    assert_eq!(done[0].0, action::PING);
    assert!(bench.stat(stat::LAST).is_nan());
    let done = bench.handle(1_140.0, input::PONG, &[1.0, done[0].1[0], 1e12]);
    assert_eq!((done[0].0, done[0].1[0]), (action::LATENCY, 40.0));
    assert_eq!((bench.stat(stat::ANSWERED), bench.stat(stat::LAST), bench.stat(stat::P50)), (1.0, 40.0, 40.0));
    assert_eq!(bench.stat(stat::CLOCK_OFFSET), 1e12 - 1_120.0);
}

#[test]
fn a_message_replaces_another_and_a_time_to_live_runs_out() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.enqueue(0.0, f64::NAN, 0.0), 1.0);
    assert_eq!(bench.enqueue(0.0, 500.0, 1.0), 2.0);
    let done = bench.poll();
    assert_eq!((done[0].0, done[0].1[0], done[0].1[1]), (action::DISCARDED, 1.0, discarded::REPLACED.into()));
    assert_eq!((done[1].0, done[1].1[0]), (action::TIMER, 500.0));
    let done = bench.handle(500.0, input::WAKE, &[1e12]);
    assert_eq!((done[0].0, done[0].1[0], done[0].1[1]), (action::DISCARDED, 2.0, discarded::EXPIRED.into()));
}

#[test]
fn priority_overtakes_what_the_opening_has_just_released() {
    let mut bench = Bench::new(&[]);
    bench.enqueue(0.0, f64::NAN, 0.0);
    bench.handle(0.0, input::OPEN, &[f64::INFINITY]);
    bench.core.handle(100.0, input::OPENED, arguments(&[1.0]), &bench.operands);
    assert_eq!(bench.core.poll(&bench.operands), action::OPENED);
    assert_eq!(bench.core.send_now(1, true) & status::ACCEPTED, status::ACCEPTED);
    assert_eq!(bench.core.send_now(1, false), status::NOTHING, "it must not overtake what is about to be handed over");
    assert_eq!(bench.enqueue(100.0, f64::NAN, 0.0), -3.0, "about to be handed over, too");
    let transmitted: Vec<_> = bench.poll().into_iter().filter(|(number, _)| *number == action::TRANSMIT).collect();
    assert_eq!(transmitted.iter().map(|(_, operands)| operands[0]).collect::<Vec<_>>(), [1.0, 3.0]);
}

#[test]
fn a_message_that_cannot_be_handed_over_at_once_is_not_accepted_before_it_was_copied() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.core.send_now(5, false), status::NOTHING);
    let done = bench.handle(0.0, input::OPEN, &[f64::INFINITY]);
    assert_eq!(numbers(&done), [action::DIAL, action::TIMER]);
    let done = bench.handle(100.0, input::OPENED, &[1.0]);
    assert_eq!(numbers(&done), [action::OPENED], "nothing to transmit");
}

#[test]
fn without_a_heartbeat_no_ping_is_sent() {
    let mut bench = Bench::open(&[]);
    assert_eq!(numbers(&bench.handle(3_600_000.0, input::WAKE, &[1e12])), []);
    assert_eq!(numbers(&bench.handle(3_600_001.0, input::VISIBLE, &[])), []);
}

#[test]
fn silence_alone_is_enough_of_a_heartbeat() {
    let mut bench = Bench::open(&[("silence", 1_000.0)]);
    assert_eq!(bench.core.receive(600.0, 1, 5), status::ACCEPTED);
    assert_eq!(numbers(&bench.handle(1_100.0, input::WAKE, &[1e12])), [action::TIMER], "500 ms of silence");
    let done = bench.handle(1_600.0, input::WAKE, &[1e12]);
    assert_eq!(
        (done[0].0, done[1].0, done[1].1[0]),
        (action::DETACH, action::DROPPED, cause::HEARTBEAT_TIMEOUT.into())
    );
}

#[test]
fn of_many_messages_only_the_first_asks_for_more_than_to_be_handed_over() {
    let mut bench = Bench::open(&[]);
    assert_eq!(bench.core.send_now(10, false), status::ACCEPTED | status::ACTIONS);
    assert_eq!(numbers(&bench.poll()), [action::MEASURE]);
    assert_eq!(numbers(&bench.handle(110.0, input::BUFFERED, &[1.0, 0.0])), [action::TIMER]);
    for now in [120.0, 130.0, 140.0] {
        assert_eq!(bench.core.send_now(10, false), status::ACCEPTED);
        assert_eq!(bench.core.receive(now, 1, 10), status::ACCEPTED);
    }
    assert_eq!((bench.stat(stat::MESSAGES_IN), bench.stat(stat::BYTES_IN)), (3.0, 30.0));
}

#[test]
fn a_message_of_another_socket_is_not_for_the_application() {
    let mut bench = Bench::open(&[]);
    assert_eq!(bench.core.receive(110.0, 2, 10), status::NOTHING);
    assert_eq!(bench.stat(stat::MESSAGES_IN), 0.0);
}

#[test]
fn whatever_the_server_sends_has_a_full_buffer_measured() {
    let mut bench = Bench::open(&[("high", 10.0)]);
    bench.core.send_now(11, false);
    bench.poll();
    bench.handle(110.0, input::BUFFERED, &[1.0, 11.0]);
    assert_eq!(bench.operands.get(0), 0.0, "it is not ready");
    assert_eq!(bench.core.receive(120.0, 1, 1), status::ACCEPTED | status::ACTIONS);
    assert_eq!(numbers(&bench.poll()), [action::MEASURE]);
    bench.handle(120.0, input::BUFFERED, &[1.0, 0.0]);
    assert_eq!(bench.operands.get(0), 1.0, "it is ready");
}

/// What follows when the server has closed with this code.
fn after_close(code: f64, options: &[(&str, f64)]) -> (Bench, Done) {
    let mut bench = Bench::open(options);
    let done = bench.handle(200.0, input::CLOSED, &[1.0, code, 0.0]).swap_remove(0);
    (bench, done)
}

#[test]
fn javascript_decides_about_every_close_where_it_wants_to() {
    let asks = [("asks_application", 1.0)];
    assert_eq!(after_close(1000.0, &[]).1.0, action::ENDED);
    for (code, by_default) in [(1000.0, 0.0), (1001.0, 1.0)] {
        for (decision, action) in [(0.0, action::ENDED), (1.0, action::DROPPED)] {
            let (mut bench, (number, [why, retries, attempt, at, _])) = after_close(code, &asks);
            assert_eq!((number, why, retries, attempt), (action::DECIDE, cause::CLOSED.into(), by_default, 1.0));
            let (followed, operands) = bench.handle(200.0, input::DECIDED, &[decision]).swap_remove(0);
            assert_eq!(followed, action);
            assert!(followed == action::ENDED || operands[2] == at, "as it was announced");
        }
    }
}

#[test]
fn refused_credentials_are_retried_where_they_are_renewed() {
    assert_eq!(after_close(4401.0, &[]).1.0, action::ENDED);
    let renews = ("renews_credentials", 1.0);
    assert_eq!(after_close(4401.0, &[renews]).1.0, action::DROPPED);
    let (_, (number, operands)) = after_close(4401.0, &[renews, ("asks_application", 1.0)]);
    assert_eq!((number, operands[1]), (action::DECIDE, 1.0));
}

#[test]
fn a_core_that_takes_over_from_another_keeps_the_floor_after_its_last_dial() {
    let mut bench = Bench::new(&[]);
    let done = bench.handle(1_000.0, input::OPEN, &[100.0]);
    assert_eq!((numbers(&done), done[0].1[0]), (vec![action::TIMER], 1_400.0));
    assert_eq!(numbers(&bench.handle(1_400.0, input::WAKE, &[1e12])), [action::DIAL, action::TIMER]);
}

#[test]
fn the_defaults_are_those_of_the_core_but_that_there_is_no_heartbeat() {
    let mut expected = Config::default();
    assert_eq!(format!("{:?}", options::config(&operands_of(&[("sends_pings", 1.0)]))), format!("{expected:?}"));
    expected.heartbeat = HeartbeatMode::Off;
    assert_eq!(format!("{:?}", options::config(&operands_of(&[]))), format!("{expected:?}"));
}

#[test]
fn every_option_changes_what_is_named_like_it() {
    let others = ["sends_pings", "silence"];
    for name in options::NAMES.iter().filter(|name| !others.contains(name)) {
        let config = format!("{:?}", options::config(&operands_of(&[("sends_pings", 1.0), (name, 77_777.0)])));
        let values = ["77.777s", "77777.0", "77777", "Some(77777)", "Some(77.777s)", "DropOldest", "true"];
        assert!(values.iter().any(|value| config.contains(&format!("{name}: {value}"))), "{name}: {config}");
    }
}

#[test]
fn codes_and_reasons_cross_the_border_by_their_places() {
    assert!(ErrorCode::ALL.iter().enumerate().all(|(place, code)| *code as usize == place));
    assert!(GapReason::ALL.iter().enumerate().all(|(place, reason)| *reason as usize == place));
}

#[test]
fn the_module_for_javascript_has_every_number_name_and_default() {
    let module = javascript();
    for line in [
        "export const INPUT_OPEN = 0;",
        "export const INPUT_RECONNECT = 1;",
        "export const STATUS_ACCEPTED = 2;",
        "export const START_FROM = 2;",
        "export const FATAL_CODES = 8;",
        "export const GAP_REASONS = [\"trimmed\", \"rewritten\", \"refused\"];",
        "export const OPTION_MAX_RETRIES = 7;",
        "export const DISCARDED = [\"expired\", \"evicted\", \"replaced\", \"closed\"];",
        "  connectTimeout: 15000, closeTimeout: 3000,",
        "  watermarks: Object.freeze({ high: 1048576, low: 262144 }),",
    ] {
        assert!(module.lines().any(|other| other == line), "{line} in {module}");
    }
    assert!(module.contains("stableAfter: 5000, maxRetries: Infinity }"), "{module}");
    assert!(module.contains("timeToLive: Infinity, whenFull: \"refuse\" }"), "{module}");
}

/// A client with the block of operands that JavaScript shares with it.
struct ClientBench {
    client: Client,
    operands: Operands,
}

impl ClientBench {
    /// One whose socket is open with the subprotocol, at 100 ms.
    fn open() -> Self {
        let operands = operands_of(&[("sends_pings", 1.0)]);
        let mut bench = Self { client: Client::new(&operands, 0.5), operands };
        bench.handle(input::OPEN, &[f64::INFINITY]);
        bench.handle(input::OPENED, &[1.0]);
        bench
    }

    /// One that is welcomed with a largest message of 100 bytes.
    fn attached() -> Self {
        let mut bench = Self::open();
        bench.handle(input::NEGOTIATED, &[1.0]);
        bench.handle(input::LINE_WELCOME, &[1.0, 0.0, f64::NAN, 8.0, 100.0, 25_000.0]);
        bench
    }

    fn tell(&mut self, input: u32, operands: &[f64]) -> u32 {
        self.client.handle(100.0, input, arguments(operands), &self.operands)
    }

    fn handle(&mut self, input: u32, operands: &[f64]) -> Vec<Done> {
        self.tell(input, operands);
        self.poll()
    }

    fn poll(&mut self) -> Vec<Done> {
        let mut done = Vec::new();
        loop {
            match self.client.poll(&self.operands) {
                action::NONE => return done,
                number => done.push((number, [0, 1, 2, 3, 4].map(|place| self.operands.get(place)))),
            }
        }
    }

    fn set_cursor(&self, offset: u64) {
        self.operands.set_cursor(Cursor { epoch: u64::MAX, offset, time: 7 });
        self.operands.set(Operands::CURSOR + 3, f64::from_bits(offset - 1));
    }
}

#[test]
fn a_client_says_hello_once_its_socket_has_the_subprotocol() {
    let mut bench = ClientBench::open();
    let done = bench.handle(input::NEGOTIATED, &[1.0]);
    assert_eq!((done[0].0, done[0].1), (action::HELLO, [0.0, 0.0, 0.0, 1.0, 0.0]));
    let done = bench.handle(input::LINE_WELCOME, &[1.0, 0.0, f64::NAN, 8.0, 100.0, 25_000.0]);
    assert_eq!((done[0].0, done[0].1[0]), (action::ATTACHED, attachment::NEW.into()));
}

#[test]
fn a_server_that_opens_with_another_subprotocol_ends_the_client_first_and_then_the_connection() {
    let mut bench = ClientBench::open();
    let done = bench.handle(input::NEGOTIATED, &[0.0]);
    let over = done.iter().find(|(number, _)| *number == action::OVER).expect("the client is over");
    assert_eq!(over.1[0], over::NOT_EVERWIRE.into());
    assert_eq!(numbers(&bench.handle(input::CLOSE, &[])), [action::CLOSE, action::TIMER]);
    assert_eq!(numbers(&bench.handle(input::CLOSED, &[1.0, 1000.0, 0.0])), [action::ENDED]);
}

#[test]
fn the_largest_numbers_of_a_cursor_cross_the_border() {
    let mut bench = ClientBench::attached();
    bench.tell(input::SUBSCRIBE, &[0.0, start::OTHER.into()]);
    let id = bench.operands.get(0);
    assert_eq!(bench.tell(input::LOCATE, &[id]), status::NOTHING, "it has no position yet");
    bench.set_cursor(u64::MAX - 1);
    bench.handle(input::LINE_SUBSCRIBED, &[id]);
    bench.set_cursor(u64::MAX);
    assert_eq!(bench.tell(input::LINE_MSG, &[id]), status::ACCEPTED);
    assert_eq!(bench.tell(input::LINE_MSG, &[id]) & status::ACCEPTED, status::NOTHING, "a repetition");
    bench.set_cursor(1);
    assert_eq!(bench.tell(input::LOCATE, &[id]), status::ACCEPTED);
    assert_eq!(bench.operands.cursor(), Cursor { epoch: u64::MAX, offset: u64::MAX, time: 7 });
}

#[test]
fn a_message_whose_numbers_javascript_has_needs_no_cursor_among_the_operands() {
    let mut bench = ClientBench::attached();
    bench.tell(input::SUBSCRIBE, &[0.0, start::OTHER.into()]);
    let id = bench.operands.get(0);
    bench.operands.set_cursor(Cursor { epoch: 0x1_0000_0002, offset: 3, time: 4 });
    bench.handle(input::LINE_SUBSCRIBED, &[id]);
    assert_eq!(bench.tell(input::MESSAGE, &[id, 1.0, 2.0, 5.0, 6.0, 3.0]), status::ACCEPTED);
    assert_eq!(bench.tell(input::LOCATE, &[id]), status::ACCEPTED);
    assert_eq!(bench.operands.cursor(), Cursor { epoch: 0x1_0000_0002, offset: 5, time: 6 });
    let (repaired, _) = bench.handle(input::MESSAGE, &[id, 1.0, 3.0, 6.0, 7.0, 5.0]).swap_remove(0);
    assert_eq!(repaired, action::REPORT, "it is of another epoch");
}

#[test]
fn a_pong_is_an_answer_on_the_present_socket() {
    let mut bench = ClientBench::attached();
    bench.client.handle(25_200.0, input::WAKE, arguments(&[1e12]), &bench.operands);
    let (number, [ping, ..]) = bench.poll().swap_remove(0);
    assert_eq!(number, action::PING);
    assert_eq!(bench.handle(input::LINE_PONG, &[ping, 1e12])[0].0, action::LATENCY);
}

#[test]
fn a_publish_has_a_number_or_the_reason_why_it_was_not_accepted() {
    let mut bench = ClientBench::attached();
    assert_eq!(bench.client.enqueue(100.0, 100, f64::NAN, 0.0), 1.0);
    assert_eq!(bench.client.enqueue(100.0, 101, f64::NAN, 0.0), -f64::from(refusal::TOO_LARGE));
    assert_eq!(bench.client.enqueue(100.0, 1, 5_000.0, 1.0), 2.0, "a request");
    let done = bench.handle(input::END, &[over::CLOSED.into()]);
    let unknown = ErrorCode::ALL.iter().position(|code| *code == ErrorCode::Unknown).expect("a code") as f64;
    let [_, code, is_over, ..] = done.iter().find(|(number, _)| *number == action::FAILED).expect("an outcome").1;
    assert_eq!((code, is_over), (unknown, 1.0));
    assert_eq!(bench.client.enqueue(100.0, 1, f64::NAN, 0.0), -f64::from(refusal::CLOSED));
}

#[test]
fn a_connection_that_is_over_by_its_policy_ends_the_client_before() {
    let mut bench = ClientBench::attached();
    let done = numbers(&bench.handle(input::CLOSED, &[1.0, 1000.0, 0.0]));
    let place = |action| done.iter().position(|number| *number == action);
    assert!(place(action::OVER).is_some_and(|over| place(action::ENDED).is_some_and(|ended| over < ended)), "{done:?}");
}
