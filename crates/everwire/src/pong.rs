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

/// Whether a text with these UTF-16 units, or 255 for those above, may be a standard answer. It is the cheaper question, which a text of
/// an application hardly ever passes: only of one that does more than four units are looked at.
#[cfg(any(test, target_family = "wasm"))]
pub(crate) fn may_start_with(unit: impl Fn(u32) -> u8) -> bool {
    let may_be_space = |unit: u8| !unit.is_ascii_graphic();
    match (unit(0), unit(1)) {
        (b'{', b'"') => unit(2) == b'p' && unit(4) == b'n' && unit(5) == b'g',
        (b'{', second) => may_be_space(second),
        (first, _) => may_be_space(first),
    }
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

    fn may_start_as(text: &str) -> bool {
        let units: Vec<u16> = text.encode_utf16().collect();
        may_start_with(|index| units.get(index as usize).map_or(0, |unit| (*unit).min(255) as u8))
    }

    #[test]
    fn what_is_no_answer_is_told_by_its_start() {
        for text in ["hello", r#"{"type":"updates"}"#, r#"{"price":1}"#, r#"{"p":1}"#, "[1]", "7"] {
            assert!(!may_start_as(text), "{text}");
        }
    }

    #[test]
    fn the_answers_of_an_echo_and_of_a_server_that_knows_pings_are_read() {
        assert_eq!(read(&ask(7)), Some(Pong { ping: Some(7), server_time: None }));
        assert_eq!(read(r#"{"pong":7}"#), Some(Pong { ping: Some(7), server_time: None }));
        assert!(may_start_as(&ask(7)) && may_start_as(r#"{"pong":7}"#));
        for spaced in [" {\"pong\":7}", "\u{3000}{\"pong\":7}", "{ \"pong\":7}", "{\n\"ping\":7}"] {
            assert!(read(spaced).is_some() && may_start_as(spaced), "{spaced}");
        }
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
