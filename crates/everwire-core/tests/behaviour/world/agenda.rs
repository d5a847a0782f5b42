use std::collections::BTreeMap;

use everwire_core::{Input, SocketId, Time};

/// What will happen, in order of time.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Time, u64), Event>,
    next: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The handshake ends, one way or the other.
    Handshake(SocketId),
    /// A message reaches the server.
    AtServer(SocketId, Frame),
    /// The server cuts or closes the connection by itself.
    ServerCloses(SocketId),
    /// The server sends something.
    ServerSends(SocketId),
    /// Something reaches the page.
    AtClient(ToClient),
}

#[derive(Debug, Clone)]
pub(crate) enum ToClient {
    Input(Input),
    Message(SocketId, String),
}

#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Text(String),
    Ping(u64),
    Close,
}

impl Agenda {
    pub(crate) fn add(&mut self, at: Time, event: Event) {
        self.entries.insert((at, self.next), event);
        self.next += 1;
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn take_next(&mut self) -> Option<Event> {
        self.entries.pop_first().map(|(_, event)| event)
    }
}
