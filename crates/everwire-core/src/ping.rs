//! The texts of the standard heartbeat: `{"ping":N}`, answered by `{"pong":N}`, by `{"pong":N,"server_time":T}`, or by itself, as
//! an echo does.
//!
//! `N` is an integer from 0 to [`MAX_NUMBER`], and `T` a JSON number: milliseconds since the Unix epoch by the server's clock. A ping
//! is written without white space, and no other form counts as one: other texts of an application stay messages. An answer may have white
//! space between its parts, as JSON libraries write it.
//!
//! The JavaScript driver has the same grammar in `js/heartbeat.js`. Both are tested with `tests/vectors/ping.json`.
//!
//! ```
//! use everwire_core::ping::{Answer, Ping};
//!
//! // A client sends a ping,
//! let sent = Ping { number: 7 }.to_string();
//! // a server answers,
//! let Ping { number } = Ping::parse(&sent).expect("a ping is read as it is written");
//! let answer = Answer { number, server_time: Some(1_795_219_200_123.5) }.to_string();
//! assert_eq!(answer, r#"{"pong":7,"server_time":1795219200123.5}"#);
//! // and the client reads the answer.
//! assert_eq!(Answer::parse(&answer).map(|answer| answer.number), Some(7));
//! ```

use core::fmt;

/// The most bytes of an answer; a longer text is not one. The longest number and a time with all its digits leave room for white space.
pub const MAX_LENGTH: usize = 96;

/// The largest number of a ping, 2⁵³ - 1: the largest integer that JavaScript has exactly.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// A ping of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// Identifies the ping; up to [`MAX_NUMBER`].
    pub number: u64,
}

/// A server's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The number of the ping.
    pub number: u64,
    /// Milliseconds since the Unix epoch by the server's clock, if the server sends them. A client estimates the offset between the clocks
    /// from it. A time that is not finite is not written.
    pub server_time: Option<f64>,
}

impl Ping {
    /// Reads a ping. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.strip_prefix("{\"ping\":")?.strip_suffix('}')?;
        Some(Self { number: integer(number)? })
    }
}

impl fmt::Display for Ping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{\"ping\":{}}}", self.number)
    }
}

impl Answer {
    /// Reads an answer, also one that is the ping itself. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let members = trim(text).strip_prefix('{')?.strip_suffix('}')?;
        let (first, second) = match members.split_once(',') {
            Some((first, second)) => (first, Some(second)),
            None => (members, None),
        };
        let ("\"ping\"" | "\"pong\"", number) = member(first)? else { return None };
        let server_time = match second.map(member) {
            None => None,
            Some(Some(("\"server_time\"", time))) => Some(finite(time)?),
            Some(_) => return None,
        };
        Some(Self { number: integer(number)?, server_time })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{\"pong\":{}", self.number)?;
        if let Some(time) = self.server_time.filter(|time| time.is_finite()) {
            // Finite numbers have the same form in Rust and in JSON.
            write!(formatter, ",\"server_time\":{time:?}")?;
        }
        formatter.write_str("}")
    }
}

/// A key in its quotes, and a value.
fn member(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    Some((trim(key), trim(value)))
}

/// Without white space as JSON has it.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// An integer as JSON writes it: without a sign and without zeros before it.
fn integer(text: &str) -> Option<u64> {
    is_integer(text.as_bytes()).then(|| text.parse().ok())?.filter(|number| *number <= MAX_NUMBER)
}

fn is_integer(digits: &[u8]) -> bool {
    digits == b"0" || (!digits.starts_with(b"0") && is_digits(digits))
}

fn is_digits(digits: &[u8]) -> bool {
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// A number as JSON writes it. `f64::from_str` reads more, such as `inf` and `.5`.
fn finite(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (decimal, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_number = is_integer(whole.as_bytes()) && is_digits(fraction.as_bytes()) && is_digits(exponent.as_bytes());
    is_number.then(|| text.parse().ok())?.filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    // The vectors that the JavaScript driver is tested with too.
    fn vectors(kind: &str) -> Vec<Value> {
        let vectors: Value =
            serde_json::from_str(include_str!("../tests/vectors/ping.json")).expect("the vectors are JSON");
        vectors[kind].as_array().expect("there are such vectors").clone()
    }

    fn text(vector: &Value) -> &str {
        vector["text"].as_str().expect("the vector has a text")
    }

    fn number(vector: &Value) -> u64 {
        vector["number"].as_u64().expect("the vector has a number")
    }

    fn answer(vector: &Value) -> Answer {
        Answer { number: number(vector), server_time: vector["time"].as_f64() }
    }

    #[test]
    fn a_ping_is_read_as_it_is_written() {
        for vector in vectors("pings") {
            let ping = Ping { number: number(&vector) };
            assert_eq!(ping.to_string(), text(&vector));
            assert_eq!(Ping::parse(text(&vector)), Some(ping));
        }
    }

    #[test]
    fn what_only_resembles_a_ping_is_a_message_like_any_other() {
        for text in vectors("no pings") {
            let text = text.as_str().unwrap();
            assert_eq!(Ping::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_answer_is_read_as_a_server_writes_it() {
        for vector in vectors("pongs") {
            assert_eq!(answer(&vector).to_string(), text(&vector));
            assert_eq!(Answer::parse(text(&vector)), Some(answer(&vector)), "{vector}");
        }
    }

    #[test]
    fn an_answer_may_be_an_echo_or_have_white_space_as_json_libraries_write_it() {
        for vector in vectors("answers") {
            assert_eq!(Answer::parse(text(&vector)), Some(answer(&vector)), "{vector}");
        }
    }

    #[test]
    fn what_an_application_may_say_is_not_taken_for_an_answer() {
        for text in vectors("no answers") {
            let text = text.as_str().unwrap();
            assert_eq!(Answer::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_time_that_json_cannot_write_is_left_out() {
        for time in [f64::NAN, f64::INFINITY] {
            assert_eq!(Answer { number: 1, server_time: Some(time) }.to_string(), r#"{"pong":1}"#);
        }
    }
}
