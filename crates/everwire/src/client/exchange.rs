//! The publishes and requests of a client: what the session machine does not know of them, and their outcomes until they are read.

use core::task::Waker;
use std::collections::VecDeque;

use everwire_core::{
    protocol::ErrorCode,
    session::{PublishId, PublishOutcome, RequestId},
};

use super::table::Table;
use crate::Message;

/// By their ids. An entry is kept until its outcome was read, or until it has one that nothing reads.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    publishes: Table<PublishId, PendingPublish>,
    requests: Table<RequestId, PendingRequest>,
}

#[derive(Debug)]
pub(super) struct PendingPublish {
    pub(super) channel: String,
    pub(super) key: Option<String>,
    pub(super) payload: Option<Message>,
    result: Option<PublishResult>,
    waker: Option<Waker>,
    /// The application does not wait for the outcome.
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

#[derive(Debug)]
pub(super) struct PendingRequest {
    pub(super) name: String,
    pub(super) payload: Option<Message>,
    parts: VecDeque<AnswerPart>,
    is_answered: bool,
    waker: Option<Waker>,
    /// The application does not wait for the answer.
    is_detached: bool,
}

#[derive(Debug)]
pub(super) enum AnswerPart {
    Part { payload: Option<Message>, more: bool },
    Failed { code: ErrorCode, reason: String, is_over: bool },
}

impl AnswerPart {
    fn is_last(&self) -> bool {
        !matches!(self, Self::Part { more: true, .. })
    }
}

impl Exchange {
    pub(super) fn add_publish(&mut self, id: PublishId, channel: &str, key: Option<String>, payload: Option<Message>) {
        let (channel, is_detached) = (channel.to_owned(), false);
        self.publishes.push(id, PendingPublish { channel, key, payload, result: None, waker: None, is_detached });
    }

    /// What is to be published.
    pub(super) fn publish(&mut self, id: PublishId) -> Option<&PendingPublish> {
        self.publishes.get_mut(id).map(|publish| &*publish)
    }

    /// Takes in the outcome of a publish. Returns what waits for it.
    pub(super) fn finish_publish(&mut self, id: PublishId, result: PublishResult) -> Option<Waker> {
        let publish = self.publishes.get_mut(id)?;
        if publish.is_detached {
            self.publishes.remove(id);
            return None;
        }
        publish.payload = None;
        publish.result = Some(result);
        publish.waker.take()
    }

    /// The outcome of a publish; registers the waker where there is none.
    pub(super) fn published(&mut self, id: PublishId, waker: &Waker) -> Option<PublishResult> {
        let publish = self.publishes.get_mut(id)?;
        if publish.result.is_none() {
            publish.waker = Some(waker.clone());
            return None;
        }
        self.publishes.remove(id)?.result
    }

    pub(super) fn detach_publish(&mut self, id: PublishId) {
        if let Some(publish) = self.publishes.get_mut(id) {
            publish.is_detached = true;
            if publish.result.is_some() {
                self.publishes.remove(id);
            }
        }
    }

    pub(super) fn add_request(&mut self, id: RequestId, name: &str, payload: Option<Message>) {
        let request = PendingRequest {
            name: name.to_owned(),
            payload,
            parts: VecDeque::new(),
            is_answered: false,
            waker: None,
            is_detached: false,
        };
        self.requests.push(id, request);
    }

    /// What is to be requested.
    pub(super) fn request(&mut self, id: RequestId) -> Option<&PendingRequest> {
        self.requests.get_mut(id).map(|request| &*request)
    }

    /// Takes in a part of an answer, or a failure. Returns what waits for it.
    pub(super) fn answer(&mut self, id: RequestId, part: AnswerPart) -> Option<Waker> {
        let request = self.requests.get_mut(id)?;
        if request.is_detached {
            if part.is_last() {
                self.requests.remove(id);
            }
            return None;
        }
        request.is_answered = part.is_last();
        request.parts.push_back(part);
        request.waker.take()
    }

    /// The next part of an answer; registers the waker where there is none. `None` in `Some` after the last.
    pub(super) fn next_part(&mut self, id: RequestId, waker: &Waker) -> Option<Option<AnswerPart>> {
        let Some(request) = self.requests.get_mut(id) else { return Some(None) };
        let part = request.parts.pop_front();
        if part.is_none() && !request.is_answered {
            request.waker = Some(waker.clone());
            return None;
        }
        if request.is_answered && request.parts.is_empty() {
            self.requests.remove(id);
        }
        Some(part)
    }

    pub(super) fn detach_request(&mut self, id: RequestId) {
        if let Some(request) = self.requests.get_mut(id) {
            request.is_detached = true;
            request.parts.clear();
            if request.is_answered {
                self.requests.remove(id);
            }
        }
    }
}
