//! The standard ping and its answers, as texts.

use crate::Pong;

/// No standard answer is longer: a 20-digit number, and a time with fraction.
pub(crate) const MAX_LENGTH: usize = 96;

/// The text that asks.
pub(crate) fn ask(ping: u64) -> String {
    let mut text = String::from("{\"ping\":");
    text.push_str(&ping.to_string());
    text.push('}');
    text
}

/// Reads a standard answer: `{"pong":N}`, `{"pong":N,"server_time":MS}`, or the ping itself come back from an echo. `None` for
/// every other text. White space between the parts is allowed, as JSON does.
pub(crate) fn read(text: &str) -> Option<Pong> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut parts = inner.split(',');
    let (key, number) = member(parts.next()?)?;
    let ping = number.parse().ok()?;
    let server_time = match (key, parts.next()) {
        ("\"ping\"" | "\"pong\"", None) => None,
        ("\"pong\"", Some(part)) => match member(part)? {
            ("\"server_time\"", time) => Some(time.parse().ok()?),
            _ => return None,
        },
        _ => return None,
    };
    parts.next().is_none().then_some(Pong { ping: Some(ping), server_time })
}

fn member(part: &str) -> Option<(&str, &str)> {
    let (key, value) = part.split_once(':')?;
    Some((key.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_an_echo_and_of_a_server_that_knows_pings_are_read() {
        assert_eq!(read(&ask(7)), Some(Pong { ping: Some(7), server_time: None }));
        assert_eq!(read(r#"{"pong":7}"#), Some(Pong { ping: Some(7), server_time: None }));
        let timed = r#"{ "pong": 18446744073709551615, "server_time": 1795219200123.456 }"#;
        assert_eq!(read(timed), Some(Pong { ping: Some(u64::MAX), server_time: Some(1_795_219_200_123.456) }));
    }

    #[test]
    fn what_an_application_may_say_is_not_taken_for_an_answer() {
        for text in [
            "",
            "{}",
            "7",
            r#"{"ping":"7"}"#,
            r#"{"ping":-1}"#,
            r#"{"ping":7,"note":"x"}"#,
            r#"{"pong":7,"server_time":1,"x":2}"#,
            r#"{"pong":7,"x":1}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
