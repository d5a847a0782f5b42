//! What holds for any message, from any peer. The properties check generated messages, the fuzz target those that it finds.

use std::fmt::Debug;

use everwire_core::protocol::{ClientLine, Line, Lines, MAX_HEADER, Message, MessageWriter, ProtocolError, ServerLine};

use crate::specification;

/// The lines of a client, or of a server.
pub(crate) trait Direction {
    type Line<'a>: Line<'a> + Debug;
    /// The section of the specification that lists them.
    const SECTION: &'static str;
}

#[derive(Debug)]
pub(crate) struct Client;

#[derive(Debug)]
pub(crate) struct Server;

impl Direction for Client {
    type Line<'a> = ClientLine<'a>;
    const SECTION: &'static str = "Lines of the client";
}

impl Direction for Server {
    type Line<'a> = ServerLine<'a>;
    const SECTION: &'static str = "Lines of the server";
}

/// Checks bytes as a message of each kind and direction.
pub(crate) fn check_bytes(bytes: &[u8]) {
    let mut messages = vec![Message::Binary(bytes.to_vec())];
    messages.extend(std::str::from_utf8(bytes).ok().map(|text| Message::Text(text.to_owned())));
    for received in &messages {
        check_message::<Client>(received);
        check_message::<Server>(received);
    }
}

/// Checks that the lines of a message can be written, and are read again as the same.
fn check_message<D: Direction>(message: &Message) {
    let mut writer = MessageWriter::new(usize::MAX);
    let mut is_over = false;
    let mut expected = Vec::new();
    for item in lines::<D>(message) {
        assert!(!is_over, "a line follows a malformed one in {message:?}");
        match item {
            Ok((line, payload)) => {
                expected.push(format!("{line:?} {payload:?}"));
                writer.push(&line, payload).unwrap_or_else(|error| panic!("{line:?} cannot be written: {error}"));
            }
            Err(ProtocolError::UnknownLine(line)) => assert!(!line.is_empty()),
            Err(_) => is_over = true,
        }
    }
    let written: Vec<Message> = std::iter::from_fn(|| writer.pop()).collect();
    assert_eq!(written.iter().flat_map(read::<D>).collect::<Vec<_>>(), expected, "{message:?}");
    if let Message::Text(text) = message {
        for line in text.split('\u{1e}') {
            check_header::<D>(line.split_once('\n').map_or(line, |(header, _)| header));
        }
    }
}

/// Checks that a header is refused, or that each of its words is read as what it is: no number changes, and only words without meaning are
/// dropped.
pub(crate) fn check_header<D: Direction>(header: &str) {
    let Ok(line) = D::Line::parse(header) else { return };
    let mut written = String::new();
    line.write(&mut written).unwrap_or_else(|error| panic!("{line:?} cannot be written: {error}"));
    assert!(written.len() <= header.len() && header.len() <= MAX_HEADER, "{header:?} is written as {written:?}");
    let words: Vec<&str> = header.split(' ').collect();
    let mut left: Vec<&str> = written.split(' ').collect();
    for word in &words {
        match left.iter().position(|other| other == word) {
            Some(at) => drop(left.remove(at)),
            None => {
                assert!(has_no_meaning::<D>(&words, word), "{word:?} is lost: {header:?} is written as {written:?}")
            }
        }
    }
    assert!(left.is_empty(), "{left:?} was not in {header:?}");
}

/// Whether a word is an option that the line does not have, or one with its default value.
fn has_no_meaning<D: Direction>(words: &[&str], word: &str) -> bool {
    let Some((name, value)) = word.split_once('=') else { return false };
    if !has_option::<D>(words[0], name) {
        return true;
    }
    match (name, value) {
        ("acked" | "part", "0") | ("floor", "1") => true,
        ("after", after) => {
            let own = words.get(2).map(|own| own.split('.').nth(1).unwrap_or(own));
            let number = |text: &str| text.parse::<u128>().ok();
            own.and_then(number).zip(number(after)).is_some_and(|(own, after)| after + 1 == own)
        }
        _ => false,
    }
}

/// Whether the form of a line, in the first column of the table, has the option.
fn has_option<D: Direction>(line_type: &str, option: &str) -> bool {
    let forms = specification::tables(D::SECTION).concat();
    let words = |form: &str| form.trim_matches('`').split([' ', '[', ']']).map(str::to_owned).collect::<Vec<_>>();
    forms.iter().map(|row| words(&row[0])).any(|form| {
        form[0] == line_type && form.iter().filter_map(|word| word.split_once('=')).any(|(name, _)| name == option)
    })
}

/// The lines of a message and their payloads, for comparison.
pub(crate) fn read<D: Direction>(message: &Message) -> Vec<String> {
    let item = |item: Result<(D::Line<'_>, _), _>| match item {
        Ok((line, payload)) => format!("{line:?} {payload:?}"),
        Err(error) => panic!("{error} in {message:?}"),
    };
    lines::<D>(message).map(item).collect()
}

fn lines<D: Direction>(message: &Message) -> Lines<'_, D::Line<'_>> {
    match message {
        Message::Text(text) => Lines::text(text),
        Message::Binary(bytes) => Lines::binary(bytes),
    }
}
