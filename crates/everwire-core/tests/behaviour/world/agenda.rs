use std::{collections::BTreeMap, time::Duration};

use everwire_core::{Input, SocketId};

/// What will happen, in order of time.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Duration, u64), Happening>,
    next: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// The handshake ends, one way or the other.
    Handshake(SocketId),
    /// A message reaches the server.
    AtServer(SocketId, Frame),
    /// The server cuts or closes the connection by itself.
    ServerLeaves(SocketId),
    /// The server has something to say.
    ServerTalks(SocketId),
    /// Something reaches the page.
    AtClient(Input<String>),
}

#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Text(String),
    Ping(u64),
    Close(u16, String),
}

impl Agenda {
    pub(crate) fn add(&mut self, at: Duration, happening: Happening) {
        self.entries.insert((at, self.next), happening);
        self.next += 1;
    }

    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn take_next(&mut self) -> Option<Happening> {
        self.entries.pop_first().map(|(_, happening)| happening)
    }
}
