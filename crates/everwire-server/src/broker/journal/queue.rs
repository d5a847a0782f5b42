use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use everwire_core::protocol::Cursor;
use tokio::sync::oneshot;

use crate::broker::error::BrokerError;
use crate::broker::message::{Publication, Stored};
use crate::broker::names::SessionId;
use crate::broker::sessions::{SessionExpiry, StoredSession};
use crate::message::Message;

pub(super) type Reply<T> = oneshot::Sender<Result<T, BrokerError>>;

/// Work for the writer.
#[derive(Debug)]
pub(super) enum Command {
    Publish(Publication, Reply<Cursor>),
    StoreSession(SessionId, Bytes, SessionExpiry, Reply<()>),
    LoadSession(SessionId, Reply<Option<StoredSession>>),
    RemoveSession(SessionId, Reply<()>),
    /// Trim what has become too old.
    Expire(Reply<()>),
    /// Open the file again, which checks it: a read has failed.
    Check,
}

impl Command {
    fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Publish(publication, _) => Stored::size_of(0, publication.payload.as_ref().map_or(0, Message::len)),
            Self::StoreSession(_, record, ..) => record.len(),
            _ => 0,
        };
        bytes as u64
    }

    /// Answers without having done the work.
    pub(super) fn refuse(self, error: BrokerError) {
        match self {
            Self::Publish(_, reply) => drop(reply.send(Err(error))),
            Self::StoreSession(.., reply) | Self::RemoveSession(_, reply) | Self::Expire(reply) => {
                drop(reply.send(Err(error)));
            }
            Self::LoadSession(_, reply) => drop(reply.send(Err(error))),
            Self::Check => {}
        }
    }
}

/// What waits for the writer, bounded.
#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    limit_bytes: u64,
    inner: Mutex<Inner>,
    /// Something waits, or the queue was closed.
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    commands: VecDeque<Command>,
    bytes: u64,
    is_closed: bool,
    /// Of publishers that wait until there is room.
    wakers: Vec<Waker>,
}

impl Queue {
    pub(super) fn new(limit: usize, limit_bytes: u64) -> Self {
        Self { limit: limit.max(1), limit_bytes, inner: Mutex::default(), filled: Condvar::new() }
    }

    /// Adds work, or refuses it.
    pub(super) fn push(&self, command: Command) {
        self.push_all([command]);
    }

    /// Adds work that the writer takes in together, as far as its limits allow, or refuses what there is no room for.
    pub(super) fn push_all(&self, commands: impl IntoIterator<Item = Command>) {
        let mut refused = Vec::new();
        let mut inner = self.inner();
        let was_empty = inner.commands.is_empty();
        for command in commands {
            let bytes = command.bytes();
            let is_full = inner.commands.len() >= self.limit || inner.bytes + bytes > self.limit_bytes;
            if inner.is_closed {
                refused.push((command, BrokerError::Closed));
            } else if is_full && !inner.commands.is_empty() {
                refused.push((command, BrokerError::Busy));
            } else {
                inner.bytes += bytes;
                inner.commands.push_back(command);
            }
        }
        if was_empty {
            self.filled.notify_one();
        }
        drop(inner);
        refused.into_iter().for_each(|(command, error)| command.refuse(error));
    }

    /// Takes up to `count` commands of together about `bytes` bytes, as soon as there is one. Empty after the time-out. `None` once the queue is
    /// closed and empty.
    pub(super) fn take(&self, count: usize, bytes: u64, timeout: Duration) -> Option<Vec<Command>> {
        let inner = self.inner();
        let is_idle = |inner: &mut Inner| inner.commands.is_empty() && !inner.is_closed;
        let waited = self.filled.wait_timeout_while(inner, timeout, is_idle);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if inner.commands.is_empty() && inner.is_closed {
            return None;
        }
        let (mut taken, mut taken_bytes) = (Vec::new(), 0);
        while taken.len() < count && taken_bytes < bytes {
            let Some(command) = inner.commands.pop_front() else { break };
            taken_bytes += command.bytes();
            taken.push(command);
        }
        inner.bytes -= taken_bytes;
        if self.has_room(&inner) {
            inner.wakers.drain(..).for_each(Waker::wake);
        }
        Some(taken)
    }

    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner();
        if self.has_room(&inner) || inner.is_closed {
            return Poll::Ready(());
        }
        if !inner.wakers.iter().any(|waiting| waiting.will_wake(context.waker())) {
            inner.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    pub(super) fn len(&self) -> usize {
        self.inner().commands.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner().is_closed
    }

    /// Refuses further work. What waits is still taken.
    pub(super) fn close(&self) {
        let mut inner = self.inner();
        inner.is_closed = true;
        inner.wakers.drain(..).for_each(Waker::wake);
        self.filled.notify_all();
    }

    fn has_room(&self, inner: &Inner) -> bool {
        inner.commands.len() <= self.limit / 2 && inner.bytes <= self.limit_bytes / 2
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
