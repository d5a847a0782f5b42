//! What a socket, its handles and its platform share: the core, and what waits to be done and to be read.

use core::{
    task::{Poll, Waker},
    time::Duration,
};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use everwire_core::{Action, Connection, Input, MessageId, Payload as _, Refused, SendOptions, Sent, SocketId};

use crate::{
    Closed, Discarded, Dropped, Event, Message, Opened, Pong, SocketBuilder, State, Stats,
    builder::Greeting,
    heartbeat::Words,
    inbox::Inbox,
    payload::Payload,
    platform::{Platform, Pointer, Received},
};

/// For so long after it was read the clock may be taken for what it was when a message is sent: reading it takes a browser longer
/// than all the rest that a message needs.
const CLOCK_GOOD_FOR: Duration = Duration::from_secs(1);

/// The state of one socket, and the platform that acts for it.
///
/// The lock is never held while the platform acts: a call into JavaScript may come back into this module.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    words: Words,
    greeting: Option<Pointer<Greeting>>,
    pub(crate) platform: Platform,
}

struct Inner {
    connection: Connection<Payload>,
    inbox: Inbox,
    /// The messages that wait in the outbox, oldest first, where the application asked to be told when they leave.
    queued: Option<VecDeque<MessageId>>,
    /// The time that the core was told last.
    told: Duration,
    /// The latest message that the core has not heard of. Only its judgement of the link depends on it, so it is told when there is
    /// something else to tell.
    heard: Option<(SocketId, Duration)>,
    /// What the platform has to do, in order.
    actions: VecDeque<Action<Payload>>,
    /// Somebody is taking `actions` one by one; what is added meanwhile is theirs to do.
    is_acting: bool,
    reader: Option<Waker>,
    /// Who waits for room, for a flush, or for the end.
    writers: Vec<Waker>,
    progress: Progress,
    /// The progress has changed since the writers were last woken. Waking them for less would make a task that drives the
    /// connection while it waits, as a flush does, wake itself for ever.
    has_progressed: bool,
    counts: Counts,
    opened: Opened,
    /// How the connection ended last, until it is opened again.
    closed: Option<Closed>,
    next_attempt: u32,
}

/// What writers wait for.
#[derive(Default, Clone, Copy, PartialEq)]
struct Progress {
    is_ready: bool,
    is_flushed: bool,
    is_closing: bool,
    is_closed: bool,
}

#[derive(Default)]
struct Counts {
    opened: u64,
    dropped: u64,
    messages_out: u64,
    bytes_out: u64,
    messages_in: u64,
    bytes_in: u64,
}

impl Shared {
    pub(crate) fn new(builder: &SocketBuilder, platform: Platform) -> Self {
        let connection = Connection::new(builder.core_config(), platform.seed());
        let inner = Inner {
            connection,
            inbox: Inbox::new(builder.inbox.clone()),
            queued: builder.report_transmitted.then(VecDeque::new),
            told: Duration::ZERO,
            heard: None,
            actions: VecDeque::new(),
            is_acting: false,
            reader: None,
            writers: Vec::new(),
            progress: Progress::default(),
            has_progressed: false,
            counts: Counts::default(),
            opened: Opened::default(),
            closed: None,
            next_attempt: 1,
        };
        Self {
            inner: Mutex::new(inner),
            words: builder.heartbeat.words.clone(),
            greeting: builder.greeting.clone(),
            platform,
        }
    }

    /// Hands something to the core, and does what follows from it.
    pub(crate) fn handle(self: &Pointer<Self>, input: Input<Payload>) {
        self.drive(|connection, now| connection.handle(now, input));
    }

    /// Lets the core decide, and does what follows from it.
    pub(crate) fn drive<R>(self: &Pointer<Self>, decide: impl FnOnce(&mut Connection<Payload>, Duration) -> R) -> R {
        let mut inner = self.lock();
        let now = inner.catch_up(self.platform.now());
        let result = decide(&mut inner.connection, now);
        inner.sort_actions(now);
        inner.note_progress();
        self.act(inner);
        result
    }

    /// Sends a message: by the shortest way where nothing stands in it.
    pub(crate) fn send(self: &Pointer<Self>, message: Message, options: SendOptions) -> Result<Sent, Refused<Payload>> {
        let mut inner = self.lock();
        let Some((socket, id)) = inner.transmit_now(&self.platform, message.len(), options.ahead) else {
            let now = inner.catch_up(self.platform.now());
            let result = inner.connection.send(now, Payload::Ours(message), options);
            if let (Ok(Sent::Queued(id)), Some(queued)) = (&result, &mut inner.queued) {
                queued.push_back(*id);
            }
            inner.sort_actions(now);
            inner.note_progress();
            self.act(inner);
            return result;
        };
        inner.is_acting = true;
        drop(inner);
        self.platform.send(socket, message);
        let mut inner = self.lock();
        inner.is_acting = false;
        let now = inner.told;
        inner.sort_actions(now);
        inner.note_progress();
        self.act(inner);
        Ok(Sent::Transmitted(id))
    }

    /// A socket has opened; the platform tells its address, subprotocol and extensions. The greeting goes with the news.
    pub(crate) fn opened(self: &Pointer<Self>, socket: SocketId, url: String, protocol: String, extensions: String) {
        let opened = {
            let mut inner = self.lock();
            let (is_reconnect, failures) = (inner.counts.opened > 0, inner.connection.failures());
            inner.opened = Opened { url, protocol, extensions, is_reconnect, failures };
            inner.opened.clone()
        };
        let greeting = self.greeting.as_ref().map(|greeting| greeting(&opened)).unwrap_or_default();
        self.handle(Input::Opened { socket, greeting: greeting.into_iter().map(Payload::Ours).collect() });
    }

    /// A message has arrived: the answer to a ping, or one for the application, which goes straight to the inbox.
    pub(crate) fn received(self: &Pointer<Self>, socket: SocketId, received: Received, at: Duration) {
        let message = match self.words.read(received) {
            Ok(Pong { ping, server_time }) => return self.handle(Input::Pong { socket, ping, server_time }),
            Err(message) => message,
        };
        let mut inner = self.lock();
        if !inner.connection.listens_to(socket) {
            return;
        }
        inner.heard = Some((socket, at));
        inner.counts.messages_in += 1;
        inner.counts.bytes_in += message.size() as u64;
        inner.inbox.push(Event::Message(message));
        let reader = inner.reader.take();
        let is_awaited = inner.connection.awaits_answer();
        drop(inner);
        if is_awaited {
            self.drive(|_, _| {});
        }
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// A sign of life that is no message: a control frame or a part of a message.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn heard(self: &Pointer<Self>, socket: SocketId, at: Duration) {
        let mut inner = self.lock();
        if !inner.connection.listens_to(socket) {
            return;
        }
        inner.heard = Some((socket, at));
        if inner.connection.awaits_answer() {
            drop(inner);
            self.drive(|_, _| {});
        }
    }

    /// The next event, its message as `read` makes it; registers the reader where there is none. `None` where the connection is
    /// over and all was read.
    pub(crate) fn poll_event<T, E>(
        &self,
        waker: &Waker,
        read: impl FnOnce(Payload) -> Result<T, E>,
    ) -> Poll<Option<Result<Event<T>, E>>> {
        let mut inner = self.lock();
        if let Some(event) = inner.inbox.pop() {
            drop(inner);
            return Poll::Ready(Some(event.try_map(read)));
        }
        if inner.progress.is_closed {
            return Poll::Ready(None);
        }
        match &mut inner.reader {
            Some(reader) => reader.clone_from(waker),
            None => inner.reader = Some(waker.clone()),
        }
        Poll::Pending
    }

    /// What `look` finds; registers the waker where it finds nothing.
    pub(crate) fn poll_for<R>(&self, waker: &Waker, look: impl FnOnce(&Connection<Payload>) -> Option<R>) -> Poll<R> {
        let mut inner = self.lock();
        if let Some(found) = look(&inner.connection) {
            return Poll::Ready(found);
        }
        if !inner.writers.iter().any(|other| other.will_wake(waker)) {
            inner.writers.push(waker.clone());
        }
        Poll::Pending
    }

    pub(crate) fn state(&self) -> State {
        use everwire_core::State as Core;
        let inner = self.lock();
        match inner.connection.state() {
            Core::Idle | Core::Connecting { .. } => State::Connecting,
            Core::Open { .. } => State::Open,
            Core::Waiting { until } => State::Waiting {
                attempt: inner.next_attempt,
                retry_in: until.map(|until| until.saturating_sub(self.platform.now())),
            },
            Core::Closing { .. } => State::Closing,
            Core::Closed => State::Closed,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let inner = self.lock();
        let Counts { opened, dropped, messages_out, bytes_out, messages_in, bytes_in } = inner.counts;
        Stats {
            latency: inner.connection.latency().summary(),
            opened,
            dropped,
            messages_out,
            bytes_out,
            messages_in,
            bytes_in,
            queued_messages: inner.connection.outbox().len(),
            queued_bytes: inner.connection.outbox().bytes(),
            lagged: inner.inbox.lagged(),
        }
    }

    /// Looks at the core.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Connection<Payload>, Duration) -> R) -> R {
        let inner = self.lock();
        look(&inner.connection, self.platform.now())
    }

    /// What is known of the latest open connection.
    pub(crate) fn last_opened(&self) -> Opened {
        self.lock().opened.clone()
    }

    /// How the connection ended; `None` while it has not.
    pub(crate) fn closed(&self) -> Option<Closed> {
        self.lock().closed.clone()
    }

    /// Does what waits to be done, sets the alarm for what is due later, and wakes who waits.
    fn act<'a>(self: &'a Pointer<Self>, mut inner: MutexGuard<'a, Inner>) {
        if inner.is_acting {
            return;
        }
        inner.is_acting = true;
        while let Some(action) = inner.actions.pop_front() {
            drop(inner);
            let acting = Acting(self);
            self.perform(action);
            drop(acting);
            inner = self.lock();
        }
        inner.is_acting = false;
        self.platform.set_alarm(self, inner.connection.poll_deadline());
        let has_news = !inner.inbox.is_empty() || inner.progress.is_closed;
        let reader = if has_news { inner.reader.take() } else { None };
        let writers =
            if core::mem::take(&mut inner.has_progressed) { core::mem::take(&mut inner.writers) } else { Vec::new() };
        drop(inner);
        reader.into_iter().chain(writers).for_each(Waker::wake);
    }

    fn perform(self: &Pointer<Self>, action: Action<Payload>) {
        let platform = &self.platform;
        match action {
            Action::Dial { socket, failures } => platform.dial(self, socket, failures),
            Action::Transmit { socket, message } => platform.send(socket, message.into_message()),
            Action::Probe { socket, ping } => platform.send(socket, self.words.ask(ping)),
            Action::Measure { socket } => {
                let bytes = platform.buffered_amount();
                self.handle(Input::Buffered { socket, bytes });
            }
            Action::Close { socket, code, reason } => platform.close(socket, code, reason),
            Action::Abandon { .. } => platform.abandon(),
            // Events were parted from what the platform does.
            Action::Notify(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here is left half done by a panic that could only come from a caller's closure.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Releases the actions to the next caller if the application's code panics in this one.
struct Acting<'a>(&'a Shared);

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().is_acting = false;
        }
    }
}

impl Inner {
    /// Tells the core of what was heard, and takes note of the time.
    fn catch_up(&mut self, now: Duration) -> Duration {
        if let Some((socket, at)) = self.heard.take() {
            // A message knows its time by another clock, which may be coarser.
            self.connection.receive(at.max(self.told).min(now), socket);
        }
        self.told = now;
        now
    }

    /// Takes a message of `size` for sent where it may go to the socket at once, and nobody is acting who would be overtaken.
    fn transmit_now(&mut self, platform: &Platform, size: usize, ahead: bool) -> Option<(SocketId, MessageId)> {
        if self.is_acting || !self.actions.is_empty() {
            return None;
        }
        let socket = self.connection.socket()?;
        let now = self.recent_time(platform);
        let id = self.connection.transmit_now(now, size, ahead)?;
        self.counts.messages_out += 1;
        self.counts.bytes_out += size as u64;
        Some((socket, id))
    }

    /// The time, or the one that the core was told last while an alarm sees to it that it is not long ago.
    fn recent_time(&mut self, platform: &Platform) -> Duration {
        let alarm = self.connection.poll_deadline().unwrap_or(Duration::MAX);
        if alarm.saturating_sub(self.told) > CLOCK_GOOD_FOR {
            self.catch_up(platform.now());
        }
        self.told
    }

    /// Parts what the core asks for into what the application reads and what the platform does.
    fn sort_actions(&mut self, now: Duration) {
        while let Some(action) = self.connection.poll_action() {
            match action {
                Action::Notify(event) => self.notify(event, now),
                Action::Transmit { ref message, .. } => {
                    self.counts.messages_out += 1;
                    self.counts.bytes_out += message.size() as u64;
                    self.actions.push_back(action);
                }
                _ => self.actions.push_back(action),
            }
        }
        self.report_transmitted();
    }

    /// Reports the messages that have left the outbox. Those that were discarded are not among them any more.
    fn report_transmitted(&mut self) {
        let Some(queued) = &mut self.queued else { return };
        let oldest = self.connection.outbox().oldest();
        while let Some(id) = queued.pop_front_if(|id| oldest.is_none_or(|oldest| *id < oldest)) {
            self.inbox.push(Event::Transmitted(id));
        }
    }

    fn note_progress(&mut self) {
        let state = self.connection.state();
        let progress = Progress {
            is_ready: self.connection.is_ready(),
            is_flushed: self.connection.is_flushed(),
            is_closing: matches!(state, everwire_core::State::Closing { .. }),
            is_closed: state == everwire_core::State::Closed,
        };
        self.has_progressed |= progress != self.progress;
        self.progress = progress;
    }

    fn notify(&mut self, event: everwire_core::Event<Payload>, now: Duration) {
        use everwire_core::Event as Core;
        let event = match event {
            Core::Opened { .. } => {
                self.counts.opened += 1;
                self.closed = None;
                Event::Opened(self.opened.clone())
            }
            Core::Message(message) => {
                self.counts.messages_in += 1;
                self.counts.bytes_in += message.size() as u64;
                Event::Message(message)
            }
            Core::Latency(round_trip) => Event::Latency(round_trip),
            Core::Dropped { cause, at_risk, retry } => {
                self.counts.dropped += 1;
                self.next_attempt = retry.attempt;
                let retry_in = retry.at.map(|at| at.saturating_sub(now));
                Event::Dropped(Dropped { cause, at_risk, attempt: retry.attempt, retry_in })
            }
            Core::Discarded { id, message, reason } => {
                if let Some(queued) = &mut self.queued
                    && let Ok(index) = queued.binary_search(&id)
                {
                    queued.remove(index);
                }
                Event::Discarded(Discarded { id, message: message.into_message(), reason })
            }
            Core::Closed { ended, at_risk } => {
                let closed = Closed { ended, at_risk };
                self.closed = Some(closed.clone());
                Event::Closed(closed)
            }
            // The core's events are all known here; the enum is open for crates outside of this workspace.
            _ => return,
        };
        self.inbox.push(event);
    }
}
