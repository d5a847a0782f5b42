use super::{
    config::ClientSessionConfig,
    io::{ClientAction, PublishId, PublishOutcome, QueueError, RequestId},
    outgoing::{Kind, Outgoing, Part, Transmission},
};
use crate::{Time, actions::Actions, protocol::ErrorCode};

/// The publishes and requests of a client: sent in the order in which they were accepted, within the server's credits, and kept until
/// they are answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Exchange {
    publishes: Outgoing,
    requests: Outgoing,
    /// Both have their ids from one counter, so that the smaller id was accepted first.
    latest_id: u64,
    credits: u64,
    /// Known from the first `welcome` on.
    max_message: Option<usize>,
}

/// The numbers of a `welcome`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Welcome {
    pub(super) is_new: bool,
    pub(super) acked: u64,
    pub(super) keeps_requests: bool,
    pub(super) credits: u64,
    pub(super) max_message: usize,
}

/// A part of an answer is missing: the server is in error.
#[derive(Debug)]
pub(super) struct OutOfSequence;

impl Default for Exchange {
    fn default() -> Self {
        Self {
            publishes: Outgoing::new(Kind::Publishes),
            requests: Outgoing::new(Kind::Requests),
            latest_id: 0,
            credits: 0,
            max_message: None,
        }
    }
}

impl Exchange {
    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.publishes.len() + self.requests.len()
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> usize {
        self.publishes.bytes() + self.requests.bytes()
    }

    /// All publishes up to this number are answered.
    pub(super) fn acked(&self) -> u64 {
        self.publishes.floor() - 1
    }

    /// All requests below this number are answered.
    pub(super) fn floor(&self) -> u64 {
        self.requests.floor()
    }

    /// The greatest number that a publish has in this session.
    pub(super) fn greatest_publish(&self) -> u64 {
        self.publishes.greatest()
    }

    /// When to look for expired ones next.
    pub(super) fn next_expiry(&self) -> Time {
        self.publishes.next_expiry().min(self.requests.next_expiry())
    }

    // What the application asks for.

    pub(super) fn publish(
        &mut self,
        now: Time,
        size: usize,
        time_to_live: Option<Time>,
        config: &ClientSessionConfig,
    ) -> Result<PublishId, QueueError> {
        let id = self.accept(size, config)?;
        self.publishes.push(id, size, time_to_live.map_or(Time::NEVER, |time| now + time));
        Ok(PublishId(id))
    }

    pub(super) fn request(
        &mut self,
        now: Time,
        size: usize,
        timeout: Option<Time>,
        config: &ClientSessionConfig,
    ) -> Result<RequestId, QueueError> {
        let id = self.accept(size, config)?;
        self.requests.push(id, size, timeout.map_or(Time::NEVER, |time| now + time));
        Ok(RequestId(id))
    }

    pub(super) fn cancel(&mut self, id: RequestId, is_attached: bool, actions: &mut Actions<ClientAction>) {
        let Some(seq) = self.requests.abandon(id.0) else { return };
        Kind::Requests.fail(id.0, ErrorCode::Cancelled, actions);
        // Without a connection, `cancel` follows the next `welcome`.
        if let Some(seq) = seq.filter(|_| is_attached) {
            actions.push(ClientAction::Cancel { seq });
        }
    }

    // What the server sends.

    pub(super) fn welcomed(&mut self, now: Time, welcome: Welcome, actions: &mut Actions<ClientAction>) {
        self.credits = welcome.credits;
        self.max_message = Some(welcome.max_message);
        if welcome.is_new {
            self.publishes.lose(actions);
            self.publishes.renumber();
            self.requests.lose(actions);
            self.requests.renumber();
            return;
        }
        self.publishes.repeat_above(welcome.acked);
        if welcome.keeps_requests {
            self.requests.forget_abandoned(|seq| actions.push(ClientAction::Cancel { seq }));
            self.requests.repeat_above(0);
        } else {
            self.requests.lose(actions);
        }
        // Of those that are to be sent again.
        self.expire(now, actions);
    }

    pub(super) fn set_credits(&mut self, credits: u64) {
        self.credits = credits;
    }

    pub(super) fn published(&mut self, seq: u64, outcome: PublishOutcome, actions: &mut Actions<ClientAction>) {
        if let Some(id) = self.publishes.answered(seq) {
            actions.push(ClientAction::Published { id: PublishId(id), outcome });
        }
    }

    pub(super) fn responded(
        &mut self,
        seq: u64,
        part: u64,
        more: bool,
        actions: &mut Actions<ClientAction>,
    ) -> Result<(), OutOfSequence> {
        match self.requests.answered_in_part(seq, part, more) {
            Part::Expected(id) => actions.push(ClientAction::Answered { id: RequestId(id), part, more }),
            Part::Ignored => {}
            Part::OutOfSequence => return Err(OutOfSequence),
        }
        Ok(())
    }

    /// A request failed.
    pub(super) fn refused(&mut self, seq: u64, code: ErrorCode, actions: &mut Actions<ClientAction>) {
        if let Some(id) = self.requests.answered(seq) {
            Kind::Requests.fail(id, code, actions);
        }
    }

    // What follows from it.

    /// Sends what waits while there are credits.
    pub(super) fn transmit(&mut self, now: Time, actions: &mut Actions<ClientAction>) {
        while ((self.publishes.unanswered() + self.requests.unanswered()) as u64) < self.credits {
            let is_publish = match (self.publishes.next(), self.requests.next()) {
                (None, None) => return,
                (Some(publish), Some(request)) => publish.id < request.id,
                (publish, _) => publish.is_some(),
            };
            if is_publish { self.transmit_publish(actions) } else { self.transmit_request(now, actions) }
        }
    }

    pub(super) fn expire(&mut self, now: Time, actions: &mut Actions<ClientAction>) {
        self.publishes.expire(now, actions);
        self.requests.expire(now, actions);
    }

    /// The session is over.
    pub(super) fn end(&mut self, code: ErrorCode, actions: &mut Actions<ClientAction>) {
        self.publishes.lose(actions);
        self.publishes.discard_all(code, actions);
        self.requests.lose(actions);
        self.requests.discard_all(code, actions);
    }

    fn accept(&mut self, size: usize, config: &ClientSessionConfig) -> Result<u64, QueueError> {
        if let Some(limit) = self.max_message.filter(|limit| size > *limit) {
            return Err(QueueError::TooLarge { limit });
        }
        let bytes = self.bytes().checked_add(size);
        if self.len() >= config.max_pending || bytes.is_none_or(|bytes| bytes > config.max_bytes) {
            return Err(QueueError::Full);
        }
        self.latest_id += 1;
        Ok(self.latest_id)
    }

    fn transmit_publish(&mut self, actions: &mut Actions<ClientAction>) {
        let limit = self.max_message.unwrap_or(usize::MAX);
        if let Some(line) = self.publishes.next().filter(|line| line.size > limit) {
            Kind::Publishes.fail(line.id, ErrorCode::TooLarge, actions);
            self.publishes.discard_next();
        } else if let Some(Transmission { line, after, .. }) = self.publishes.transmit_next() {
            actions.push(ClientAction::Publish { id: PublishId(line.id), seq: line.seq, after });
        }
    }

    fn transmit_request(&mut self, now: Time, actions: &mut Actions<ClientAction>) {
        let limit = self.max_message.unwrap_or(usize::MAX);
        if let Some(line) = self.requests.next().filter(|line| line.size > limit) {
            // The limit may have been larger when it was sent before.
            let code = if line.seq > 0 { ErrorCode::Unknown } else { ErrorCode::TooLarge };
            Kind::Requests.fail(line.id, code, actions);
            self.requests.discard_next();
        } else if let Some(Transmission { line, is_repeated, .. }) = self.requests.transmit_next() {
            actions.push(ClientAction::Request {
                id: RequestId(line.id),
                seq: line.seq,
                timeout: line.expires_at.planned().map(|at| at - now),
                floor: self.requests.floor(),
                part: is_repeated.then_some(line.part),
            });
        }
    }
}
