//! Connections between the client and the server, and the lines that they carry.

use std::collections::VecDeque;

use everwire_core::{
    Time,
    protocol::{ClientLine, Cursor, ErrorCode, Hello, Mode, Pub, Req, Resume, Start, Sub},
    session::Gap,
};

use crate::store::{Messages, Payload};

/// A line of the client, with the number of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FromClient {
    Hello { session: Option<u8>, acked: u64, floor: u64 },
    Sub(Start),
    Unsub,
    Pub { seq: u64, after: u64, payload: Payload },
    Req { seq: u64, timeout: Option<Time>, floor: u64, part: u64, payload: Payload },
    Cancel(u64),
}

/// A line of the server. `covers` is for the checks only: the messages that the client does not wait for after this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FromServer {
    Welcome {
        session: u8,
        is_new: bool,
        acked: u64,
        keeps_requests: bool,
        credits: u64,
    },
    Subscribed {
        cursor: Cursor,
        covers: Messages,
    },
    Msg {
        cursor: Cursor,
        after: u64,
        payload: Payload,
    },
    Gap {
        gap: Gap,
        covers: Messages,
    },
    Pos {
        cursor: Cursor,
        is_live: bool,
    },
    Ack {
        seq: u64,
        cursor: Cursor,
    },
    Nack {
        seq: u64,
        code: ErrorCode,
    },
    Res {
        seq: u64,
        part: u64,
        more: bool,
        payload: Payload,
    },
    NackReq {
        seq: u64,
        code: ErrorCode,
    },
    Drain {
        deadline: Time,
        spread: Time,
    },
    /// `error` that is fatal, with its close frame.
    Fatal(ErrorCode),
}

/// A connection. Each end can be gone without the other one knowing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) id: u8,
    /// Lines in flight to the server.
    pub(crate) up: VecDeque<FromClient>,
    /// Everything that the client has sent on it, if it resumes. Only kept while the scenario allows a duplicate.
    pub(crate) sent: Vec<FromClient>,
    /// Lines in flight to the client.
    pub(crate) down: VecDeque<FromServer>,
    /// The client uses it.
    pub(crate) has_client: bool,
    /// It repeats what the client has sent on another one.
    pub(crate) is_duplicate: bool,
}

impl Link {
    /// A connection that the client opens.
    pub(crate) fn new(id: u8) -> Self {
        let (up, down) = (VecDeque::new(), VecDeque::new());
        Self { id, up, sent: Vec::new(), down, has_client: true, is_duplicate: false }
    }

    /// A connection that repeats what was sent on another one.
    pub(crate) fn duplicate(id: u8, sent: Vec<FromClient>) -> Self {
        Self { up: sent.into(), has_client: false, is_duplicate: true, ..Self::new(id) }
    }
}

const CHANNEL: &str = "chat";

/// The names of sessions.
const SESSIONS: [&str; 8] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];

impl FromClient {
    /// The line in the form that the server's table of states and lines reads.
    pub(crate) fn line(&self) -> ClientLine<'static> {
        match *self {
            Self::Hello { session, acked, floor } => {
                let mut hello = Hello::new(0);
                let name = session.map(|session| SESSIONS[usize::from(session) % SESSIONS.len()]);
                hello.resume = name.map(|session| Resume { session, secret: "secret" });
                (hello.acked, hello.floor) = (acked, floor);
                ClientLine::Hello(hello)
            }
            Self::Sub(start) => {
                let mut sub = Sub::new(CHANNEL, start);
                sub.mode = Mode::Each;
                ClientLine::Sub(sub)
            }
            Self::Unsub => ClientLine::Unsub { channel: CHANNEL },
            Self::Pub { seq, after, .. } => {
                let mut line = Pub::new(CHANNEL, seq);
                line.after = after;
                ClientLine::Pub(line)
            }
            Self::Req { seq, floor, part, .. } => {
                let mut line = Req::new("question", seq);
                (line.floor, line.part) = (floor, part);
                ClientLine::Req(line)
            }
            Self::Cancel(seq) => ClientLine::Cancel { seq, of: None },
        }
    }
}
