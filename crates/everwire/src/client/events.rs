//! What a client reports other than the messages of its subscriptions: its state, its events, and why it ended.

use core::{
    task::{Poll, Waker},
    time::Duration,
};
use std::collections::VecDeque;

use everwire_core::{
    protocol::{Cursor, ErrorCode, GapReason},
    session::Attachment,
};
use thiserror::Error;

use super::pending::IdMap;
use crate::{Dropped, Ended, threads::shared_dyn};

/// The state of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientState {
    /// It connects, or waits for the server's `welcome`.
    Connecting,
    /// The server has welcomed it: messages flow.
    Attached,
    /// Between two attempts.
    Waiting {
        /// The number of the attempt that follows, since a connection was last stable, from 1.
        attempt: u32,
        /// How long until then, as of now; `None`: until the page returns from the back/forward cache.
        retry_in: Option<Duration>,
    },
    /// It is over, and makes no further attempt.
    Closed,
}

/// What a client reports, for logs and displays, by [`Client::events`](crate::Client::events) and
/// [`ClientBuilder::on_event`](crate::client::ClientBuilder::on_event).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server welcomed the client.
    Attached(Attachment),
    /// The connection was lost or an attempt failed, and another attempt follows.
    Dropped(Dropped),
    /// A ping was answered after this time; the server's heartbeat says how often one is sent.
    Latency(Duration),
    /// Messages of a subscription will not come; it has a [`Gap`] at this place, too.
    Gap {
        /// The channel.
        channel: String,
        /// Which messages, and why.
        gap: Gap,
    },
    /// The client is over.
    Closed(ClientError),
}

/// The application's callback for events.
pub(super) type OnEvent = shared_dyn!(Fn(&ClientEvent));

/// Messages that will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The position after them, where the subscription goes on.
    pub cursor: Cursor,
    /// How many they are, if the server knows.
    pub missed: Option<u64>,
}

impl Gap {
    /// A gap of an unknown number of messages.
    pub const fn new(reason: GapReason, cursor: Cursor) -> Self {
        Self { reason, cursor, missed: None }
    }
}

/// Why a client is over. It makes no further attempt; connect another one if that makes sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The application closed it.
    #[error("the client was closed")]
    Closed,
    /// The server speaks WebSocket, but not the subprotocol `everwire.v1`.
    #[error(
        "the server does not speak everwire.v1: connect to an Everwire server's path, or use Socket for any other server"
    )]
    NotEverwire,
    /// The server ended the session or refuses this client, or is in error over and over.
    #[error("the server ended the session ({code}){}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The server's explanation; empty if it gave none.
        reason: String,
    },
    /// The connection is over, by its reconnect policy.
    #[error("the connection is over: {}", cause_of(.0))]
    Connection(Ended),
    /// The credentials do not fit into the first message, which has at most 64 KiB.
    #[error("the credentials are too large: the server takes at most 64 KiB before its welcome")]
    CredentialsTooLarge,
}

fn cause_of(ended: &Ended) -> String {
    match ended {
        Ended::ByApplication { code, .. } => format!("closed with code {code}"),
        Ended::Final(cause) | Ended::Exhausted(cause) => cause.to_string(),
    }
}

/// Why a subscription ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The server refused or ended it.
    #[error("the server ended the subscription ({code}){}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The server's explanation; empty if it gave none.
        reason: String,
    },
    /// No channel can have this name.
    #[error("not the name of a channel: use 1 to 128 bytes without spaces and control characters")]
    InvalidName,
    /// The client is over.
    #[error(transparent)]
    Over(ClientError),
}

/// The most events that wait for a reader.
const MAX_WAITING: usize = 256;

/// The events that wait in each stream of a client.
#[derive(Debug, Default)]
pub(super) struct EventQueues {
    all: IdMap<u64, EventQueue>,
    latest_number: u64,
}

#[derive(Debug, Default)]
struct EventQueue {
    events: VecDeque<ClientEvent>,
    waker: Option<Waker>,
    /// The last event was added.
    is_over: bool,
}

impl EventQueues {
    pub(super) fn add(&mut self) -> u64 {
        self.latest_number += 1;
        self.all.push(self.latest_number, EventQueue::default());
        self.latest_number
    }

    /// Adds an event to every stream, and the wakers of their tasks to `wakers`.
    pub(super) fn push(&mut self, event: &ClientEvent, wakers: &mut Vec<Waker>) {
        for queue in self.all.values_mut().filter(|queue| !queue.is_over) {
            if queue.events.len() == MAX_WAITING {
                queue.events.pop_front();
            }
            queue.events.push_back(event.clone());
            queue.is_over = matches!(event, ClientEvent::Closed(_));
            wakers.extend(queue.waker.take());
        }
    }

    pub(super) fn next(&mut self, number: u64, waker: &Waker) -> Poll<Option<ClientEvent>> {
        let Some(queue) = self.all.get_mut(number) else { return Poll::Ready(None) };
        let event = queue.events.pop_front();
        if event.is_none() && !queue.is_over {
            queue.waker = Some(waker.clone());
            return Poll::Pending;
        }
        Poll::Ready(event)
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.all.remove(number);
    }
}
