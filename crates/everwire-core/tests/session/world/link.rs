use std::collections::VecDeque;

use everwire_core::protocol::{Line, Message, MessageWriter, Payload};

/// What a connection carries to a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    /// A message with one or more lines.
    Text(String),
    /// The server closes with this code.
    Close(u16),
}

/// A connection between a client and the server. Both ends can be gone without the other one knowing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Connection {
    pub(crate) client: usize,
    /// Messages on their way to the server.
    pub(crate) up: VecDeque<String>,
    /// What is on its way to the client.
    pub(crate) down: VecDeque<Frame>,
}

impl Connection {
    pub(super) fn new(client: usize) -> Self {
        Self { client, up: VecDeque::new(), down: VecDeque::new() }
    }
}

/// A line as it travels.
pub(super) fn text<'a>(line: &impl Line<'a>, payload: Payload<'_>) -> String {
    let mut writer = MessageWriter::new(usize::MAX);
    writer.push(line, payload).unwrap_or_else(|error| panic!("a line that cannot be sent: {error}"));
    match writer.pop() {
        Some(Message::Text(text)) => text,
        other => panic!("{other:?} is not a text message"),
    }
}

/// Lines that are ready together travel in one message.
pub(super) fn join(lines: Vec<String>) -> Option<String> {
    (!lines.is_empty()).then(|| lines.join("\u{1e}"))
}
