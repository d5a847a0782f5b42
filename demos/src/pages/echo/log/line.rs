use core::time::Duration;
use std::rc::Rc;

use super::super::hex;

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pages::echo) struct Line {
    /// Milliseconds since the Unix epoch.
    pub(in crate::pages::echo) time: f64,
    pub(in crate::pages::echo) origin: Origin,
    pub(in crate::pages::echo) body: Body,
    /// What became of a message of the visitor.
    pub(in crate::pages::echo) transmission: Transmission,
    /// For a reply: how long after its message was transmitted it came.
    pub(in crate::pages::echo) round_trip: Option<Duration>,
}

/// When a message was handed to the network.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in crate::pages::echo) enum Transmission {
    #[default]
    AtOnce,
    /// It waits in the outbox.
    Queued,
    /// It waited in the outbox until then, in milliseconds since the Unix epoch.
    Later(f64),
    /// It was discarded.
    Never,
}

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages::echo) enum Origin {
    /// The visitor, to the server.
    Sent,
    /// The server.
    Received,
    /// The connection itself.
    Connection,
}

/// What a line says. Payloads are shared with whoever sends or shows them, not copied.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pages::echo) enum Body {
    Text(Rc<str>),
    Binary(Rc<[u8]>),
    /// Something that happened to the connection, in words.
    Event(Tone, Rc<str>),
}

/// How an event is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages::echo) enum Tone {
    /// As it should be.
    Good,
    /// For information.
    Plain,
    /// Something was lost or has to be tried again.
    Bad,
}

/// The kinds of bodies, to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages::echo) enum Kind {
    Text,
    Binary,
    Event,
}

impl Line {
    /// A line of what happened at once.
    pub(in crate::pages::echo) fn new(time: f64, origin: Origin, body: Body) -> Self {
        Self { time, origin, body, transmission: Transmission::default(), round_trip: None }
    }

    pub(in crate::pages::echo) fn kind(&self) -> Kind {
        match self.body {
            Body::Text(_) => Kind::Text,
            Body::Binary(_) => Kind::Binary,
            Body::Event(..) => Kind::Event,
        }
    }

    /// The payload's length in bytes; an event has none.
    pub(in crate::pages::echo) fn size(&self) -> Option<usize> {
        match &self.body {
            Body::Text(text) => Some(text.len()),
            Body::Binary(bytes) => Some(bytes.len()),
            Body::Event(..) => None,
        }
    }

    /// What the line costs to keep, in bytes.
    pub(super) fn weight(&self) -> usize {
        let body = match &self.body {
            Body::Text(text) | Body::Event(_, text) => text.len(),
            Body::Binary(bytes) => bytes.len(),
        };
        size_of::<Self>() + body
    }

    /// The start of the body on one line: as much as the widest screen shows.
    pub(in crate::pages::echo) fn preview(&self) -> String {
        const CHARACTERS: usize = 240;
        match &self.body {
            Body::Text(text) | Body::Event(_, text) => {
                let mut shown = String::with_capacity(CHARACTERS.min(text.len()));
                // Bounded before blanks are folded: a megabyte of them is not looked through in every frame.
                for character in text.chars().take(CHARACTERS) {
                    match character {
                        c if c.is_whitespace() && shown.ends_with(' ') => {}
                        c if c.is_whitespace() => shown.push(' '),
                        c if c.is_control() => shown.push(char::REPLACEMENT_CHARACTER),
                        c => shown.push(c),
                    }
                }
                shown
            }
            Body::Binary(bytes) => hex::spaced(bytes.get(..CHARACTERS / 3).unwrap_or(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(body: Body) -> Line {
        Line::new(0.0, Origin::Sent, body)
    }

    #[test]
    fn a_preview_is_one_line_of_bounded_length() {
        assert_eq!(line(Body::Text("{\n  \"a\": 1\n}".into())).preview(), "{ \"a\": 1 }");
        assert_eq!(line(Body::Text("a\u{0}b".into())).preview(), "a\u{fffd}b");
        assert_eq!(line(Body::Text("ä".repeat(1000).into())).preview().chars().count(), 240);
        assert_eq!(line(Body::Binary([0xde, 0xad].into())).preview(), "de ad");
        assert!(line(Body::Binary(vec![0; 1000].into())).preview().len() <= 240);
    }

    #[test]
    fn the_size_is_that_of_the_payload_in_bytes() {
        assert_eq!(line(Body::Text("ä".into())).size(), Some(2));
        assert_eq!(line(Body::Event(Tone::Good, "opened".into())).size(), None);
    }
}
