use std::time::Duration;

use everwire_core::{CloseCode, CloseReason, Connection, Input, Payload, SendOptions, Sent, SocketId, State, Words};

use super::{
    rules::Rules,
    script::{self, Message, Script, Step, Whose},
};

/// A message that knows who it is, of any size without the bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parcel {
    pub(crate) number: u64,
    size: usize,
}

impl Payload for Parcel {
    type Terms = Words;

    fn size(&self) -> usize {
        self.size
    }
}

/// Lets everything in the script happen, and checks the rules at each step.
pub(crate) fn play(script: &Script) {
    let mut player = Player {
        client: Connection::new(script.config.clone(), script.seed),
        rules: Rules::new(script),
        now: Duration::from_secs(1_000),
        wall: Duration::from_secs(1_000),
        parcels: 0,
    };
    for step in &script.steps {
        player.step(step);
    }
    player.every_state_can_be_left();
}

struct Player {
    client: Connection<Parcel>,
    rules: Rules,
    now: Duration,
    wall: Duration,
    parcels: u64,
}

impl Player {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(time) => self.pass(time.get()),
            Step::Timer(times) => self.timer(*times),
            Step::WakeAfter(time, jump) => {
                self.pass(time.get());
                self.wall = self.wall.saturating_add(jump.get());
                self.wake();
            }
            Step::Open => self.input(Input::Open),
            Step::Reconnect => self.input(Input::Reconnect),
            Step::Close => {
                let reason = CloseReason::new("done").expect("it is short");
                self.input(Input::Close { code: CloseCode::NORMAL, reason });
            }
            Step::Flush => self.input(Input::Flush),
            Step::Opened(whose) => {
                let greeting = vec![self.parcel(5)];
                let socket = self.socket(*whose);
                self.input(Input::Opened { socket, greeting });
            }
            Step::Received(whose) => {
                let message = self.parcel(3);
                let socket = self.socket(*whose);
                self.input(Input::Received { socket, message });
            }
            Step::Pong(whose, ping, server_time) => {
                let input =
                    Input::Pong { socket: self.socket(*whose), ping: ping.map(u64::from), server_time: *server_time };
                self.input(input);
            }
            Step::Dropped(whose, why, buffered) => {
                let (socket, buffered) = (self.socket(*whose), u64::from(*buffered));
                self.input(Input::Dropped { socket, cause: why.cause(), buffered });
            }
            Step::Buffered(whose, bytes) => {
                let input = Input::Buffered { socket: self.socket(*whose), bytes: u64::from(*bytes) };
                self.input(input);
            }
            Step::Network(online) => self.input(Input::Network(script::network(*online))),
            Step::Page(number) => self.input(Input::Page(script::page(*number))),
            Step::Send(message) => self.send(message),
            Step::Burst(message, times) => (0..*times).for_each(|_| self.send(message)),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        self.wall = self.wall.saturating_add(time);
    }

    fn timer(&mut self, times: u8) {
        for _ in 0..times.min(60) {
            let Some(due) = self.client.poll_deadline() else { return };
            self.pass(due.saturating_sub(self.now));
            self.wake();
        }
    }

    fn wake(&mut self) {
        self.input(Input::Wake { wall: self.wall });
        self.rules.after_wake(self.now, &self.client);
    }

    fn input(&mut self, input: Input<Parcel>) {
        let before = self.client.state();
        self.rules.before(self.now, &self.client, &input);
        self.client.handle(self.now, input);
        self.obey(before);
    }

    fn send(&mut self, message: &Message) {
        let parcel = self.parcel(message.size.into());
        let options = SendOptions {
            time_to_live: message.time_to_live.map(script::Time::get),
            ahead: false,
            key: message.key.map(|key| key.to_string()),
        };
        let (number, before) = (parcel.number, self.client.state());
        match self.client.send(self.now, parcel, options) {
            Ok(sent) => {
                self.rules.accepted(sent.id(), number);
                assert_eq!(matches!(sent, Sent::Transmitted(_)), self.client.outbox().is_empty());
            }
            Err(refused) => assert_eq!(refused.message.number, number, "another message comes back"),
        }
        self.obey(before);
    }

    fn obey(&mut self, before: State) {
        while let Some(action) = self.client.poll_action() {
            self.rules.action(self.now, before, action);
        }
        self.rules.settled(&self.client);
    }

    fn parcel(&mut self, size: usize) -> Parcel {
        self.parcels += 1;
        // Now and then one whose size is at the limit of what can be counted.
        let size = if size % 32 == 31 { usize::MAX } else { size };
        Parcel { number: self.parcels, size }
    }

    fn socket(&self, whose: Whose) -> SocketId {
        match whose {
            Whose::Current | Whose::Again | Whose::AsWell => self.client.state().socket().unwrap_or(SocketId(0)),
            Whose::Other(number) => SocketId(number.into()),
        }
    }

    /// Wherever the script ended, the connection can be closed for good, and opened again after that.
    fn every_state_can_be_left(&mut self) {
        let reason = CloseReason::new("the end").expect("it is short");
        self.input(Input::Close { code: CloseCode::NORMAL, reason });
        if let Some(due) = self.client.poll_deadline() {
            self.pass(due.saturating_sub(self.now));
            self.wake();
        }
        assert_eq!(self.client.state(), State::Closed);
        self.rules.nothing_is_left(&self.client);
        assert_eq!(self.client.poll_deadline(), None);
        self.input(Input::Reconnect);
        if let State::Waiting { until } = self.client.state() {
            // A floor without end leaves no time to dial.
            let Some(until) = until else { return };
            self.pass(until - self.now);
            self.wake();
        }
        let socket = self.client.state().socket().expect("it dials");
        self.input(Input::Opened { socket, greeting: Vec::new() });
        assert!(self.client.state().is_open());
    }
}
