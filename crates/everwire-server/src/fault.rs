//! Faults that a test or a visitor asks for with `?fault=`, so that recovery can be seen and proven.

mod network;

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::connection::Frames;
pub(crate) use network::{Network, Path};

/// How faults are written, for error messages and `--help`.
pub(crate) const GRAMMAR: &str = "drop:N, half-open:N, delay:MS and jitter:MS (at most 60000), \
     loss:PERCENT (at most 50), refuse:STATUS (400 to 599), \
     close:CODE or close:CODE:N (1000 to 1003, 1007 to 1014, 3000 to 4999), garbage; several separated by commas";

const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// In percent. Of a network that loses more nobody would say that it works.
const MOST_LOSS: f64 = 50.0;

/// The faults of one connection, as asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Faults {
    /// Answer the handshake with this status.
    pub(crate) refuse: Option<StatusCode>,
    /// What ends the connection, after how many messages in both directions together.
    ends: Vec<(u64, Fatal)>,
    network: Network,
    garbage: bool,
}

/// A fault that ends the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fatal {
    /// Cut TCP without a close frame.
    Cut,
    /// Keep TCP, but read and answer nothing any more.
    HalfOpen,
    /// Close with this code.
    Close(u16),
}

impl Faults {
    /// Reads the value of the `fault` parameter; `None` is a text outside the grammar.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut faults = Self::default();
        for fault in text.split(',') {
            let parts: Vec<&str> = fault.trim().split(':').collect();
            match parts[..] {
                ["drop", n] => faults.ends.push((n.parse().ok()?, Fatal::Cut)),
                ["half-open", n] => faults.ends.push((n.parse().ok()?, Fatal::HalfOpen)),
                ["close", code] => faults.ends.push((0, Fatal::Close(sendable(code)?))),
                ["close", code, n] => faults.ends.push((n.parse().ok()?, Fatal::Close(sendable(code)?))),
                ["delay", ms] => faults.network.delay = bearable(ms)?,
                ["jitter", ms] => faults.network.jitter = bearable(ms)?,
                ["loss", percent] => {
                    let percent = percent.parse().ok().filter(|percent| (0.0..=MOST_LOSS).contains(percent))?;
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

    /// The script of a connection that has these faults.
    pub(crate) fn script(self) -> Script {
        let path = self.network.path();
        Script { faults: self, path, messages: 0, garbage_sent: 0, delayed: VecDeque::new(), bytes: 0 }
    }

    /// The network that was asked for, unless there is a fault that only a WebSocket can have.
    pub(crate) fn network_alone(&self) -> Option<Network> {
        (self.ends.is_empty() && !self.garbage).then_some(self.network)
    }
}

fn bearable(ms: &str) -> Option<Duration> {
    ms.parse().ok().map(Duration::from_millis).filter(|time| *time <= LONGEST_DELAY)
}

/// Codes that RFC 6455 section 7.4 lets an endpoint send.
fn sendable(code: &str) -> Option<u16> {
    let code = code.parse().ok()?;
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(code)
}

/// The faults of a connection that is under way.
#[derive(Debug)]
pub(crate) struct Script {
    faults: Faults,
    path: Path,
    messages: u64,
    garbage_sent: u64,
    delayed: VecDeque<(Instant, Frames)>,
    /// What they hold.
    bytes: usize,
}

impl Script {
    /// The fault that is due after the messages so far.
    pub(crate) fn fatal(&self) -> Option<Fatal> {
        self.faults.ends.iter().find(|(after, _)| self.messages >= *after).map(|(_, fatal)| *fatal)
    }

    /// Counts one message, in either direction.
    pub(crate) fn count(&mut self) {
        self.messages += 1;
    }

    /// What is sent before the first message.
    pub(crate) fn opening(&mut self, now: Instant) {
        if self.faults.garbage {
            for _ in 0..2 {
                let garbage = self.garbage();
                self.hold_back(garbage, now);
            }
        }
    }

    /// Takes messages that are to be sent; there will be garbage between them.
    pub(crate) fn take(&mut self, ready: impl IntoIterator<Item = Frames>, now: Instant) {
        for message in ready.into_iter().flat_map(Frames::split) {
            if self.faults.garbage {
                let garbage = self.garbage();
                self.hold_back(garbage, now);
            }
            self.hold_back(message, now);
        }
    }

    /// The next message, if its time has come.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Frames> {
        let (_, message) = self.delayed.pop_front_if(|(at, _)| *at <= now)?;
        self.bytes -= size_held(&message);
        Some(message)
    }

    /// Bytes that are held back.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the next delayed message is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.delayed.front().map(|(at, _)| *at)
    }

    fn hold_back(&mut self, message: Frames, now: Instant) {
        self.bytes += size_held(&message);
        self.delayed.push_back((self.path.arrival(now), message));
    }

    /// Text and binary in turn: JSON that breaks off, and bytes that are no text in any encoding we use.
    fn garbage(&mut self) -> Frames {
        self.garbage_sent += 1;
        let number = self.garbage_sent;
        Frames::of(&if number % 2 == 1 {
            Message::text(format!("\u{0}garbage {number} {{\"type\":[\u{fffd}"))
        } else {
            let mut bytes = vec![0xff, 0xfe, 0x00, 0xc0, 0x80];
            bytes.extend(number.to_be_bytes());
            Message::binary(bytes)
        })
    }
}

fn size_held(message: &Frames) -> usize {
    message.bytes().len() + size_of::<(Instant, Frames)>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{FramesMut, decoded};

    /// What is sent by then.
    fn due(script: &mut Script, now: Instant) -> Vec<Message> {
        std::iter::from_fn(|| script.next(now)).flat_map(|frames| decoded(&frames)).collect()
    }

    fn ends(text: &str) -> Vec<(u64, Fatal)> {
        Faults::parse(text).unwrap().ends
    }

    #[test]
    fn every_fault_of_the_grammar_is_read() {
        assert_eq!(ends("drop:3"), [(3, Fatal::Cut)]);
        assert_eq!(ends("half-open:0"), [(0, Fatal::HalfOpen)]);
        assert_eq!(ends("close:4001"), [(0, Fatal::Close(4001))]);
        assert_eq!(ends("close:1011:7"), [(7, Fatal::Close(1011))]);
        assert_eq!(Faults::parse("refuse:503").unwrap().refuse, Some(StatusCode::SERVICE_UNAVAILABLE));
        let both = Faults::parse("delay:250, garbage").unwrap();
        assert_eq!((both.network.delay, both.garbage), (Duration::from_millis(250), true));
        let network = Network { delay: Duration::from_millis(9), jitter: Duration::from_millis(8), loss: 0.025 };
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
        let mut script = Faults::parse("close:4000:2,drop:3").unwrap().script();
        let mut fatal_after = Vec::new();
        for _ in 0..3 {
            script.count();
            fatal_after.push(script.fatal());
        }
        assert_eq!(fatal_after, [None, Some(Fatal::Close(4000)), Some(Fatal::Close(4000))]);
    }

    #[test]
    fn delayed_messages_keep_their_order_and_their_time() {
        let start = Instant::now();
        let mut script = Faults::parse("delay:100").unwrap().script();
        let later = |ms| start + Duration::from_millis(ms);
        script.take([Frames::of(&Message::text("a"))], start);
        script.take([Frames::of(&Message::text("b"))], later(50));
        assert_eq!(script.due(), Some(later(100)));
        assert!(script.next(later(99)).is_none());
        assert_eq!(due(&mut script, later(100)), [Message::text("a")]);
        assert_eq!(due(&mut script, later(150)), [Message::text("b")]);
    }

    #[test]
    fn garbage_alternates_between_text_and_binary_around_the_real_messages() {
        let now = Instant::now();
        let mut script = Faults::parse("garbage").unwrap().script();
        script.opening(now);
        let mut real = FramesMut::default();
        [Message::text("real"), Message::text("real")].iter().for_each(|message| real.push(message));
        script.take([real.take()], now);
        let kinds: String = due(&mut script, now)
            .iter()
            .map(|message| match message {
                Message::Text(text) if text.as_str() == "real" => 'r',
                Message::Text(_) => 't',
                _ => 'b',
            })
            .collect();
        assert_eq!(kinds, "tbtrbr");
    }
}
