//! Faults that tests and visitors request with `?fault=`, to see and to prove that clients recover.
//!
//! A fault that only a WebSocket can have ends the connection or mixes garbage into its messages. The others are a simulated network, which
//! the lab uses over HTTP as well.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::StatusCode;
use everwire_server::{EncodedMessage, Interceptor, Intervention, Message};
use tokio::time::Instant;

/// The minimal retransmission timeout of TCP on Linux (`TCP_RTO_MIN`).
const RETRANSMISSION_TIMEOUT: Duration = Duration::from_millis(200);

/// The greatest number of losses in a row. The timeout doubles with each (RFC 6298 section 5.5); after five a message is six
/// seconds late.
const MAX_LOSSES: u32 = 5;

/// The grammar of faults, for error messages and `--help`.
pub(crate) const GRAMMAR: &str = "drop:N, half-open:N, delay:MS and jitter:MS (at most 60000), \
     loss:PERCENT (at most 50), refuse:STATUS (400 to 599), \
     close:CODE or close:CODE:N (1000 to 1003, 1007 to 1014, 3000 to 4999), garbage; several separated by commas";

const MAX_DELAY: Duration = Duration::from_secs(60);

/// The greatest loss in percent. A network that loses more does not work at all.
const MAX_LOSS_PERCENT: f64 = 50.0;

/// The faults that one connection requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Faults {
    /// Answer the handshake with this status.
    pub(crate) refuse: Option<StatusCode>,
    /// The faults that end the connection, each after so many messages in both directions together.
    ends: Vec<(u64, Intervention)>,
    network: SimulatedNetwork,
    garbage: bool,
}

impl Faults {
    /// Parses the value of the parameter `fault`. `None` for a text outside of the grammar.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut faults = Self::default();
        for fault in text.split(',') {
            let parts: Vec<&str> = fault.trim().split(':').collect();
            match parts[..] {
                ["drop", n] => faults.ends.push((n.parse().ok()?, Intervention::Cut)),
                ["half-open", n] => faults.ends.push((n.parse().ok()?, Intervention::HalfOpen)),
                ["close", code] => faults.ends.push((0, close(parse_close_code(code)?))),
                ["close", code, n] => faults.ends.push((n.parse().ok()?, close(parse_close_code(code)?))),
                ["delay", ms] => faults.network.delay = parse_delay(ms)?,
                ["jitter", ms] => faults.network.jitter = parse_delay(ms)?,
                ["loss", percent] => {
                    let percent = percent.parse().ok().filter(|percent| (0.0..=MAX_LOSS_PERCENT).contains(percent))?;
                    faults.network.loss = percent / 100.0;
                }
                ["refuse", status] => {
                    let status: u16 = status.parse().ok().filter(|status| (400..600).contains(status))?;
                    faults.refuse = Some(StatusCode::from_u16(status).ok()?);
                }
                ["garbage"] => faults.garbage = true,
                _ => return None,
            }
        }
        Some(faults)
    }

    /// The interceptor of a connection with these faults.
    pub(crate) fn injector(self) -> FaultInjector {
        let path = self.network.path();
        let mut injector =
            FaultInjector { faults: self, path, messages: 0, garbage_sent: 0, delayed: VecDeque::new(), bytes: 0 };
        injector.open(Instant::now());
        injector
    }

    /// The requested network, unless there is a fault that only a WebSocket can have.
    pub(crate) fn network_alone(&self) -> Option<SimulatedNetwork> {
        (self.ends.is_empty() && !self.garbage).then_some(self.network)
    }
}

fn close(code: u16) -> Intervention {
    Intervention::Close(code, "as the fault parameter requests")
}

fn parse_delay(ms: &str) -> Option<Duration> {
    ms.parse().ok().map(Duration::from_millis).filter(|time| *time <= MAX_DELAY)
}

/// Codes that RFC 6455 section 7.4 lets an endpoint send.
fn parse_close_code(code: &str) -> Option<u16> {
    let code = code.parse().ok()?;
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(code)
}

/// Injects the requested faults into a connection.
#[derive(Debug)]
pub(crate) struct FaultInjector {
    faults: Faults,
    path: NetworkPath,
    messages: u64,
    garbage_sent: u64,
    delayed: VecDeque<(Instant, EncodedMessage)>,
    /// Bytes of the delayed messages.
    bytes: usize,
}

impl FaultInjector {
    /// Queues the garbage before the first message.
    fn open(&mut self, now: Instant) {
        if self.faults.garbage {
            for _ in 0..2 {
                let garbage = self.garbage();
                self.hold_back(garbage, now);
            }
        }
    }

    fn hold_back(&mut self, message: EncodedMessage, now: Instant) {
        self.bytes += size_held(&message);
        self.delayed.push_back((self.path.arrival(now), message));
    }

    /// Alternates between incomplete JSON and bytes that are not text.
    fn garbage(&mut self) -> EncodedMessage {
        self.garbage_sent += 1;
        let number = self.garbage_sent;
        let message = if number % 2 == 1 {
            Message::text(format!("\u{0}garbage {number} {{\"type\":[\u{fffd}"))
        } else {
            let mut bytes = vec![0xff, 0xfe, 0x00, 0xc0, 0x80];
            bytes.extend(number.to_be_bytes());
            Message::binary(bytes)
        };
        EncodedMessage::from(&message)
    }
}

impl Interceptor for FaultInjector {
    fn send(&mut self, message: EncodedMessage, now: Instant) {
        if self.faults.garbage {
            let garbage = self.garbage();
            self.hold_back(garbage, now);
        }
        self.hold_back(message, now);
    }

    fn next(&mut self, now: Instant) -> Option<EncodedMessage> {
        let (_, message) = self.delayed.pop_front_if(|(at, _)| *at <= now)?;
        self.bytes -= size_held(&message);
        Some(message)
    }

    fn deadline(&self) -> Option<Instant> {
        self.delayed.front().map(|(at, _)| *at)
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }

    fn on_messages(&mut self, count: u64) {
        self.messages += count;
    }

    fn intervention(&self) -> Option<Intervention> {
        self.faults.ends.iter().find(|(after, _)| self.messages >= *after).map(|(_, end)| *end)
    }
}

fn size_held(message: &EncodedMessage) -> usize {
    message.bytes() + size_of::<(Instant, EncodedMessage)>()
}

/// A network with latency, jitter and loss between server and client.
///
/// Data that is lost under TCP arrives late: it is retransmitted, and everything behind it waits. So `loss` delays a message
/// by the retransmissions that it would have needed, and keeps the order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SimulatedNetwork {
    /// The latency of every message.
    delay: Duration,
    /// The greatest additional latency, evenly distributed.
    jitter: Duration,
    /// The share of messages that are lost and retransmitted, from 0 to 1.
    loss: f64,
}

/// One direction of a connection over a [`SimulatedNetwork`].
#[derive(Debug)]
pub(crate) struct NetworkPath {
    network: SimulatedNetwork,
    random: fastrand::Rng,
    /// The arrival of the previous message, which must not be overtaken.
    previous: Option<Instant>,
}

impl SimulatedNetwork {
    pub(crate) fn path(self) -> NetworkPath {
        self.path_with(fastrand::Rng::new())
    }

    fn path_with(self, random: fastrand::Rng) -> NetworkPath {
        NetworkPath { network: self, random, previous: None }
    }
}

impl NetworkPath {
    /// The arrival time of a message that is sent now.
    pub(crate) fn arrival(&mut self, now: Instant) -> Instant {
        let SimulatedNetwork { delay, jitter, loss } = self.network;
        let mut arrival = now + delay + jitter.mul_f64(self.random.f64());
        let mut timeout = RETRANSMISSION_TIMEOUT;
        for _ in 0..MAX_LOSSES {
            if self.random.f64() >= loss {
                break;
            }
            arrival += timeout;
            timeout *= 2;
        }
        let arrival = self.previous.map_or(arrival, |previous| previous.max(arrival));
        self.previous = Some(arrival);
        arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> EncodedMessage {
        EncodedMessage::from(&Message::text(text))
    }

    /// The messages that are due by then.
    fn due(injector: &mut FaultInjector, now: Instant) -> Vec<Message> {
        std::iter::from_fn(|| injector.next(now)).map(|message| message.decode()).collect()
    }

    fn ends(text: &str) -> Vec<(u64, Intervention)> {
        Faults::parse(text).unwrap().ends
    }

    #[test]
    fn every_fault_of_the_grammar_is_read() {
        assert_eq!(ends("drop:3"), [(3, Intervention::Cut)]);
        assert_eq!(ends("half-open:0"), [(0, Intervention::HalfOpen)]);
        assert_eq!(ends("close:4001"), [(0, close(4001))]);
        assert_eq!(ends("close:1011:7"), [(7, close(1011))]);
        assert_eq!(Faults::parse("refuse:503").unwrap().refuse, Some(StatusCode::SERVICE_UNAVAILABLE));
        let both = Faults::parse("delay:250, garbage").unwrap();
        assert_eq!((both.network.delay, both.garbage), (Duration::from_millis(250), true));
        let network =
            SimulatedNetwork { delay: Duration::from_millis(9), jitter: Duration::from_millis(8), loss: 0.025 };
        assert_eq!(Faults::parse("delay:9,jitter:8,loss:2.5").unwrap().network, network);
    }

    #[test]
    fn texts_outside_the_grammar_are_refused() {
        for text in [
            "",
            "drop",
            "drop:",
            "drop:-1",
            "drop:x",
            "half-open",
            "delay:60001",
            "jitter:60001",
            "jitter",
            "loss:51",
            "loss:-1",
            "loss:NaN",
            "refuse:200",
            "refuse:700",
            "refuse",
            "close",
            "close:1005",
            "close:1006",
            "close:1015",
            "close:999",
            "close:5000",
            "close:1000:x",
            "garbage:1",
            "drop:1,",
            "nonsense",
        ] {
            assert_eq!(Faults::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_fault_is_due_after_its_messages_and_not_before() {
        let mut injector = Faults::parse("close:4000:2,drop:3").unwrap().injector();
        let mut after = Vec::new();
        for _ in 0..3 {
            injector.on_messages(1);
            after.push(injector.intervention());
        }
        assert_eq!(after, [None, Some(close(4000)), Some(close(4000))]);
    }

    #[test]
    fn delayed_messages_keep_their_order_and_their_time() {
        let start = Instant::now();
        let mut injector = Faults::parse("delay:100").unwrap().injector();
        let later = |ms| start + Duration::from_millis(ms);
        injector.send(encoded("a"), start);
        injector.send(encoded("b"), later(50));
        assert_eq!(injector.deadline(), Some(later(100)));
        assert!(injector.next(later(99)).is_none());
        assert_eq!(due(&mut injector, later(100)), [Message::text("a")]);
        assert_eq!(due(&mut injector, later(150)), [Message::text("b")]);
    }

    #[test]
    fn garbage_alternates_between_text_and_binary_around_the_real_messages() {
        let mut injector = Faults::parse("garbage").unwrap().injector();
        let now = Instant::now();
        injector.send(encoded("real"), now);
        injector.send(encoded("real"), now);
        let kinds: String = due(&mut injector, now)
            .iter()
            .map(|message| match message {
                Message::Text(text) if text.as_str() == "real" => 'r',
                Message::Text(_) => 't',
                _ => 'b',
            })
            .collect();
        assert_eq!(kinds, "tbtrbr");
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The latency of each of a thousand messages that are sent so far apart that none waits for another.
    fn lateness(network: SimulatedNetwork) -> Vec<Duration> {
        let mut path = network.path_with(fastrand::Rng::with_seed(7));
        let start = Instant::now();
        let sent = (0..1000).map(|number| start + Duration::from_secs(60) * number);
        sent.map(|sent| path.arrival(sent) - sent).collect()
    }

    #[test]
    fn without_a_fault_no_message_is_late() {
        assert!(lateness(SimulatedNetwork::default()).iter().all(Duration::is_zero));
    }

    #[test]
    fn jitter_adds_up_to_its_time_to_the_delay() {
        let late = lateness(SimulatedNetwork { delay: ms(100), jitter: ms(50), loss: 0.0 });
        assert!(late.iter().all(|late| (ms(100)..=ms(150)).contains(late)));
        let mean = late.iter().sum::<Duration>() / 1000;
        assert!((ms(122)..ms(128)).contains(&mean), "{mean:?}");
    }

    #[test]
    fn lost_messages_arrive_after_one_or_more_retransmissions() {
        let late = lateness(SimulatedNetwork { loss: 0.1, ..SimulatedNetwork::default() });
        let count = |time| late.iter().filter(|late| **late == time).count();
        assert!((870..930).contains(&count(ms(0))), "{}", count(ms(0)));
        assert!((60..120).contains(&count(ms(200))), "{}", count(ms(200)));
        assert!((2..25).contains(&count(ms(600))), "{}", count(ms(600)));
        assert!(
            lateness(SimulatedNetwork { loss: 1.0, ..SimulatedNetwork::default() })
                .iter()
                .all(|late| *late == ms(6200))
        );
    }

    #[test]
    fn no_message_overtakes_a_lost_one() {
        let network = SimulatedNetwork { jitter: ms(80), loss: 0.2, ..SimulatedNetwork::default() };
        let mut path = network.path_with(fastrand::Rng::with_seed(3));
        let start = Instant::now();
        let arrivals: Vec<_> = (0..500).map(|number| path.arrival(start + ms(10 * number))).collect();
        assert!(arrivals.is_sorted());
    }
}
