//! What must hold for a client's session, whatever its inputs are.

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::{
    protocol::{Cursor, ErrorCode, Start},
    session::{Attachment, ClientAction, PublishId, PublishOutcome, RequestId, SubscriptionId},
};

/// What the driver, the application and the server know, which decides whether an action is allowed.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    /// `hello` was sent, and the socket is not given up.
    pub(crate) is_connected: bool,
    pub(crate) is_attached: bool,
    pub(crate) is_over: bool,
    /// The latest `hello` named the session.
    pub(crate) is_resume: bool,
    pub(crate) publishes: Publishes,
    pub(crate) requests: Requests,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    credits: u64,
    has_been_attached: bool,
    /// Counts sessions, and how often they lost their requests.
    incarnation: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Publishes {
    /// Accepted, and without an outcome.
    pending: BTreeSet<PublishId>,
    /// The numbers of this session.
    ids: BTreeMap<u64, PublishId>,
    /// The greatest number that the server has received in this session.
    pub(crate) received: u64,
    /// The number of the latest that the server has or that was sent on this connection.
    latest: u64,
    /// Sent on this connection, and not received yet.
    in_flight: Vec<u64>,
    /// Sent on this connection or received, and not answered.
    pub(crate) unanswered: BTreeSet<u64>,
    /// Sent in any session.
    sent: BTreeSet<PublishId>,
    /// Received in any session.
    received_ids: BTreeSet<PublishId>,
    /// Reported as not received.
    refused_here: BTreeSet<PublishId>,
    /// The number that the server has answered in this step.
    pub(crate) answer: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Accepted, and without a final answer: the part that is expected next.
    pending: BTreeMap<RequestId, u64>,
    /// The numbers of this session.
    ids: BTreeMap<u64, RequestId>,
    /// The incarnation of the session in which it was sent, and its number there.
    sent: BTreeMap<RequestId, (u64, u64)>,
    /// Sent on this connection and not answered, whether or not the application still waits: the part that is expected next.
    pub(crate) unanswered: BTreeMap<u64, u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Subscription {
    /// A `sub` is without its answer.
    pub(crate) awaits_answer: bool,
    /// Where the latest `sub` starts.
    pub(crate) start: Option<Start>,
    pub(crate) position: Option<Cursor>,
    pub(crate) is_paused: bool,
    pub(crate) is_unwanted: bool,
    pub(crate) is_held: bool,
    pub(crate) has_ended: bool,
    /// In this step, the application started it over.
    pub(crate) is_restarted: bool,
    /// In this step, a gap was reported.
    has_gap: bool,
}

impl Subscription {
    /// Whether what arrives is for the application.
    pub(crate) fn is_open(&self) -> bool {
        !(self.awaits_answer || self.is_paused || self.is_unwanted || self.has_ended)
    }
}

impl Invariants {
    pub(crate) fn accepted_publish(&mut self, id: PublishId) {
        assert!(self.publishes.pending.insert(id), "{id:?} is given once");
    }

    pub(crate) fn accepted_request(&mut self, id: RequestId) {
        assert_eq!(self.requests.pending.insert(id, 0), None, "{id:?} is given once");
    }

    pub(crate) fn pending(&self) -> usize {
        self.publishes.pending.len() + self.requests.pending.len()
    }

    // The server and the network.

    /// The connection ends. Some of the publishes in flight arrive before; the others are lost.
    pub(crate) fn disconnected(&mut self, arrive: usize) {
        for seq in self.publishes.in_flight.clone().into_iter().take(arrive) {
            self.received(seq);
        }
        self.publishes.in_flight.clear();
        (self.is_connected, self.is_attached) = (false, false);
        for subscription in self.subscriptions.values_mut() {
            subscription.awaits_answer = false;
        }
    }

    /// The server receives the publishes in flight up to this number.
    pub(crate) fn received(&mut self, up_to: u64) {
        let publishes = &mut self.publishes;
        let arrived = publishes.in_flight.extract_if(.., |seq| *seq <= up_to);
        for seq in arrived {
            publishes.received = seq;
            let id = publishes.ids[&seq];
            assert!(!publishes.refused_here.contains(&id), "{id:?} is reported as not received");
            assert!(publishes.received_ids.insert(id), "{id:?} is stored twice");
        }
    }

    pub(crate) fn welcomed(&mut self, is_new: bool, keeps_requests: bool, credits: u64) {
        self.credits = credits;
        if is_new {
            self.publishes.ids.clear();
            self.publishes.unanswered.clear();
            self.publishes.received = 0;
            self.requests.ids.clear();
        }
        if is_new || !keeps_requests {
            self.incarnation += 1;
        }
        let received = self.publishes.received;
        self.publishes.latest = received;
        self.publishes.unanswered.retain(|seq| *seq <= received);
        self.requests.unanswered.clear();
    }

    pub(crate) fn set_credits(&mut self, credits: u64) {
        self.credits = credits;
    }

    // Actions of the session.

    pub(crate) fn check_action(&mut self, action: ClientAction) {
        assert!(!self.is_over || matches!(action, ClientAction::Ended { .. }), "{action:?} after the end");
        match action {
            ClientAction::Hello { is_resume, acked, floor, .. } => self.hello(is_resume, acked, floor),
            ClientAction::Subscribe { subscription, start } => {
                assert!(self.is_connected);
                let subscription = self.subscription(subscription);
                assert!(!subscription.awaits_answer, "the answer of another is outstanding");
                assert!(!subscription.is_paused && !subscription.is_unwanted);
                subscription.awaits_answer = true;
                subscription.start = Some(start);
            }
            ClientAction::Unsubscribe { .. } | ClientAction::ReportError { .. } | ClientAction::Bye => {
                assert!(self.is_connected);
            }
            ClientAction::Publish { id, seq, after } => self.publish(id, seq, after),
            ClientAction::Request { id, seq, floor, part, .. } => self.request(id, seq, floor, part),
            ClientAction::Cancel { .. } => assert!(self.is_attached),
            ClientAction::Close { .. } | ClientAction::Reconnect => {
                (self.is_connected, self.is_attached) = (false, false);
            }
            ClientAction::RetryAfter { .. } => assert!(!self.is_connected),
            ClientAction::Attached { session } => {
                self.is_attached = true;
                assert_eq!(session == Attachment::New, !self.has_been_attached);
                self.has_been_attached = true;
            }
            ClientAction::Published { id, outcome } => self.published(id, outcome),
            ClientAction::Answered { id, part, more } => {
                let expected = self.requests.pending.get_mut(&id).expect("the application waits for it");
                assert_eq!(part, *expected);
                *expected += 1;
                if !more {
                    self.requests.pending.remove(&id);
                }
            }
            ClientAction::RequestFailed { id, .. } => {
                assert_ne!(self.requests.pending.remove(&id), None, "{id:?} has one outcome");
            }
            ClientAction::Gap { subscription, .. } => {
                let subscription = self.subscription(subscription);
                assert!(subscription.is_open());
                subscription.has_gap = true;
            }
            ClientAction::Resumed { subscription } | ClientAction::CaughtUp { subscription } => {
                assert!(self.subscription(subscription).is_open());
            }
            ClientAction::Held { subscription, .. } => {
                let subscription = self.subscription(subscription);
                assert!(subscription.is_open() && subscription.start == Some(Start::Hold));
                subscription.is_held = true;
            }
            ClientAction::Ended { subscription, .. } => {
                let subscription = self.subscription(subscription);
                assert!(!subscription.has_ended, "it ends once");
                subscription.has_ended = true;
            }
            ClientAction::Over { .. } => {
                self.is_over = true;
                (self.is_connected, self.is_attached) = (false, false);
                assert_eq!(self.pending(), 0);
                assert!(self.subscriptions.values().all(|subscription| subscription.has_ended));
            }
            other => panic!("{other:?} has no invariant"),
        }
    }

    fn subscription(&mut self, id: SubscriptionId) -> &mut Subscription {
        self.subscriptions.get_mut(&id).expect("it exists")
    }

    fn hello(&mut self, is_resume: bool, acked: u64, floor: u64) {
        assert!(!self.is_connected);
        (self.is_connected, self.is_resume) = (true, is_resume);
        assert_eq!(is_resume, self.has_been_attached);
        let publishes = &mut self.publishes;
        assert!(publishes.ids.range(..=acked).all(|(_, id)| !publishes.pending.contains(id)), "{acked} are answered");
        let requests = &self.requests;
        assert!(
            requests.ids.range(..floor).all(|(_, id)| !requests.pending.contains_key(id)),
            "answered below {floor}"
        );
        // Refusals may be lost with the server's memory: it takes this for the greatest number received.
        publishes.received = publishes.received.max(acked);
    }

    fn publish(&mut self, id: PublishId, seq: u64, after: Option<u64>) {
        self.has_credit();
        let publishes = &mut self.publishes;
        assert!(publishes.pending.contains(&id));
        assert!(!publishes.received_ids.contains(&id), "{id:?} would be stored twice");
        match after {
            None => assert_eq!(seq, publishes.latest + 1),
            Some(after) => assert!(after == publishes.latest && seq > after + 1, "{seq} after {after}"),
        }
        publishes.latest = seq;
        assert_eq!(*publishes.ids.entry(seq).or_insert(id), id, "a number belongs to one publish");
        publishes.in_flight.push(seq);
        publishes.unanswered.insert(seq);
        publishes.sent.insert(id);
    }

    fn request(&mut self, id: RequestId, seq: u64, floor: u64, part: Option<u64>) {
        self.has_credit();
        let requests = &mut self.requests;
        let expected = requests.pending[&id];
        match requests.sent.insert(id, (self.incarnation, seq)) {
            None => {
                assert_eq!(part, None);
                assert_eq!(seq, requests.ids.last_key_value().map_or(0, |(seq, _)| *seq) + 1);
                requests.ids.insert(seq, id);
            }
            Some(before) => {
                assert_eq!(before, (self.incarnation, seq), "{id:?} would run twice");
                assert_eq!(part, Some(expected));
            }
        }
        assert!(floor <= seq);
        assert!(
            requests.ids.range(..floor).all(|(_, id)| !requests.pending.contains_key(id)),
            "answered below {floor}"
        );
        assert_eq!(requests.unanswered.insert(seq, expected), None);
    }

    fn has_credit(&self) {
        assert!(self.is_attached);
        let unanswered = self.publishes.unanswered.len() + self.requests.unanswered.len();
        assert!((unanswered as u64) < self.credits, "{unanswered} are unanswered, {} may be", self.credits);
    }

    fn published(&mut self, id: PublishId, outcome: PublishOutcome) {
        let publishes = &mut self.publishes;
        assert!(publishes.pending.remove(&id), "{id:?} has one outcome");
        if publishes.answer.is_some_and(|seq| publishes.ids[&seq] == id) {
            return;
        }
        match outcome {
            PublishOutcome::Stored(_) => panic!("the server has not acknowledged {id:?}"),
            PublishOutcome::Failed(ErrorCode::Unknown) => assert!(publishes.sent.contains(&id)),
            PublishOutcome::Failed(code) => {
                assert!(!publishes.received_ids.contains(&id), "{id:?} is received, and reported as {code}");
                publishes.refused_here.insert(id);
            }
        }
    }

    /// Checks, at the end of a step, that the position of a subscription has moved only as it may.
    pub(crate) fn moved(&mut self, id: SubscriptionId, position: Option<Cursor>) {
        let subscription = self.subscription(id);
        let has_gap = std::mem::take(&mut subscription.has_gap);
        let may_jump = std::mem::take(&mut subscription.is_restarted) || has_gap || subscription.has_ended;
        match (subscription.position, position) {
            (Some(before), Some(after)) if !may_jump => {
                assert_eq!(before.epoch, after.epoch, "another epoch without a gap");
                assert!(before.offset <= after.offset, "from {before} back to {after}");
            }
            (Some(before), None) => assert!(may_jump, "{before} is forgotten"),
            _ => {}
        }
        subscription.position = position;
    }
}
