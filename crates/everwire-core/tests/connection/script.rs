//! Scripts of inputs for a connection, and the invariants that hold whatever the script is. The property test and the fuzz target run them.

use std::{collections::BTreeSet, mem};

use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Action, Backoff, Config, Connection, Decision, Delivery, DropCause, HeartbeatMode, Input, MessageId, Network,
    OutboxLimits, Page, Phase, PingSchedule, QueueOptions, ReconnectRules, SocketId, Time, Watermarks, WhenFull,
};

/// The application opens the connection.
const OPEN: Input = Input::Open { since_last_dial: None };

/// A connection's options and the steps of its life.
#[derive(Debug)]
pub(crate) struct Script {
    config: Config,
    seed: u64,
    /// The options are such as an application might choose, so that the invariants about times hold as well.
    is_sane: bool,
    sends_on_open: bool,
    sends_while_acting: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Arbitrary)]
enum Step {
    Pass(Span),
    /// The timer fires when it is due, several times in a row.
    Timer(u8),
    /// The timer fires after the first span, due or not, and the wall clock jumps by the second.
    WakeAfter(Span, Span),
    Open,
    Reconnect,
    Close,
    Flush,
    Opened(Target),
    /// The time of receipt may lie ahead of the clock.
    Received(Target, Span),
    Activity(Target),
    Pong(Target, Option<u8>, Option<f64>),
    Dropped(Target, Cause, u32),
    Buffered(Target, u32),
    Decided(Choice),
    Network(bool),
    Page(u8),
    Send(Message),
    /// A burst of messages of one kind.
    Burst(Message, u8),
}

/// The socket of an input: the current one in three of four cases.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Target {
    Current,
    CurrentToo,
    CurrentAsWell,
    Other(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Cause {
    Code(u16),
    Abnormal,
    Crash,
    Provider,
    Refused,
}

#[derive(Debug, Clone, Arbitrary)]
struct Message {
    size: u16,
    priority: bool,
    key: Option<bool>,
    time_to_live: Option<Span>,
}

/// A span of an order of magnitude that some timer uses.
#[derive(Debug, Clone, Copy)]
enum Span {
    Zero,
    Millis(u16),
    Seconds(u8),
    Hours(u8),
    Forever,
}

impl<'a> Arbitrary<'a> for Span {
    /// Mostly spans that matter. The end of time, after which nothing changes any more, is rare.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match bytes.arbitrary::<u8>()? % 32 {
            0 => Self::Forever,
            1..=3 => Self::Zero,
            4..=6 => Self::Hours(bytes.arbitrary()?),
            7..=18 => Self::Seconds(bytes.arbitrary::<u8>()? % 64),
            _ => Self::Millis(bytes.arbitrary()?),
        })
    }
}

impl Span {
    fn get(self) -> Time {
        match self {
            Self::Zero => Time::ZERO,
            Self::Millis(millis) => Time::from_millis(millis.into()),
            Self::Seconds(seconds) => Time::from_secs(seconds.into()),
            Self::Hours(hours) => Time::from_secs(u64::from(hours) * 3_600),
            Self::Forever => core::time::Duration::MAX.into(),
        }
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Choice {
    Retry,
    RetrySoon,
    Stop,
}

impl Choice {
    fn get(self) -> Decision {
        match self {
            Self::Retry => Decision::Retry,
            Self::RetrySoon => Decision::RetrySoon,
            Self::Stop => Decision::Stop,
        }
    }
}

impl Cause {
    fn cause(self) -> DropCause {
        match self {
            Self::Code(code) => DropCause::closed(code, true),
            Self::Abnormal | Self::Crash => DropCause::closed(1006, false),
            Self::Provider => DropCause::ProviderFailed,
            Self::Refused => DropCause::AddressRefused,
        }
    }
}

fn network(online: bool) -> Network {
    if online { Network::Online } else { Network::Offline }
}

fn page(number: u8) -> Page {
    let pages = [Page::Visible, Page::Hidden, Page::Frozen, Page::Resumed, Page::Suspended, Page::Restored];
    pages[usize::from(number) % pages.len()]
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let is_sane = bytes.arbitrary()?;
        let config = if is_sane { sane_config(bytes)? } else { any_config(bytes)? };
        let seed = bytes.arbitrary()?;
        let (sends_on_open, sends_while_acting) = (bytes.arbitrary()?, bytes.arbitrary()?);
        let mut steps = Vec::new();
        // As many as there are bytes for; the `Arbitrary` of `Vec` would stop after one or two.
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { config, seed, is_sane, sends_on_open, sends_while_acting, steps })
    }
}

fn sane_config(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let mut config = Config::default();
    config.backoff.max_retries = bytes.arbitrary::<Option<u8>>()?.map(u32::from);
    config.outbox = outbox(bytes)?.max_messages(20).max_bytes(100_000);
    config.watermarks = Watermarks::default().high(20_000).low(5_000);
    if bytes.ratio(1, 3)? {
        config.heartbeat = HeartbeatMode::Silence(Time::from_secs(5));
    }
    Ok(config)
}

fn any_config(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let mut time = || Ok::<_, arbitrary::Error>(bytes.arbitrary::<Span>()?.get());
    let schedule = PingSchedule::default()
        .after_silence(time()?)
        .min_deadline(time()?)
        .max_deadline(time()?)
        .wake_deadline(time()?)
        .sample_every(time()?);
    let mut backoff = Backoff::default()
        .floor(time()?)
        .first(time()?)
        .max(time()?)
        .quick(time()?)
        .quick_after_silence(time()?)
        .stable_after(time()?);
    let (connect_timeout, close_timeout, silence) = (time()?, time()?, time()?);
    backoff.factor = bytes.arbitrary()?;
    backoff.max_retries = bytes.arbitrary()?;
    let reconnect = ReconnectRules { renews_credentials: bytes.arbitrary()?, asks_application: bytes.arbitrary()? };
    Ok(Config {
        backoff,
        heartbeat: match bytes.arbitrary::<u8>()? % 4 {
            0 => HeartbeatMode::Off,
            1 => HeartbeatMode::Silence(silence),
            _ => HeartbeatMode::Ping(schedule),
        },
        outbox: outbox(bytes)?,
        watermarks: Watermarks::default().high(bytes.arbitrary()?).low(bytes.arbitrary()?),
        reconnect,
        connect_timeout,
        close_timeout,
    })
}

fn outbox(bytes: &mut Unstructured<'_>) -> arbitrary::Result<OutboxLimits> {
    let mut limits = OutboxLimits::default().max_messages(bytes.arbitrary()?).max_bytes(bytes.arbitrary()?);
    limits.when_full = if bytes.arbitrary()? { WhenFull::Refuse } else { WhenFull::DropOldest };
    limits.time_to_live = bytes.arbitrary::<Option<Span>>()?.map(Span::get);
    Ok(limits)
}

/// Runs the script, and checks the invariants at each step.
pub(crate) fn run(script: &Script) {
    let mut runner = Runner {
        client: Connection::new(script.config.clone(), script.seed),
        invariants: Invariants::new(script),
        script,
        now: Time::from_secs(1_000),
        wall: Time::from_secs(1_000),
        latest: [None; 2],
        buffered: 0,
    };
    for step in &script.steps {
        runner.step(step);
    }
    runner.every_phase_can_be_left();
}

struct Runner<'a> {
    client: Connection,
    invariants: Invariants,
    script: &'a Script,
    now: Time,
    wall: Time,
    /// The latest queued message of each of two keys.
    latest: [Option<MessageId>; 2],
    /// The bytes that the platform reports as buffered.
    buffered: u64,
}

impl Runner<'_> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(time) => self.pass(time.get()),
            Step::Timer(times) => self.timer(*times),
            Step::WakeAfter(time, jump) => {
                self.pass(time.get());
                self.wall = self.wall + jump.get();
                self.wake();
            }
            Step::Open => self.input(OPEN),
            Step::Reconnect => self.input(Input::Reconnect),
            Step::Close => self.input(Input::Close),
            Step::Flush => self.input(Input::Flush),
            Step::Opened(target) => self.input(Input::Opened { socket: self.socket(*target) }),
            Step::Received(target, ahead) => self.receive(self.socket(*target), ahead.get()),
            Step::Activity(target) => {
                let socket = self.socket(*target);
                self.client.activity(self.now, socket);
                self.act();
            }
            Step::Pong(target, ping, server_time) => {
                let socket = self.socket(*target);
                self.input(Input::Pong { socket, ping: ping.map(u64::from), server_time: *server_time });
            }
            Step::Dropped(target, cause, buffered) => {
                let (socket, buffered) = (self.socket(*target), u64::from(*buffered));
                self.input(Input::Dropped { socket, cause: cause.cause(), buffered });
            }
            Step::Buffered(target, bytes) => {
                self.buffered = (*bytes).into();
                self.input(Input::Buffered { socket: self.socket(*target), bytes: self.buffered });
            }
            Step::Decided(decision) => self.input(Input::Decided(decision.get())),
            Step::Network(online) => self.input(Input::Network(network(*online))),
            Step::Page(number) => self.input(Input::Page(page(*number))),
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
        self.invariants.after_wake(self.now, &self.client);
    }

    fn input(&mut self, input: Input) {
        self.invariants.before(self.now, &self.client, &input);
        self.client.handle(self.now, input);
        self.act();
    }

    fn receive(&mut self, socket: SocketId, ahead: Time) {
        let delivery = self.client.receive(self.now + ahead, socket, 3);
        self.invariants.received(socket, delivery == Delivery::Deliver);
        self.act();
    }

    fn send(&mut self, message: &Message) {
        // Now and then one target size is at the limit of what can be counted.
        let size = if message.size % 32 == 31 { usize::MAX } else { message.size.into() };
        if let Some(id) = self.client.send_now(size, message.priority) {
            self.invariants.sent_now(id, message.priority);
            return self.act();
        }
        let latest = message.key.map(|key| &mut self.latest[usize::from(key)]);
        let options = QueueOptions {
            time_to_live: message.time_to_live.map(Span::get),
            replaces: latest.as_ref().and_then(|latest| **latest),
        };
        if let Ok(id) = self.client.enqueue(self.now, size, options) {
            self.invariants.queued(id);
            latest.into_iter().for_each(|latest| *latest = Some(id));
        }
        self.act();
    }

    fn act(&mut self) {
        let mut may_send = self.script.sends_while_acting;
        while self.client.has_actions() {
            // Another thread sends while actions are pending.
            if mem::take(&mut may_send)
                && let Some(id) = self.client.send_now(5, true)
            {
                self.invariants.sent_now(id, true);
            }
            let Some(action) = self.client.poll_action() else { break };
            self.invariants.action(self.now, action.clone());
            match action {
                Action::Opened { .. } if self.script.sends_on_open => {
                    self.client.transmitted_on_open(5);
                    // Another thread sends while the actions behind this one are pending.
                    if let Some(id) = self.client.send_now(5, false) {
                        self.invariants.sent_now(id, false);
                    }
                }
                Action::Measure { socket } => {
                    self.client.handle(self.now, Input::Buffered { socket, bytes: self.buffered });
                }
                _ => {}
            }
        }
        self.invariants.at_rest(&self.client);
    }

    fn socket(&self, target: Target) -> SocketId {
        match target {
            Target::Current | Target::CurrentToo | Target::CurrentAsWell => {
                self.client.phase().socket().unwrap_or(SocketId(0))
            }
            Target::Other(number) => SocketId(number.into()),
        }
    }

    /// Wherever the script ended, the connection can be closed, and opened again after that.
    fn every_phase_can_be_left(&mut self) {
        self.input(Input::Close);
        if let Some(due) = self.client.poll_deadline() {
            self.pass(due - self.now);
            self.wake();
        }
        assert_eq!(self.client.phase(), Phase::Closed);
        self.invariants.nothing_is_left(&self.client);
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

/// What must hold at each step.
struct Invariants {
    floor: Time,
    is_sane: bool,
    /// The socket that the driver holds, and whether it is open.
    socket: Option<(SocketId, bool)>,
    /// The driver took [`Action::Opened`] for the socket.
    is_opened: bool,
    /// The application closed the socket: nothing but its end may follow.
    is_closing: bool,
    last_dial: Option<Time>,
    /// When the next attempt was announced.
    announced: Option<Time>,
    /// An event allows an attempt before its time.
    is_brought_forward: bool,
    /// How far the wall clock was ahead at the last wake.
    wall_ahead: Time,
    /// Queued, and neither transmitted nor discarded.
    waiting: BTreeSet<MessageId>,
    last_id: MessageId,
    last_transmitted: MessageId,
    /// A decision is outstanding: any input brings the next attempt forward.
    is_undecided: bool,
    spins: (Time, u32),
    progress: bool,
}

impl Invariants {
    fn new(script: &Script) -> Self {
        Self {
            floor: script.config.backoff.floor,
            is_sane: script.is_sane,
            socket: None,
            is_opened: false,
            is_closing: false,
            last_dial: None,
            announced: None,
            is_brought_forward: false,
            wall_ahead: Time::ZERO,
            waiting: BTreeSet::new(),
            last_id: MessageId(0),
            last_transmitted: MessageId(0),
            is_undecided: false,
            spins: (Time::ZERO, 0),
            progress: false,
        }
    }

    /// Records what an input allows, and what the driver learns from it.
    fn before(&mut self, now: Time, client: &Connection, input: &Input) {
        self.progress = false;
        if matches!(
            input,
            Input::Open { .. }
                | Input::Reconnect
                | Input::Network(Network::Online)
                | Input::Page(Page::Visible | Page::Resumed | Page::Restored)
        ) {
            self.is_brought_forward = true;
        }
        // Time may have jumped: the core may attribute that to a sleep.
        if let Input::Wake { wall } = input {
            let ahead = *wall - now;
            let has_jumped = ahead != mem::replace(&mut self.wall_ahead, ahead);
            self.is_brought_forward |= has_jumped || client.poll_deadline().is_none_or(|due| due != now);
        }
        match (input, &mut self.socket) {
            (Input::Opened { socket, .. }, Some((current, is_open))) if current == socket => *is_open = true,
            (Input::Dropped { socket, .. }, Some((current, _))) if current == socket => self.socket = None,
            _ => {}
        }
    }

    /// A message is delivered if and only if it arrived on the socket that is open.
    fn received(&self, socket: SocketId, is_delivered: bool) {
        assert_eq!(is_delivered, self.socket == Some((socket, true)), "a message of {socket:?}");
    }

    fn sent_now(&mut self, id: MessageId, has_priority: bool) {
        assert_eq!(self.socket.map(|(_, is_open)| is_open), Some(true), "sent on a socket that is not open");
        assert!(!self.is_closing, "sent after the application closed");
        assert!(self.is_opened, "sent before the on-open messages");
        self.accepted(id);
        if !has_priority {
            self.last_transmitted = id;
        }
    }

    fn queued(&mut self, id: MessageId) {
        self.accepted(id);
        self.waiting.insert(id);
    }

    fn accepted(&mut self, id: MessageId) {
        assert!(id > self.last_id, "ids ascend");
        self.last_id = id;
    }

    fn action(&mut self, now: Time, action: Action) {
        self.progress = true;
        match action {
            Action::Dial { socket, .. } => self.dial(now, socket),
            Action::Transmit { socket, id } => {
                self.must_be_open(socket, "Transmit");
                assert!(self.waiting.remove(&id), "{id:?} was not waiting");
                assert!(id > self.last_transmitted, "the order was not kept");
                self.last_transmitted = id;
            }
            Action::Ping { socket, .. } => self.must_be_open(socket, "Ping"),
            Action::Measure { socket } => self.must_be_open(socket, "Measure"),
            Action::Close { socket } => {
                self.must_be_open(socket, "Close");
                self.is_closing = true;
            }
            Action::Detach { socket } => {
                let (current, _) = self.socket.take().expect("the socket to detach from exists");
                assert_eq!(current, socket);
                self.is_closing = false;
            }
            Action::Decide { retry, .. } => {
                assert!(!self.is_undecided, "one decision at a time");
                assert!(retry.at.is_none_or(|at| at >= now), "planned for the past");
                self.is_undecided = true;
            }
            Action::Discarded { id, .. } => assert!(self.waiting.remove(&id), "{id:?} was not waiting"),
            Action::Dropped { retry, .. } => {
                assert!(retry.attempt >= 1);
                assert!(retry.at.is_none_or(|at| at >= now), "announced for the past");
                self.announced = retry.at;
                // An input before the decision is the one that brings it forward.
                self.is_brought_forward = mem::take(&mut self.is_undecided);
            }
            Action::Closed { .. } => {
                self.is_closing = false;
                self.is_undecided = false;
                self.announced = None;
            }
            Action::Opened { .. } => self.is_opened = true,
            Action::Latency(_) => {}
        }
    }

    fn dial(&mut self, now: Time, socket: SocketId) {
        assert_eq!(self.socket, None, "two sockets at once");
        if let Some(announced) = self.announced
            && !self.is_brought_forward
        {
            assert!(now >= announced, "an attempt before its time");
        }
        if let Some(last) = self.last_dial {
            assert!(now >= last + self.floor, "an attempt sooner after the last than the floor");
        }
        self.last_dial = Some(now);
        self.announced = None;
        self.is_brought_forward = false;
        self.is_closing = false;
        self.is_opened = false;
        self.socket = Some((socket, false));
    }

    fn must_be_open(&self, socket: SocketId, what: &str) {
        assert_eq!(self.socket, Some((socket, true)), "{what} for a socket that is not open");
        assert!(!self.is_closing, "{what} after the application closed");
    }

    /// Checks, after all actions, that the state which the core reports agrees with them.
    fn at_rest(&mut self, client: &Connection) {
        let phase = client.phase();
        assert_eq!(phase.socket(), self.socket.map(|(socket, _)| socket), "the core and the driver disagree");
        assert_eq!(client.outbox().len(), self.waiting.len(), "a message vanished");
        let is_over = matches!(phase, Phase::Closed);
        assert!(!is_over || client.outbox().is_empty());
        if phase.is_open() && client.is_ready() {
            assert!(client.outbox().is_empty(), "messages wait though the socket takes more");
        }
    }

    /// Checks that a timer that fired is not due again at once, or at least had an effect, and does not keep having one.
    fn after_wake(&mut self, now: Time, client: &Connection) {
        let is_due = client.poll_deadline().is_some_and(|due| due <= now);
        assert!(!is_due || self.progress, "due again at once, to no effect, in {:?}", client.phase());
        let (at, times) = self.spins;
        self.spins = (now, if is_due && at == now { times + 1 } else { 0 });
        let is_at_the_end_of_time = now == now + Time::from_secs(1);
        let limit = if is_at_the_end_of_time || !self.is_sane { u32::MAX } else { 3 };
        assert!(self.spins.1 <= limit, "due again and again in {:?}", client.phase());
    }

    fn nothing_is_left(&self, client: &Connection) {
        assert!(self.waiting.is_empty() && client.outbox().is_empty() && client.is_flushed());
    }
}
