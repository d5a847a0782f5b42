//! JSON as a visitor types it: whether it is valid, and where not; and with line breaks.

use serde::de::IgnoredAny;
use thiserror::Error;

use super::place::Place;

/// Says whether `text` is one JSON value.
pub(super) fn check(text: &str) -> Result<(), JsonError> {
    // Nothing is built: a value of any depth and length is checked in constant memory, on a small stack.
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(JsonError::new(text, &error)),
    }
}

/// The same value with a line for each member, two blanks deeper on each level. Only blanks change: numbers keep their
/// digits and members their order, which a detour over parsed values would not promise.
pub(super) fn pretty(text: &str) -> Result<String, JsonError> {
    check(text)?;
    Ok(indent(text))
}

/// Lays out valid JSON.
fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut rest = json.trim_start_matches(BLANKS);
    while let Some(character) = rest.chars().next() {
        let token = if character == '"' { string_length(rest) } else { character.len_utf8() };
        let after = rest[token..].trim_start_matches(BLANKS);
        match character {
            '{' | '[' if after.starts_with(['}', ']']) => {
                out.push(character);
                out.push_str(&after[..1]);
                rest = after[1..].trim_start_matches(BLANKS);
                continue;
            }
            '{' | '[' => {
                depth += 1;
                out.push(character);
                break_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push_str(&rest[..token]),
        }
        rest = after;
    }
    out
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

fn break_line(out: &mut String, depth: usize) {
    /// Nothing is moved further to the right: half a megabyte of opening brackets would otherwise grow by the square.
    const DEEPEST: usize = 64;
    out.push('\n');
    out.extend(core::iter::repeat_n("  ", depth.min(DEEPEST)));
}

/// The length in bytes of the string literal that `json` starts with, both quotes included.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// Why a text is not JSON, and where that shows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason} at {place}")]
pub(super) struct JsonError {
    reason: String,
    place: Place,
}

impl JsonError {
    fn new(text: &str, error: &serde_json::Error) -> Self {
        let whole = error.to_string();
        let reason = match whole.rsplit_once(" at line ").map_or(whole.as_str(), |(reason, _)| reason) {
            "expected ident" => "expected true, false or null",
            reason => reason,
        }
        .to_owned();
        let line_start = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        // The column is that of the last byte read, from one: a line break is at column zero of the line after it. At the end of
        // the text there is nothing left to point at.
        let at = if error.is_eof() { text.trim_end().len() } else { (line_start + error.column()).saturating_sub(1) };
        Self { reason, place: Place::of_byte(text, at.min(text.len())) }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn error(text: &str) -> (String, usize, usize) {
        let error = check(text).unwrap_err();
        (error.reason, error.place.line, error.place.column)
    }

    #[test]
    fn the_place_of_a_mistake_is_told_in_characters() {
        assert_eq!(error(r#"{"a": x}"#), ("expected value".to_owned(), 1, 7));
        assert_eq!(error("{\n  \"ä\": 1,\n}").1, 3);
        assert_eq!(error("[\"äöü\" 1]"), ("expected `,` or `]`".to_owned(), 1, 8));
        assert_eq!(error("{\"a\": 1} more"), ("trailing characters".to_owned(), 1, 10));
        assert_eq!(error("{\n  \"a\": nul\n}"), ("expected true, false or null".to_owned(), 2, 11));
    }

    #[test]
    fn a_text_that_ends_too_early_is_pointed_at_its_end() {
        assert_eq!(error("[1,\n 2\n\n"), ("EOF while parsing a list".to_owned(), 2, 3));
        assert_eq!(error(""), ("EOF while parsing a value".to_owned(), 1, 1));
    }

    #[test]
    fn numbers_keep_their_digits_and_members_their_order() {
        let text = r#"{"b":12345678901234567890123,"a":1.50,"b":[ ],"c":{ }}"#;
        let expected = "{\n  \"b\": 12345678901234567890123,\n  \"a\": 1.50,\n  \"b\": [],\n  \"c\": {}\n}";
        assert_eq!(pretty(text).unwrap(), expected);
    }

    #[test]
    fn a_value_of_any_depth_is_laid_out_in_bounded_space() {
        let text = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(pretty(&text).unwrap().len() < 200 * text.len());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            r#"[\[\]{},:"\\ ]*"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_layout_is_that_of_serde_json(value in value()) {
            let expected = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(pretty(&value.to_string()).unwrap(), expected.clone());
            prop_assert_eq!(pretty(&expected).unwrap(), expected);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = pretty(&text).map_err(|error| error.place().point_at(&text));
        }
    }
}
