//! The codec agrees with the examples and tables of `docs/protocol.md`.

use std::{collections::BTreeSet, fmt::Debug};

use everwire_core::{
    Decision, DropCause, ReconnectRules,
    protocol::{ClientLine, ErrorCode, GapReason, Line, Lines, Message, MessageWriter, ServerLine},
};

use crate::specification::{self, Reaction};

// Examples.

/// A message of the section "A session".
#[derive(Debug)]
enum Example {
    Client(Message),
    Server(Message),
}

fn examples() -> Vec<Example> {
    let lines = specification::section("A session").lines();
    lines
        .filter_map(|line| match line.split_once(' ')? {
            ("→", example) => Some(Example::Client(message(example))),
            ("←", example) => Some(Example::Server(message(example))),
            _ => None,
        })
        .collect()
}

/// The bytes that the specification shows with `⏎`, `␞` and `\x`.
fn message(example: &str) -> Message {
    let example = format!("{example} ");
    let is_binary = example.starts_with('+');
    let lines = example.replace(" ⏎ ", "\n").replace(" ␞ ", if is_binary { "" } else { "\u{1e}" });
    let lines = lines.strip_suffix(' ').unwrap_or(&lines);
    if !is_binary {
        return Message::Text(lines.to_owned());
    }
    let mut parts = lines.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hexadecimal digits follow"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Message::Binary(bytes)
}

/// Reads a message and writes its lines again. The types and headers of the lines.
fn read_and_write<'a, L: Line<'a> + Debug>(message: &'a Message) -> Vec<String> {
    let lines = match message {
        Message::Text(text) => Lines::<L>::text(text),
        Message::Binary(bytes) => Lines::<L>::binary(bytes),
    };
    let mut writer = MessageWriter::new(usize::MAX);
    let mut headers = Vec::new();
    for line in lines {
        let (line, payload) = line.unwrap_or_else(|error| panic!("{error} in {message:?}"));
        writer.push(&line, payload).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        let mut header = String::new();
        line.write(&mut header).expect("it was written before");
        headers.push(header);
    }
    assert_eq!(writer.pop().as_ref(), Some(message));
    assert_eq!(writer.pop(), None);
    headers
}

/// The headers of all examples of the client, and of the server.
fn headers() -> (Vec<String>, Vec<String>) {
    let (mut client, mut server) = (Vec::new(), Vec::new());
    for example in examples() {
        match example {
            Example::Client(message) => client.extend(read_and_write::<ClientLine<'_>>(&message)),
            Example::Server(message) => server.extend(read_and_write::<ServerLine<'_>>(&message)),
        }
    }
    (client, server)
}

#[test]
fn each_example_is_read_and_written_as_the_same_bytes() {
    let (client, server) = headers();
    assert!(client.len() > ClientLine::TYPES.len() && server.len() > ServerLine::TYPES.len(), "the examples are found");
}

#[test]
fn each_line_has_an_example() {
    let (client, server) = headers();
    for (types, headers) in [(&ClientLine::TYPES[..], client), (&ServerLine::TYPES[..], server)] {
        let shown: BTreeSet<&str> = headers.iter().filter_map(|header| header.split(' ').next()).collect();
        assert_eq!(shown, types.iter().copied().collect::<BTreeSet<&str>>());
    }
}

#[test]
fn each_option_and_each_start_has_an_example() {
    let (client, server) = headers();
    for start in ["live", "hold", "state", "last:", "from:"] {
        let has_start = |header: &String| header.starts_with("sub ") && header.contains(&format!(" {start}"));
        assert!(client.iter().any(has_start), "a subscription that starts at {start}");
    }
    for (title, headers) in [("Lines of the client", client), ("Lines of the server", server)] {
        for form in specification::tables(title).concat().iter().skip(1).map(|row| row[0].trim_matches('`')) {
            let (line_type, options) = form.split_once(' ').unwrap_or((form, ""));
            let prefix = format!("{line_type} ");
            let of_type: Vec<&String> = headers.iter().filter(|header| header.starts_with(&prefix)).collect();
            for option in options.split([' ', '[', ']']).filter_map(|word| word.split_once('=')) {
                let option = format!(" {}=", option.0);
                assert!(of_type.iter().any(|header| header.contains(&option)), "{line_type} is shown with{option}");
            }
        }
    }
}

// Tables.

/// The types of the forms in the first column.
fn types(title: &str) -> Vec<String> {
    let rows = specification::tables(title).concat();
    rows[1..].iter().map(|row| row[0].trim_matches('`').split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_tables_list_the_lines_that_are_read() {
    assert_eq!(types("Lines of the client"), ClientLine::TYPES);
    assert_eq!(types("Lines of the server"), ServerLine::TYPES);
}

#[test]
fn each_word_of_a_line_has_a_form() {
    let forms = specification::tables("Framing").concat();
    let forms: BTreeSet<&str> = forms.iter().flat_map(|row| row[0].split(", ")).collect();
    for title in ["Lines of the client", "Lines of the server"] {
        for row in &specification::tables(title).concat()[1..] {
            let words = row[0].split(|character: char| !character.is_ascii_uppercase());
            for word in words.filter(|word| !word.is_empty()) {
                // These two occur in one line each, which explains them.
                let is_explained = ["START", "REASON"].contains(&word);
                assert!(is_explained || forms.contains(word), "{word} of {}", row[0]);
            }
        }
    }
}

#[test]
fn the_table_of_errors_has_each_code_and_its_close_code() {
    let rows = specification::tables("Errors").concat();
    let mut codes = BTreeSet::new();
    for row in &rows[1..] {
        let code = ErrorCode::parse(&row[0]).unwrap_or_else(|| panic!("{} is not a code", row[0]));
        assert_eq!(row[1], code.close_code().map_or("–".to_owned(), |code| code.to_string()), "{code}");
        assert_eq!(code.is_fatal(), row[1] != "–");
        assert!(codes.insert(code.as_str()), "{code} is listed once");
    }
    assert_eq!(codes, ErrorCode::ALL.map(ErrorCode::as_str).into_iter().collect());
}

#[test]
fn a_close_code_names_one_error() {
    for code in ErrorCode::ALL {
        assert_eq!(code.close_code().and_then(ErrorCode::from_close_code), code.close_code().map(|_| code));
    }
    assert_eq!(ErrorCode::from_close_code(1006), None);
}

#[test]
fn a_connection_is_retried_after_the_close_codes_after_which_the_table_says_so() {
    let rules = ReconnectRules { renews_credentials: true, ..ReconnectRules::default() };
    for row in &specification::tables("Errors").concat()[1..] {
        let Some(close_code) = ErrorCode::parse(&row[0]).and_then(ErrorCode::close_code) else { continue };
        let decision = rules.default_decision(&DropCause::closed(close_code, true));
        let is_retried = decision != Decision::Stop;
        let says_so = row[3].starts_with("Connect again") || row[3].starts_with("Correct the sender");
        assert_eq!(is_retried, says_so, "{}: {}", row[0], row[3]);
    }
}

#[test]
fn the_reasons_of_a_gap_are_those_of_the_specification() {
    let rows = specification::tables("Lines of the server").concat();
    let gap = rows.iter().find(|row| row[0].starts_with("`gap ")).expect("the table lists gap");
    for reason in GapReason::ALL {
        assert!(gap[1].contains(&format!("`{reason}`")), "{reason}");
        assert_eq!(GapReason::parse(reason.as_str()), Some(reason));
    }
}

#[test]
fn each_state_has_a_reaction_to_each_line() {
    let reactions = [
        (
            specification::server_reactions(),
            ["new", "attached", "closing"],
            &ClientLine::TYPES[..],
            "a type of no client",
        ),
        (
            specification::client_reactions(),
            ["greeting", "attached", "closing"],
            &ServerLine::TYPES[..],
            "a type of no server",
        ),
    ];
    for (cells, states, types, unknown) in reactions {
        let expected = types.iter().copied().chain([unknown, "malformed"]);
        let expected: Vec<(&str, &str)> = expected.flat_map(|line| states.map(|state| (line, state))).collect();
        let found: Vec<(&str, &str)> = cells.iter().map(|cell| (cell.line.as_str(), cell.state.as_str())).collect();
        assert_eq!(found, expected);
        for cell in cells {
            assert_eq!(cell.state == "closing", cell.reaction == Reaction::Ignore, "{cell:?}");
        }
    }
}
