//! The client's side of a session, in virtual time: inputs and the actions that follow, and random scripts.

mod invariants;
mod outbound;
mod script;
mod subscriptions;

use arbitrary::Unstructured;
use everwire_core::{
    Delivery, Time,
    protocol::{Cursor, ErrorCode, Start},
    session::{
        Attachment, ClientAction, ClientInput, ClientSession, ClientSessionConfig, PublishId, PublishOutcome,
        RequestId, SubscriptionId,
    },
};
use proptest::prelude::*;

use script::Script;

pub(crate) const EPOCH: u64 = 0x9f;

/// A session and its clock. Each call returns the actions that it leads to.
pub(crate) struct Harness {
    pub(crate) session: ClientSession,
    pub(crate) now: Time,
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self::with(ClientSessionConfig::default())
    }

    pub(crate) fn with(config: ClientSessionConfig) -> Self {
        Self { session: ClientSession::new(config, 7), now: Time::from_secs(1_000) }
    }

    /// A client that is attached to a new session.
    pub(crate) fn attached() -> Self {
        let mut harness = Self::new();
        harness.connect();
        harness.input(welcome_new());
        harness
    }

    /// An attached client with a subscription at this offset.
    pub(crate) fn subscribed(start: Start, offset: u64) -> (Self, SubscriptionId) {
        let mut harness = Self::attached();
        let id = harness.session.subscribe(start);
        harness.subscribed_at(id, offset);
        (harness, id)
    }

    pub(crate) fn input(&mut self, input: ClientInput) -> Vec<ClientAction> {
        self.session.handle(self.now, input);
        self.actions()
    }

    pub(crate) fn actions(&mut self) -> Vec<ClientAction> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    /// Lets time pass.
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

    /// Receives the message that follows the previous offset.
    pub(crate) fn receive(&mut self, id: SubscriptionId, offset: u64) -> Delivery {
        self.session.receive(Some(id), cursor(offset), offset - 1)
    }

    pub(crate) fn offset(&self, id: SubscriptionId) -> Option<u64> {
        self.session.position(id).map(|cursor| cursor.offset)
    }
}

/// The cursor at an offset, whose time follows from the offset.
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

// `hello` and `welcome`.

fn hello(attempt: u64, closed: Option<u16>) -> ClientAction {
    ClientAction::Hello { attempt, is_resume: false, acked: 0, floor: 1, closed }
}

#[test]
fn hello_and_every_subscription_go_out_together_without_waiting_for_welcome() {
    let mut harness = Harness::new();
    let live = harness.session.subscribe(Start::Live);
    let last = harness.session.subscribe(Start::Last(2));
    assert_eq!(harness.actions(), []);
    assert_eq!(harness.connect(), [hello(0, None), sub(live, Start::Live), sub(last, Start::Last(2))]);
    assert_eq!(harness.input(welcome_new()), [attached(Attachment::New)]);
}

#[test]
fn attempts_count_from_welcome_whether_a_socket_opened_or_not() {
    let mut harness = Harness::new();
    harness.input(ClientInput::Disconnected { code: 1006 });
    harness.connect();
    harness.input(ClientInput::Disconnected { code: 1012 });
    assert_eq!(harness.connect(), [hello(2, Some(1012))]);
    harness.input(welcome_new());
    harness.disconnect();
    let [ClientAction::Hello { attempt: 1, is_resume: true, closed: Some(1006), .. }] = harness.connect()[..] else {
        panic!("the count starts over at welcome")
    };
}

#[test]
fn hello_says_which_publishes_and_requests_are_answered() {
    let mut harness = Harness::attached();
    for _ in 0..3 {
        harness.publish();
        harness.request(None);
    }
    harness.input(acked(1));
    harness.input(acked(3));
    harness.input(ClientInput::Response { seq: 1, part: 0, more: false });
    harness.input(ClientInput::RequestRefused { seq: 3, code: ErrorCode::Failed });
    harness.disconnect();
    let [ClientAction::Hello { acked, floor, .. }] = harness.connect()[..] else { panic!("nothing else is sent") };
    assert_eq!((acked, floor), (1, 2));
}

#[test]
fn when_all_is_answered_hello_says_so() {
    let mut harness = Harness::attached();
    harness.publish();
    harness.request(None);
    harness.input(acked(1));
    harness.input(ClientInput::Response { seq: 1, part: 0, more: false });
    harness.disconnect();
    let [ClientAction::Hello { acked, floor, .. }] = harness.connect()[..] else { panic!("nothing else is sent") };
    assert_eq!((acked, floor), (1, 2));
}

#[test]
fn a_subscription_that_was_never_answered_is_repeated_as_it_was() {
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::Last(5));
    harness.disconnect();
    assert_eq!(harness.connect()[1..], [sub(id, Start::Last(5))]);
}

#[test]
fn a_subscription_is_resumed_from_its_position() {
    let (mut harness, id) = Harness::subscribed(Start::Last(5), 10);
    let _ = harness.receive(id, 11);
    harness.disconnect();
    assert_eq!(harness.connect()[1..], [sub(id, Start::From(cursor(11)))]);
}

#[test]
fn a_new_session_in_place_of_an_old_one_is_reported() {
    let mut harness = Harness::attached();
    let id = harness.publish();
    harness.disconnect();
    harness.connect();
    assert_eq!(harness.input(welcome_new()), [attached(Attachment::Replaced), failed(id, ErrorCode::Unknown)]);
}

#[test]
fn a_server_that_does_not_answer_hello_is_left_after_a_time() {
    let mut harness = Harness::new();
    harness.connect();
    assert_eq!(harness.session.poll_deadline(), Some(harness.now + s(30)));
    assert_eq!(harness.pass(s(29)), []);
    assert_eq!(harness.pass(s(1)), [ClientAction::Reconnect]);
    assert_eq!(harness.input(welcome_new()), [], "the socket is about to close");
}

#[test]
fn a_welcome_to_a_session_that_this_client_never_had_is_an_error() {
    let mut harness = Harness::new();
    harness.connect();
    let code = ErrorCode::Unexpected;
    assert_eq!(harness.input(welcome(0)), [ClientAction::ReportError { code }, ClientAction::Close { code }]);
}

#[test]
fn numbers_that_were_never_given_do_not_swallow_the_next_publishes() {
    // The server would take the publishes that follow for repetitions of those that it claims to have.
    let mut harness = Harness::attached();
    harness.publish();
    harness.actions();
    let code = ErrorCode::Sequence;
    assert_eq!(harness.resume(2), [ClientAction::ReportError { code }, ClientAction::Close { code }]);
    harness.disconnect();
    assert_eq!(harness.connect(), [hello(2, Some(1006))], "the session is not used again");
    let actions = harness.input(welcome_new());
    assert_eq!(actions[0], attached(Attachment::Replaced));
}

#[test]
fn a_close_code_that_no_websocket_has_is_not_repeated_in_hello() {
    for code in [0, 999, 5_000, u16::MAX] {
        let mut harness = Harness::new();
        harness.input(ClientInput::Disconnected { code });
        assert_eq!(harness.connect(), [hello(1, None)]);
    }
}

#[test]
fn a_socket_whose_end_was_not_reported_does_not_keep_the_next_from_its_hello() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.publish();
    harness.actions();
    let actions = harness.connect();
    assert!(matches!(actions[0], ClientAction::Hello { attempt: 1, is_resume: true, closed: Some(1006), .. }));
    assert_eq!(actions[1..], [sub(id, Start::From(cursor(10)))]);
    assert_eq!(harness.input(welcome(1)), [attached(Attachment::Resumed)]);
}

// Servers that make errors, refuse the client or are about to stop.

fn fatal(code: ErrorCode) -> ClientInput {
    ClientInput::Error { code, is_fatal: true, retry: None }
}

fn over(code: ErrorCode) -> ClientAction {
    ClientAction::Over { code }
}

/// Connects, hands in what ends the connection, and returns the actions that follow.
fn attempt(harness: &mut Harness, input: ClientInput) -> Vec<ClientAction> {
    harness.connect();
    let mut actions = harness.input(input);
    actions.extend(harness.disconnect());
    actions
}

#[test]
fn a_server_in_error_is_left_three_times_and_then_for_good() {
    let mut harness = Harness::new();
    let code = ErrorCode::Malformed;
    let report = ClientAction::ReportError { code };
    for _ in 0..3 {
        assert_eq!(attempt(&mut harness, ClientInput::Malformed), [report, ClientAction::Close { code }]);
    }
    assert_eq!(attempt(&mut harness, ClientInput::Malformed), [report, over(code)]);
    assert_eq!(harness.connect(), []);
}

#[test]
fn errors_with_a_minute_of_service_between_them_are_not_in_a_row() {
    let mut harness = Harness::new();
    for count in 0..20 {
        harness.connect();
        harness.input(if count == 0 { welcome_new() } else { welcome(0) });
        harness.pass(s(60));
        harness.input(ClientInput::Malformed);
        harness.disconnect();
    }
    assert!(!harness.session.is_over());
}

/// The connection in error never was attached, and the one before it, which was, ended by something else.
#[test]
fn a_minute_of_service_ends_the_row_however_its_connection_ended() {
    let mut harness = Harness::new();
    for count in 0..20 {
        harness.connect();
        harness.input(if count == 0 { welcome_new() } else { welcome(0) });
        harness.pass(s(60));
        harness.disconnect();
        attempt(&mut harness, ClientInput::Malformed);
    }
    assert!(!harness.session.is_over());
}

#[test]
fn a_welcome_alone_does_not_end_the_row_of_errors() {
    let mut harness = Harness::new();
    for count in 0..4 {
        harness.connect();
        harness.input(if count == 0 { welcome_new() } else { welcome(0) });
        harness.pass(s(59));
        harness.input(ClientInput::Malformed);
        harness.disconnect();
    }
    assert!(harness.session.is_over());
}

#[test]
fn credentials_that_are_refused_over_and_over_end_the_session() {
    let mut harness = Harness::new();
    for _ in 0..3 {
        assert_eq!(attempt(&mut harness, fatal(ErrorCode::Unauthorized)), []);
    }
    assert_eq!(attempt(&mut harness, fatal(ErrorCode::Unauthorized)), [over(ErrorCode::Unauthorized)]);
}

#[test]
fn an_error_and_its_close_code_count_once() {
    let mut harness = Harness::new();
    for _ in 0..3 {
        harness.connect();
        harness.input(fatal(ErrorCode::Unauthorized));
        harness.input(ClientInput::Disconnected { code: 3000 });
    }
    assert!(!harness.session.is_over());
}

#[test]
fn a_close_code_counts_where_its_error_was_lost() {
    let mut harness = Harness::new();
    for _ in 0..4 {
        harness.connect();
        harness.input(ClientInput::Disconnected { code: 4501 });
    }
    assert!(harness.session.is_over());
}

#[test]
fn a_session_taken_over_or_ended_by_the_server_is_over() {
    for code in [ErrorCode::TakenOver, ErrorCode::Gone] {
        let close = ClientInput::Disconnected { code: code.close_code().expect("it ends connections") };
        for input in [fatal(code), close, ClientInput::Bye { code }] {
            let mut harness = Harness::attached();
            assert_eq!(harness.input(input), [over(code)]);
        }
    }
}

#[test]
fn a_busy_server_is_tried_again_and_again_but_not_before_it_wants() {
    let mut harness = Harness::new();
    let busy = ClientInput::Error { code: ErrorCode::Unavailable, is_fatal: true, retry: Some(s(2)) };
    for _ in 0..20 {
        assert_eq!(attempt(&mut harness, busy), [ClientAction::RetryAfter { delay: s(2) }]);
    }
}

#[test]
fn a_server_that_announces_a_close_and_does_not_close_is_left() {
    let mut harness = Harness::attached();
    harness.input(fatal(ErrorCode::Unavailable));
    assert_eq!(harness.session.poll_deadline(), Some(harness.now + s(30)));
    assert_eq!(harness.pass(s(30)), [ClientAction::Reconnect]);
}

#[test]
fn an_error_that_is_not_fatal_changes_nothing() {
    let mut harness = Harness::attached();
    let error = ClientInput::Error { code: ErrorCode::UnknownLine, is_fatal: false, retry: None };
    assert_eq!(harness.input(error), []);
    assert!(harness.session.is_attached());
}

#[test]
fn clients_of_a_server_that_drains_leave_at_times_spread_over_what_it_says() {
    let leaves = |seed, deadline, spread| {
        let mut harness = Harness::new();
        harness.session = ClientSession::new(Default::default(), seed);
        harness.connect();
        harness.input(welcome_new());
        assert_eq!(harness.input(ClientInput::Drain { deadline, spread }), []);
        let at = harness.session.poll_deadline().expect("it leaves") - harness.now;
        assert_eq!(harness.pass(at), [ClientAction::Reconnect]);
        assert_eq!(harness.session.poll_deadline(), Some(harness.now + s(30)), "it leaves once");
        at
    };
    let times: Vec<Time> = (0..1_000).map(|seed| leaves(seed, s(30), s(10))).collect();
    assert!(times.iter().all(|time| *time <= s(10)));
    for second in 0..10 {
        let within = times.iter().filter(|time| (s(second)..s(second + 1)).contains(*time)).count();
        assert!((60..140).contains(&within), "{within} leave in second {second}");
    }
    assert!((0..100).all(|seed| leaves(seed, s(1), s(10)) <= s(1)), "the deadline counts where it is sooner");
}

#[test]
fn a_connection_that_ends_before_its_time_to_leave_is_not_left_again() {
    let mut harness = Harness::attached();
    harness.input(ClientInput::Drain { deadline: s(30), spread: s(10) });
    harness.disconnect();
    assert_eq!(harness.session.poll_deadline(), None);
}

#[test]
fn nothing_is_sent_on_a_socket_that_is_about_to_close() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.input(ClientInput::Malformed);
    harness.publish();
    harness.session.subscribe(Start::Live);
    harness.session.restart(id, Start::Live);
    harness.session.pause(id);
    assert_eq!(harness.actions(), []);
    let _ = harness.session.receive(Some(id), cursor(11), 10);
    assert_eq!(harness.input(ClientInput::Credits(10)), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_breaks_an_invariant(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let script: Script = Unstructured::new(&bytes).arbitrary().expect("any bytes make a script");
        script::run(&script);
    }
}
