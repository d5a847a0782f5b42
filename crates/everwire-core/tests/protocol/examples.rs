use std::collections::BTreeSet;

use everwire_core::protocol::{ClientLine, Line, Lines, Message, MessageWriter, ServerLine};

use crate::page;

/// A message of the section "A session".
#[derive(Debug)]
enum Example {
    Client(Message),
    Server(Message),
}

fn examples() -> Vec<Example> {
    let lines = page::section("A session").lines();
    lines
        .filter_map(|line| match line.split_once(' ')? {
            ("→", example) => Some(Example::Client(message(example))),
            ("←", example) => Some(Example::Server(message(example))),
            _ => None,
        })
        .collect()
}

/// The bytes that the page shows with `⏎`, `␞` and `\x`.
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
fn read_and_write<'a, L: Line<'a> + std::fmt::Debug>(message: &'a Message) -> Vec<String> {
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
        for form in page::tables(title).concat().iter().skip(1).map(|row| row[0].trim_matches('`')) {
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
