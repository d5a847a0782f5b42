use everwire_core::{
    Delivery, Time,
    protocol::{Cursor, ErrorCode, Start},
    session::{ClientInput, ClientSession, ClientSessionConfig, RequestId, SubscriptionId},
};

use super::{
    rules::Rules,
    script::{After, Begin, Part, Place, Script, Seq, Step, Welcome, Which, seconds},
};

const MOST_SUBSCRIPTIONS: usize = 4;

/// Lets everything in the script happen, and checks the rules at each step.
pub(crate) fn play(script: &Script) {
    let config = ClientSessionConfig::default()
        .max_pending(1 + usize::from(script.max_pending % 16))
        .max_bytes(256 + usize::from(script.max_bytes));
    let mut player = Player {
        session: ClientSession::new(config.clone(), script.seed),
        config,
        rules: Rules::default(),
        now: Time::from_secs(1_000),
        has_socket: false,
        steps: 0,
        subscriptions: Vec::new(),
        requests: Vec::new(),
    };
    for step in &script.steps {
        player.step(step);
        player.check();
        if player.rules.is_over {
            break;
        }
    }
    player.session.end(ErrorCode::Cancelled);
    player.check();
    assert!(player.rules.is_over);
}

struct Player {
    session: ClientSession,
    config: ClientSessionConfig,
    rules: Rules,
    now: Time,
    has_socket: bool,
    steps: usize,
    subscriptions: Vec<SubscriptionId>,
    requests: Vec<RequestId>,
}

impl Player {
    fn step(&mut self, step: &Step) {
        self.steps += 1;
        let is_greeting = self.rules.is_connected && !self.rules.is_attached;
        let is_out_of_place = match step {
            Step::Welcome(_) | Step::Connect => !is_greeting && self.has_socket,
            step => is_greeting && step.is_line(),
        };
        // Each would be an error of the server, and leave little time for anything else.
        if is_out_of_place && !self.steps.is_multiple_of(16) {
            return;
        }
        match *step {
            Step::Pass(time) => {
                self.now = self.now + seconds(time % 8);
                self.input(ClientInput::Wake);
            }
            Step::Timer(rarely) if rarely.happens() => self.timer(),
            Step::Connect => self.connect(),
            Step::Disconnect { arrive, close } => {
                self.disconnect(arrive, close.and_then(|code| code.code().close_code()));
            }
            Step::Welcome(welcome) => self.welcome(welcome),
            Step::Reconnect { arrive, welcome } => {
                self.disconnect(arrive, None);
                self.check();
                self.connect();
                self.check();
                self.welcome(welcome);
            }
            Step::Serve(messages) | Step::ServeAgain(messages) => self.serve(messages % 4),
            Step::Subscribed(which, place) => {
                let (subscription, cursor) = self.aim(which, place);
                self.answered(subscription);
                self.input(ClientInput::Subscribed { subscription, cursor });
            }
            Step::Unsubscribed(which, code) => {
                let subscription = self.subscription(which);
                self.answered(subscription);
                self.input(ClientInput::Unsubscribed { subscription, code: code.code() });
            }
            Step::Message(which, place, after) => self.message(which, place, after),
            Step::Presence(which) => {
                let subscription = self.subscription(which);
                if self.session.receive_presence(subscription) == Delivery::Deliver {
                    let is_open = subscription.is_some_and(|id| self.rules.subscriptions[&id].is_open());
                    assert!(self.rules.is_attached && is_open);
                }
            }
            Step::Position(which, place, is_live) => {
                let (subscription, cursor) = self.aim(which, place);
                self.input(ClientInput::Position { subscription, cursor, is_live });
            }
            Step::Gap(which, place, reason) => {
                let (subscription, cursor) = self.aim(which, place);
                self.input(ClientInput::Gap { subscription, reason: reason.reason(), cursor, missed: None });
            }
            Step::Answer(seq, is_stored) => self.answer(seq, is_stored),
            Step::Respond(seq, part, more) => self.respond(seq, part, more),
            Step::RefuseRequest(seq, code) => {
                let seq = number(seq, self.rules.requests.unanswered.keys());
                if self.rules.is_attached {
                    self.rules.requests.unanswered.remove(&seq);
                }
                self.input(ClientInput::RequestRefused { seq, code: code.code() });
            }
            Step::Credits(credits) => {
                let credits = u64::from(credits % 9);
                if self.rules.is_attached {
                    self.rules.set_credits(credits);
                }
                self.input(ClientInput::Credits(credits));
            }
            Step::Drain(rarely, deadline, spread) if rarely.happens() => {
                self.input(ClientInput::Drain { deadline: seconds(deadline), spread: seconds(spread) });
            }
            Step::Error(code, rarely, retry) => {
                let is_fatal = rarely.happens() && code.code().is_fatal();
                if is_fatal {
                    (self.rules.is_connected, self.rules.is_attached) = (false, false);
                }
                self.input(ClientInput::Error { code: code.code(), is_fatal, retry: retry.map(seconds) });
            }
            Step::Bye(rarely) if rarely.happens() => self.input(ClientInput::Bye { code: ErrorCode::Gone }),
            Step::UnknownLine => self.input(ClientInput::UnknownLine),
            Step::Malformed(rarely) if rarely.happens() => self.input(ClientInput::Malformed),
            Step::End(rarely) if rarely.happens() => self.session.end(ErrorCode::Cancelled),
            Step::Timer(_) | Step::Drain(..) | Step::Bye(_) | Step::Malformed(_) | Step::End(_) => {}
            Step::Subscribe(begin) if self.subscriptions.len() < MOST_SUBSCRIPTIONS => {
                let id = self.session.subscribe(begin.start());
                self.subscriptions.push(id);
                self.rules.subscriptions.entry(id).or_default();
            }
            Step::Subscribe(begin) => self.restart(Which(0), begin),
            Step::Restart(which, begin) => self.restart(which, begin),
            Step::Pause(which) => {
                if let Some(id) = self.subscription(which) {
                    self.session.pause(id);
                    self.with(id, |subscription| subscription.is_paused |= !subscription.is_unwanted);
                }
            }
            Step::Resume(which) => {
                if let Some(id) = self.subscription(which) {
                    self.session.resume(id);
                    self.with(id, |subscription| subscription.is_paused = false);
                }
            }
            Step::Unsubscribe(which) => {
                if let Some(id) = self.subscription(which) {
                    self.session.unsubscribe(id);
                    self.with(id, |subscription| {
                        (subscription.is_unwanted, subscription.is_paused) = (true, false);
                    });
                }
            }
            Step::Publish { size, time_to_live } => {
                if let Ok(id) = self.session.publish(self.now, size.into(), time_to_live.map(|time| seconds(time % 8)))
                {
                    self.rules.accepted_publish(id);
                }
            }
            Step::Request { size, timeout } => {
                if let Ok(id) = self.session.request(self.now, size.into(), timeout.map(|time| seconds(time % 8))) {
                    self.rules.accepted_request(id);
                    self.requests.push(id);
                }
            }
            Step::Cancel(seq) => {
                let (Seq::Unanswered(number) | Seq::Any(number)) = seq else { return };
                if !self.requests.is_empty() {
                    self.session.cancel(self.requests[usize::from(number) % self.requests.len()]);
                }
            }
        }
    }

    fn input(&mut self, input: ClientInput) {
        self.session.handle(self.now, input);
    }

    /// Takes the actions, and checks what holds between two steps.
    fn check(&mut self) {
        while let Some(action) = self.session.poll_action() {
            self.rules.judge(action);
        }
        self.rules.publishes.answer = None;
        for id in &self.subscriptions {
            self.rules.moved(*id, self.session.position(*id));
        }
        assert_eq!(self.session.is_attached(), self.rules.is_attached);
        assert_eq!(self.session.is_over(), self.rules.is_over);
        assert!(self.rules.pending() <= self.session.pending() && self.session.pending() <= self.config.max_pending);
        assert!(self.session.pending_bytes() <= self.config.max_bytes);
        assert!(self.session.pending() > 0 || self.session.pending_bytes() == 0);
    }

    fn timer(&mut self) {
        let Some(deadline) = self.session.poll_deadline() else { return };
        self.now = self.now.max(deadline);
        self.input(ClientInput::Wake);
        assert!(self.session.poll_deadline().is_none_or(|next| next > self.now), "the timer would spin");
    }

    fn connect(&mut self) {
        if !self.has_socket {
            self.has_socket = true;
            self.input(ClientInput::Connected);
        }
    }

    fn disconnect(&mut self, arrive: u8, close_code: Option<u16>) {
        self.rules.disconnected(arrive.into());
        self.has_socket = false;
        self.input(ClientInput::Disconnected { code: close_code.unwrap_or(1006) });
    }

    fn welcome(&mut self, welcome: Welcome) {
        let is_new = welcome.is_new.happens() || !self.rules.is_resume;
        let keeps_requests = !welcome.loses_requests;
        let credits = u64::from(welcome.credits % 9);
        let is_expected = self.rules.is_connected && !self.rules.is_attached;
        if is_expected {
            self.rules.welcomed(is_new, keeps_requests, credits);
        }
        let max_message = if welcome.max_message.is_multiple_of(4) { welcome.max_message.into() } else { 256 };
        let acked = if is_new { 0 } else { self.rules.publishes.received };
        self.input(ClientInput::Welcome { is_new, acked, keeps_requests, credits, max_message });
    }

    /// The server does what it should: each `sub` is answered, messages are delivered, publishes are stored.
    fn serve(&mut self, messages: u8) {
        for which in (0..MOST_SUBSCRIPTIONS as u8).map(Which) {
            let id = self.subscription(which);
            if id.is_some_and(|id| self.rules.subscriptions[&id].awaits_answer) {
                self.step(&Step::Subscribed(which, Place::Position));
                self.check();
            }
            for _ in 0..messages {
                self.message(which, Place::Next, After::Position);
                self.check();
            }
            self.step(&Step::Position(which, Place::Position, messages > 2));
            self.check();
            if messages > 0 {
                self.answer(Seq::First, true);
                self.check();
            }
        }
    }

    fn message(&mut self, which: Which, place: Place, after: After) {
        let (subscription, cursor) = self.aim(which, place);
        let before = subscription.and_then(|id| self.session.position(id));
        let after = match after {
            After::Position => before.map_or(0, |before| before.offset),
            After::OneLess => cursor.offset.saturating_sub(1),
            After::Any(offset) => offset.into(),
        };
        if self.session.receive(subscription, cursor, after) == Delivery::Deliver {
            let (id, before) = subscription.zip(before).expect("a subscription that has a position");
            assert!(self.rules.is_attached && self.rules.subscriptions[&id].is_open());
            assert!(!self.rules.subscriptions[&id].is_held);
            assert_eq!((cursor.epoch, after), (before.epoch, before.offset), "it continues the position");
            assert!(cursor.offset > before.offset);
            assert_eq!(self.session.position(id), Some(cursor));
        } else {
            // An error of the server may end the subscription.
            let position = subscription.and_then(|id| self.session.position(id));
            assert!(position == before || position.is_none());
        }
    }

    fn answer(&mut self, seq: Seq, is_stored: bool) {
        let seq = number(seq, self.rules.publishes.unanswered.iter());
        if self.rules.is_attached && self.rules.publishes.unanswered.remove(&seq) {
            self.rules.received(seq);
            self.rules.publishes.answer = Some(seq);
        }
        let cursor = Cursor { epoch: 1, offset: seq, time: seq };
        self.input(match is_stored {
            true => ClientInput::Acked { seq, cursor },
            false => ClientInput::Refused { seq, code: ErrorCode::Denied },
        });
    }

    fn respond(&mut self, seq: Seq, part: Part, more: bool) {
        let unanswered = &mut self.rules.requests.unanswered;
        let seq = number(seq, unanswered.keys());
        let expected = unanswered.get(&seq).copied();
        let part = match part {
            Part::Expected => expected.unwrap_or(0),
            Part::Repeated => 0,
            Part::Any(part, rarely) if rarely.happens() => part.into(),
            Part::Any(..) => return,
        };
        if self.rules.is_attached && expected == Some(part) {
            unanswered.insert(seq, part + 1);
            if !more {
                unanswered.remove(&seq);
            }
        }
        self.input(ClientInput::Response { seq, part, more });
    }

    fn restart(&mut self, which: Which, begin: Begin) {
        let Some(id) = self.subscription(which) else { return };
        self.session.restart(id, begin.start());
        self.with(id, |subscription| {
            subscription.is_restarted = true;
            (subscription.is_unwanted, subscription.is_held) = (false, false);
        });
    }

    // What the steps name.

    fn subscription(&self, which: Which) -> Option<SubscriptionId> {
        self.subscriptions.get(usize::from(which.0) % (MOST_SUBSCRIPTIONS + 1)).copied()
    }

    fn with(&mut self, id: SubscriptionId, change: impl FnOnce(&mut super::rules::Subscription)) {
        self.rules.subscriptions.get_mut(&id).map(change);
    }

    /// A subscription, and a cursor near its position.
    fn aim(&self, which: Which, place: Place) -> (Option<SubscriptionId>, Cursor) {
        let subscription = self.subscription(which);
        let asked = subscription.and_then(|id| self.rules.subscriptions[&id].start);
        let position = match (subscription.and_then(|id| self.session.position(id)), asked) {
            (Some(position), _) | (None, Some(Start::From(position))) => position,
            _ => Cursor { epoch: 1, offset: 10, time: 10 },
        };
        (subscription, place.of(position))
    }

    /// The server answers the `sub` that is outstanding.
    fn answered(&mut self, subscription: Option<SubscriptionId>) {
        if let Some(id) = subscription
            && self.rules.is_attached
        {
            self.with(id, |subscription| subscription.awaits_answer = false);
        }
    }
}

fn number<'a>(seq: Seq, mut unanswered: impl ExactSizeIterator<Item = &'a u64>) -> u64 {
    let number = match seq {
        Seq::Any(number) => return number.into(),
        Seq::First => unanswered.next(),
        Seq::Unanswered(number) => {
            unanswered.len().checked_sub(1).and_then(|last| unanswered.nth(usize::from(number).min(last)))
        }
    };
    number.copied().unwrap_or(1)
}
