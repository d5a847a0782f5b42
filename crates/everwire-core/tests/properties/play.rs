use everwire_core::{Action, Connection, Delivery, Input, MessageId, Phase, QueueOptions, SocketId, Time};

use super::{
    rules::Rules,
    script::{self, Message, Script, Step, Whose},
};

/// Lets everything in the script happen, and checks the rules at each step.
pub(crate) fn play(script: &Script) {
    let mut player = Player {
        client: Connection::new(script.config.clone(), script.seed),
        rules: Rules::new(script),
        script,
        now: Time::from_secs(1_000),
        wall: Time::from_secs(1_000),
        latest: [None; 2],
        buffered: 0,
    };
    for step in &script.steps {
        player.step(step);
    }
    player.every_phase_can_be_left();
}

struct Player<'a> {
    client: Connection,
    rules: Rules,
    script: &'a Script,
    now: Time,
    wall: Time,
    /// The latest queued message of each of two keys.
    latest: [Option<MessageId>; 2],
    /// What the platform reports about its buffer.
    buffered: u64,
}

impl Player<'_> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(time) => self.pass(time.get()),
            Step::Timer(times) => self.timer(*times),
            Step::WakeAfter(time, jump) => {
                self.pass(time.get());
                self.wall = self.wall + jump.get();
                self.wake();
            }
            Step::Open => self.input(script::OPEN),
            Step::Reconnect => self.input(Input::Reconnect),
            Step::Close => self.input(Input::Close),
            Step::Flush => self.input(Input::Flush),
            Step::Opened(whose) => self.input(Input::Opened { socket: self.socket(*whose) }),
            Step::Received(whose, ahead) => self.receive(self.socket(*whose), ahead.get()),
            Step::Activity(whose) => {
                let socket = self.socket(*whose);
                self.client.activity(self.now, socket);
                self.act();
            }
            Step::Pong(whose, ping, server_time) => {
                let socket = self.socket(*whose);
                self.input(Input::Pong { socket, ping: ping.map(u64::from), server_time: *server_time });
            }
            Step::Dropped(whose, why, buffered) => {
                let (socket, buffered) = (self.socket(*whose), u64::from(*buffered));
                self.input(Input::Dropped { socket, cause: why.cause(), buffered });
            }
            Step::Buffered(whose, bytes) => {
                self.buffered = (*bytes).into();
                self.input(Input::Buffered { socket: self.socket(*whose), bytes: self.buffered });
            }
            Step::Decided(decision) => self.input(Input::Decided(decision.get())),
            Step::Network(online) => self.input(Input::Network(script::network(*online))),
            Step::Page(number) => self.input(Input::Page(script::page(*number))),
            Step::Send(message) => self.send(message),
            Step::Burst(message, times) => (0..*times).for_each(|_| self.send(message)),
        }
    }

    fn pass(&mut self, time: Time) {
        self.now = self.now + time;
        self.wall = self.wall + time;
    }

    fn timer(&mut self, times: u8) {
        for _ in 0..times.min(60) {
            let Some(due) = self.client.poll_deadline() else { return };
            self.pass(due - self.now);
            self.wake();
        }
    }

    fn wake(&mut self) {
        self.input(Input::Wake { wall: self.wall });
        self.rules.after_wake(self.now, &self.client);
    }

    fn input(&mut self, input: Input) {
        self.rules.before(self.now, &self.client, &input);
        self.client.handle(self.now, input);
        self.act();
    }

    fn receive(&mut self, socket: SocketId, ahead: Time) {
        let delivery = self.client.receive(self.now + ahead, socket, 3);
        self.rules.received(socket, delivery == Delivery::Deliver);
        self.act();
    }

    fn send(&mut self, message: &Message) {
        // Now and then one whose size is at the limit of what can be counted.
        let size = if message.size % 32 == 31 { usize::MAX } else { message.size.into() };
        if let Some(id) = self.client.send_now(size, message.priority) {
            self.rules.sent_now(id, message.priority);
            return self.act();
        }
        let latest = message.key.map(|key| &mut self.latest[usize::from(key)]);
        let options = QueueOptions {
            time_to_live: message.time_to_live.map(script::Span::get),
            replaces: latest.as_ref().and_then(|latest| **latest),
        };
        if let Ok(id) = self.client.enqueue(self.now, size, options) {
            self.rules.queued(id);
            latest.into_iter().for_each(|latest| *latest = Some(id));
        }
        self.act();
    }

    fn act(&mut self) {
        let mut may_send = self.script.sends_while_acting;
        while self.client.has_actions() {
            // Another thread sends while actions are pending.
            if std::mem::take(&mut may_send)
                && let Some(id) = self.client.send_now(5, true)
            {
                self.rules.sent_now(id, true);
            }
            let Some(action) = self.client.poll_action() else { break };
            self.rules.action(self.now, action.clone());
            match action {
                Action::Opened { .. } if self.script.sends_on_open => {
                    self.client.transmitted_on_open(5);
                    // Another thread sends while the actions behind this one are pending.
                    if let Some(id) = self.client.send_now(5, false) {
                        self.rules.sent_now(id, false);
                    }
                }
                Action::Measure { socket } => {
                    self.client.handle(self.now, Input::Buffered { socket, bytes: self.buffered });
                }
                _ => {}
            }
        }
        self.rules.at_rest(&self.client);
    }

    fn socket(&self, whose: Whose) -> SocketId {
        match whose {
            Whose::Current | Whose::Again | Whose::AsWell => self.client.phase().socket().unwrap_or(SocketId(0)),
            Whose::Other(number) => SocketId(number.into()),
        }
    }

    /// Wherever the script ended, the connection can be closed for good, and opened again after that.
    fn every_phase_can_be_left(&mut self) {
        self.input(Input::Close);
        if let Some(due) = self.client.poll_deadline() {
            self.pass(due - self.now);
            self.wake();
        }
        assert_eq!(self.client.phase(), Phase::Closed);
        self.rules.nothing_is_left(&self.client);
        assert_eq!(self.client.poll_deadline(), None);
        self.input(Input::Reconnect);
        if let Phase::Waiting { until } = self.client.phase() {
            // A floor without end leaves no time to dial.
            let Some(until) = until else { return };
            self.pass(until - self.now);
            self.wake();
        }
        let socket = self.client.phase().socket().expect("it dials");
        self.input(Input::Opened { socket });
        assert!(self.client.phase().is_open());
    }
}
