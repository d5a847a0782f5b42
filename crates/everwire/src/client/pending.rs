//! The publishes and requests that wait for their outcome, by id: what the session machine does not know of them.

use core::task::Waker;
use std::collections::VecDeque;

use everwire_core::{
    protocol::ErrorCode,
    session::{PublishId, PublishOutcome, RequestId},
};

use crate::Message;

/// The publishes of a client whose outcome was not read yet, by id: what the session machine does not know of them.
#[derive(Debug, Default)]
pub(super) struct PendingPublishes(IdMap<PublishId, PendingPublish>);

#[derive(Debug)]
pub(super) struct PendingPublish {
    pub(super) channel: String,
    pub(super) key: Option<String>,
    pub(super) payload: Option<Message>,
    result: Option<PublishResult>,
    waker: Option<Waker>,
    /// The future was dropped, so that nothing reads the outcome.
    is_detached: bool,
}

/// The outcome of a publish, and the server's explanation.
#[derive(Debug)]
pub(super) struct PublishResult {
    pub(super) outcome: PublishOutcome,
    pub(super) reason: String,
    /// The client is over.
    pub(super) is_over: bool,
}

impl PendingPublishes {
    pub(super) fn insert(&mut self, id: PublishId, channel: &str, key: Option<String>, payload: Option<Message>) {
        let (channel, is_detached) = (channel.to_owned(), false);
        self.0.push(id, PendingPublish { channel, key, payload, result: None, waker: None, is_detached });
    }

    pub(super) fn get(&self, id: PublishId) -> Option<&PendingPublish> {
        self.0.get(id)
    }

    /// Stores the outcome of a publish. Returns the waker of its future.
    pub(super) fn finish(&mut self, id: PublishId, result: PublishResult) -> Option<Waker> {
        let publish = self.0.get_mut(id)?;
        if publish.is_detached {
            self.0.remove(id);
            return None;
        }
        publish.payload = None;
        publish.result = Some(result);
        publish.waker.take()
    }

    /// The outcome of a publish; registers the waker if there is none.
    pub(super) fn poll(&mut self, id: PublishId, waker: &Waker) -> Option<PublishResult> {
        let publish = self.0.get_mut(id)?;
        if publish.result.is_none() {
            publish.waker = Some(waker.clone());
            return None;
        }
        self.0.remove(id)?.result
    }

    pub(super) fn detach(&mut self, id: PublishId) {
        if let Some(publish) = self.0.get_mut(id) {
            publish.is_detached = true;
            if publish.result.is_some() {
                self.0.remove(id);
            }
        }
    }
}

/// The requests of a client whose answer was not read completely, by id: what the session machine does not know of them.
#[derive(Debug, Default)]
pub(super) struct PendingRequests(IdMap<RequestId, PendingRequest>);

#[derive(Debug)]
pub(super) struct PendingRequest {
    pub(super) name: String,
    pub(super) payload: Option<Message>,
    parts: VecDeque<ResponsePart>,
    is_answered: bool,
    waker: Option<Waker>,
    /// Nothing reads the answer.
    is_detached: bool,
}

#[derive(Debug)]
pub(super) enum ResponsePart {
    Part { payload: Option<Message>, more: bool },
    Failed { code: ErrorCode, reason: String, is_over: bool },
}

impl ResponsePart {
    fn is_last(&self) -> bool {
        !matches!(self, Self::Part { more: true, .. })
    }
}

impl PendingRequests {
    pub(super) fn insert(&mut self, id: RequestId, name: &str, payload: Option<Message>) {
        let request = PendingRequest {
            name: name.to_owned(),
            payload,
            parts: VecDeque::new(),
            is_answered: false,
            waker: None,
            is_detached: false,
        };
        self.0.push(id, request);
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&PendingRequest> {
        self.0.get(id)
    }

    /// Stores a part of an answer, or a failure. Returns the waker of its stream.
    pub(super) fn add_part(&mut self, id: RequestId, part: ResponsePart) -> Option<Waker> {
        let request = self.0.get_mut(id)?;
        if request.is_detached {
            if part.is_last() {
                self.0.remove(id);
            }
            return None;
        }
        request.is_answered = part.is_last();
        request.parts.push_back(part);
        request.waker.take()
    }

    /// The next part of an answer; registers the waker if there is none. `None` in `Some` after the last.
    pub(super) fn poll_part(&mut self, id: RequestId, waker: &Waker) -> Option<Option<ResponsePart>> {
        let Some(request) = self.0.get_mut(id) else { return Some(None) };
        let part = request.parts.pop_front();
        if part.is_none() && !request.is_answered {
            request.waker = Some(waker.clone());
            return None;
        }
        if request.is_answered && request.parts.is_empty() {
            self.0.remove(id);
        }
        Some(part)
    }

    pub(super) fn detach(&mut self, id: RequestId) {
        if let Some(request) = self.0.get_mut(id) {
            request.is_detached = true;
            request.parts.clear();
            if request.is_answered {
                self.0.remove(id);
            }
        }
    }
}

/// Values by ascending ids, found by binary search: tree maps took six kilobytes of a browser's download.
#[derive(Debug)]
pub(super) struct IdMap<I, V>(VecDeque<(I, V)>);

impl<I: Ord + Copy, V> IdMap<I, V> {
    /// Appends a value, whose id is greater than every other.
    pub(super) fn push(&mut self, id: I, value: V) {
        self.0.push_back((id, value));
    }

    pub(super) fn get(&self, id: I) -> Option<&V> {
        let index = self.index(id)?;
        self.0.get(index).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, id: I) -> Option<&mut V> {
        let index = self.index(id)?;
        self.0.get_mut(index).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, id: I) -> Option<V> {
        let index = self.index(id)?;
        self.0.remove(index).map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    fn index(&self, id: I) -> Option<usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id).ok()
    }
}

impl<I, V> Default for IdMap<I, V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}
