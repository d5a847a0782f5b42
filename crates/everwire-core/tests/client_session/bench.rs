use everwire_core::{
    Delivery, Time,
    protocol::{Cursor, ErrorCode, Start},
    session::{
        Attachment, ClientAction, ClientInput, ClientSession, ClientSessionConfig, PublishId, PublishOutcome,
        RequestId, SubscriptionId,
    },
};

pub(crate) const EPOCH: u64 = 0x9f;

/// A session, and the time. Each call returns what the session does because of it.
pub(crate) struct Bench {
    pub(crate) session: ClientSession,
    pub(crate) now: Time,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(ClientSessionConfig::default())
    }

    pub(crate) fn with(config: ClientSessionConfig) -> Self {
        Self { session: ClientSession::new(config, 7), now: Time::from_secs(1_000) }
    }

    /// Attached to a new session.
    pub(crate) fn attached() -> Self {
        let mut bench = Self::new();
        bench.connect();
        bench.input(welcome_new());
        bench
    }

    /// Attached, with a subscription whose position is at this offset.
    pub(crate) fn subscribed(start: Start, offset: u64) -> (Self, SubscriptionId) {
        let mut bench = Self::attached();
        let id = bench.session.subscribe(start);
        bench.subscribed_at(id, offset);
        (bench, id)
    }

    pub(crate) fn input(&mut self, input: ClientInput) -> Vec<ClientAction> {
        self.session.handle(self.now, input);
        self.actions()
    }

    pub(crate) fn actions(&mut self) -> Vec<ClientAction> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    pub(crate) fn pass(&mut self, time: Time) -> Vec<ClientAction> {
        self.now = self.now + time;
        self.input(ClientInput::Wake)
    }

    pub(crate) fn connect(&mut self) -> Vec<ClientAction> {
        self.input(ClientInput::Connected)
    }

    pub(crate) fn disconnect(&mut self) -> Vec<ClientAction> {
        self.input(ClientInput::Disconnected { code: 1006 })
    }

    /// Loses the connection, and resumes the session on another one. Returns what follows `welcome`.
    pub(crate) fn resume(&mut self, acked: u64) -> Vec<ClientAction> {
        self.disconnect();
        self.connect();
        self.input(welcome(acked))
    }

    pub(crate) fn publish(&mut self) -> PublishId {
        self.publish_for(None)
    }

    pub(crate) fn publish_for(&mut self, time_to_live: Option<Time>) -> PublishId {
        self.session.publish(self.now, 10, time_to_live).expect("it is accepted")
    }

    pub(crate) fn request(&mut self, timeout: Option<Time>) -> RequestId {
        self.session.request(self.now, 10, timeout).expect("it is accepted")
    }

    pub(crate) fn subscribed_at(&mut self, id: SubscriptionId, offset: u64) -> Vec<ClientAction> {
        self.input(ClientInput::Subscribed { subscription: Some(id), cursor: cursor(offset) })
    }

    pub(crate) fn position_at(&mut self, id: SubscriptionId, offset: u64, is_live: bool) -> Vec<ClientAction> {
        self.input(ClientInput::Position { subscription: Some(id), cursor: cursor(offset), is_live })
    }

    /// The message after the one before it.
    pub(crate) fn receive(&mut self, id: SubscriptionId, offset: u64) -> Delivery {
        self.session.receive(Some(id), cursor(offset), offset - 1)
    }

    pub(crate) fn offset(&self, id: SubscriptionId) -> Option<u64> {
        self.session.position(id).map(|cursor| cursor.offset)
    }
}

/// Offset and time belong together.
pub(crate) fn cursor(offset: u64) -> Cursor {
    Cursor { epoch: EPOCH, offset, time: offset * 1_000 }
}

pub(crate) fn welcome_new() -> ClientInput {
    ClientInput::Welcome { is_new: true, acked: 0, keeps_requests: false, credits: 64, max_message: 1_000 }
}

pub(crate) fn welcome(acked: u64) -> ClientInput {
    ClientInput::Welcome { is_new: false, acked, keeps_requests: true, credits: 64, max_message: 1_000 }
}

pub(crate) fn acked(seq: u64) -> ClientInput {
    ClientInput::Acked { seq, cursor: cursor(seq) }
}

pub(crate) fn attached(session: Attachment) -> ClientAction {
    ClientAction::Attached { session }
}

pub(crate) fn published(id: PublishId, offset: u64) -> ClientAction {
    ClientAction::Published { id, outcome: PublishOutcome::Stored(cursor(offset)) }
}

pub(crate) fn failed(id: PublishId, code: ErrorCode) -> ClientAction {
    ClientAction::Published { id, outcome: PublishOutcome::Failed(code) }
}

pub(crate) fn sends(id: PublishId, seq: u64) -> ClientAction {
    ClientAction::Publish { id, seq, after: None }
}

pub(crate) fn sub(subscription: SubscriptionId, start: Start) -> ClientAction {
    ClientAction::Subscribe { subscription, start }
}

pub(crate) fn unsub(subscription: SubscriptionId) -> ClientAction {
    ClientAction::Unsubscribe { subscription: Some(subscription) }
}

pub(crate) fn s(seconds: u64) -> Time {
    Time::from_secs(seconds)
}
