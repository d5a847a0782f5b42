//! What a socket, its handles and its platform share: the core and the two queues.
//!
//! Data flows one way: the platform or the application → [`Shared`] → the core → its actions → the platform or the inbox.

use core::task::{Poll, Waker};
#[cfg(not(target_family = "wasm"))]
use std::sync::Weak;
use std::sync::{Mutex, MutexGuard, PoisonError};

use everwire_core::{
    Action, CloseCode, CloseReason, Connection, Delivery, HeartbeatMode, Input, MessageId, Phase, Refusal, SocketId,
    Time,
};

use crate::{
    BinaryType, Cause, Closed, Discarded, Dropped, Ended, Event, Message, OpenError, Opened, Pong, Received,
    ReconnectPolicy, SendError, SendOptions, Sent, SocketBuilder, State, Stats,
    builder::OnOpenMessages,
    heartbeat::PingMessages,
    payload::Payload,
    queue::{Callback, Consumer, Inbox, OutboundQueue},
    threads::{MaybeSend, MaybeSendSync, Pointer},
};

/// What acts for one socket: the WebSocket, the timer and the events of a browser or of a native program.
///
/// It reports by calling methods of [`Shared`]. Of its own methods only `start`, `dial` and `release` may do so: the others run while
/// [`Shared`] holds its lock, and would deadlock.
pub(crate) trait Platform: MaybeSendSync + Sized + 'static {
    fn new(builder: &SocketBuilder) -> Result<Self, OpenError>;

    /// Starts the event listeners and tasks that report on their own. They hold weak pointers, so that dropping the socket frees it.
    fn start(&self, shared: &Pointer<Shared<Self>>);

    /// The time since the platform was made, by a clock that never goes back.
    fn now(&self) -> Time;

    /// The wall clock since the Unix epoch, which runs on while the machine sleeps.
    fn wall(&self) -> Time;

    fn seed(&self) -> u64;

    /// Resolves the address and opens a WebSocket.
    fn dial(&self, shared: &Pointer<Shared<Self>>, socket: SocketId, failures: u32);

    /// Hands a message to the socket.
    fn send(&self, socket: SocketId, message: Message);

    /// Starts the closing handshake.
    fn close(&self, socket: SocketId, code: CloseCode, reason: CloseReason);

    /// Closes the current socket and detaches from it, so that it reports nothing more.
    fn detach(&self);

    fn buffered_amount(&self) -> u64;

    /// A timer that fires once. Dropping it ends it.
    type Timeout: MaybeSendSync;

    /// Calls `fire` after this time, unless the timer is dropped before.
    fn timeout(&self, after: Time, fire: impl FnOnce() + MaybeSend + 'static) -> Self::Timeout;

    /// Sets the timer to fire at the deadline, or a little before or after it.
    fn set_timer(&self, shared: &Pointer<Shared<Self>>, deadline: Option<Time>);

    /// Starts a task that delivers the waiting events to the callback.
    fn deliver_soon(&self, shared: &Pointer<Shared<Self>>);

    /// The function that writes the log record of an event, to be called without the lock; `None` for an event that is not logged.
    fn record<T>(&self, _event: &Event<T>) -> Option<impl FnOnce() + use<Self, T>> {
        None::<fn()>
    }

    /// Whether an attempt failed because the server chose none of the offered subprotocols, where the platform says so.
    fn is_missing_subprotocol(_cause: &Cause) -> bool {
        false
    }

    fn binary_type(&self) -> BinaryType;

    fn set_binary_type(&self, binary_type: BinaryType);

    /// Ends the connection and all that reports: the application has dropped its socket.
    fn release(&self, shared: &Pointer<Shared<Self>>);

    fn is_released(&self) -> bool;
}

/// The state of one socket, and the platform that acts for it.
///
/// The lock is held while a message is handed to the platform, which never calls back from there, so that no other thread can
/// overtake it. It is not held while the application's code runs: a provider of addresses, a reconnect policy, a custom heartbeat,
/// the function for on-open messages, a callback for events, a waker.
pub(crate) struct Shared<P> {
    inner: Mutex<Inner>,
    ping_messages: PingMessages,
    policy: ReconnectPolicy,
    on_open_messages: Option<Pointer<OnOpenMessages>>,
    pub(crate) platform: P,
}

struct Inner {
    connection: Connection,
    outbound: OutboundQueue,
    /// Whether an event reports each message that leaves the outbound queue for the platform.
    reports_transmitted: bool,
    inbox: Inbox,
    consumer: Consumer,
    /// Tasks that wait for room, for a flush, or for the end.
    writers: Vec<Waker>,
    /// The progress when the oldest of the writers registered. They are woken only when it changes: a task that drives the connection
    /// while it waits, as a flush does, would otherwise wake itself forever.
    progress_seen: Progress,
    /// A call is executing the core's actions. It releases the lock while the application's code runs, and another call that comes
    /// then leaves its actions to this one: two at once would execute them out of order.
    is_acting: bool,
    /// The deadline that the timer is set to.
    timer_at: Option<Time>,
    /// The socket that has just opened, until the core reports it.
    opening: Option<Opening>,
    /// The text of the latest drop: a close frame's reason, an error.
    drop_text: String,
    /// The code and reason with which the application closes the connection.
    close: (CloseCode, CloseReason),
    opened: Opened,
    /// How the connection ended last, until it is opened again.
    closed: Option<Closed>,
    next_attempt: u32,
}

struct Opening {
    socket: SocketId,
    opened: Opened,
    messages: Vec<Message>,
}

/// The conditions that writers wait for.
#[derive(Default, Clone, Copy, PartialEq)]
struct Progress {
    is_ready: bool,
    is_flushed: bool,
    is_closing: bool,
    is_over: bool,
}

/// Where an input comes from.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    /// The platform: the callback for events may run at once.
    Platform,
    /// A call by the application, which may hold a lock or a borrow that its callback needs, so that the callback runs later.
    Application,
}

impl<P: Platform> Shared<P> {
    pub(crate) fn new(builder: &SocketBuilder, platform: P) -> Self {
        let inner = Inner {
            connection: Connection::new(builder.core_config(), platform.seed()),
            outbound: OutboundQueue::default(),
            reports_transmitted: builder.report_transmitted,
            inbox: Inbox::new(builder.inbox.clone()),
            consumer: Consumer::Stream(None),
            writers: Vec::new(),
            progress_seen: Progress::default(),
            is_acting: false,
            timer_at: None,
            opening: None,
            drop_text: String::new(),
            close: (CloseCode::NORMAL, CloseReason::default()),
            opened: Opened::default(),
            closed: None,
            next_attempt: 1,
        };
        Self {
            inner: Mutex::new(inner),
            ping_messages: builder.heartbeat.messages.clone(),
            policy: builder.reconnect_policy.clone(),
            on_open_messages: builder.on_open_messages.clone(),
            platform,
        }
    }

    /// A strong pointer for the duration of one call into the core; `None` after the socket was dropped.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn alive(shared: &Weak<Self>) -> Option<Pointer<Self>> {
        shared.upgrade().filter(|shared| !shared.platform.is_released())
    }

    // Reports of the platform.

    /// Hands an input of the platform to the core, and executes its actions.
    pub(crate) fn handle(self: &Pointer<Self>, input: Input) {
        let mut inner = self.lock();
        inner.connection.handle(self.platform.now(), input);
        self.run(inner, Origin::Platform);
    }

    /// The timer has fired.
    pub(crate) fn timer_fired(self: &Pointer<Self>) {
        let mut inner = self.lock();
        inner.timer_at = None;
        // If nothing is due, the timer is not set again.
        self.platform.set_timer(self, None);
        drop(inner);
        self.handle(Input::Wake { wall: self.platform.wall() });
    }

    /// A socket has opened.
    pub(crate) fn opened(self: &Pointer<Self>, socket: SocketId, url: String, protocol: String, extensions: String) {
        let opened = {
            let inner = self.lock();
            let (is_reconnect, failures) = (inner.connection.traffic().opened > 0, inner.connection.failures());
            Opened { url, protocol, extensions, is_reconnect, failures, socket: socket.0 }
        };
        let messages = self.on_open_messages.as_ref().map(|messages| messages(&opened)).unwrap_or_default();
        let mut inner = self.lock();
        if inner.connection.phase().socket() != Some(socket) {
            return;
        }
        inner.opening = Some(Opening { socket, opened, messages });
        inner.connection.handle(self.platform.now(), Input::Opened { socket });
        self.run(inner, Origin::Platform);
    }

    /// A socket is gone, or an attempt failed.
    pub(crate) fn dropped(self: &Pointer<Self>, socket: SocketId, cause: Cause, buffered: u64) {
        let (cause, text) = cause.split();
        let mut inner = self.lock();
        if inner.connection.phase().socket() != Some(socket) {
            return;
        }
        inner.drop_text = text;
        inner.connection.handle(self.platform.now(), Input::Dropped { socket, cause, buffered });
        self.run(inner, Origin::Platform);
    }

    /// A message has arrived: the answer to a ping, or one for the application.
    pub(crate) fn received(self: &Pointer<Self>, socket: SocketId, received: Received, at: Time) {
        let message = match self.ping_messages.parse(received) {
            Ok(Pong { ping, server_time }) => return self.handle(Input::Pong { socket, ping, server_time }),
            Err(message) => message,
        };
        let mut inner = self.lock();
        if inner.connection.receive(at, socket, message.size()) == Delivery::Deliver {
            inner.inbox.push(Event::Message(message));
            self.run(inner, Origin::Platform);
        }
    }

    /// A sign of life other than a whole message: a control frame or a fragment.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn activity(self: &Pointer<Self>, socket: SocketId, at: Time) {
        let mut inner = self.lock();
        inner.connection.activity(at, socket);
        self.run(inner, Origin::Platform);
    }

    // Calls of the application.

    /// Hands an input of the application to the core, and executes its actions.
    pub(crate) fn request(self: &Pointer<Self>, input: Input) {
        let mut inner = self.lock();
        inner.connection.handle(self.platform.now(), input);
        self.run(inner, Origin::Application);
    }

    /// Starts to close the connection, unless it is closing already.
    pub(crate) fn close(self: &Pointer<Self>, code: CloseCode, reason: CloseReason) {
        let mut inner = self.lock();
        if !matches!(inner.connection.phase(), Phase::Closing { .. } | Phase::Closed) {
            inner.close = (code, reason);
        }
        inner.connection.handle(self.platform.now(), Input::Close);
        self.run(inner, Origin::Application);
    }

    /// Sends a message, or queues it.
    pub(crate) fn send(self: &Pointer<Self>, message: Message, options: SendOptions) -> Result<Sent, SendError> {
        let mut inner = self.lock();
        let size = message.len();
        if let Some(id) = inner.connection.send_now(size, options.priority) {
            if let Some(socket) = inner.connection.phase().socket() {
                self.platform.send(socket, message);
            }
            self.run(inner, Origin::Application);
            return Ok(Sent::Transmitted(id));
        }
        let queue_options = inner.outbound.queue_options(&options);
        let result = match inner.connection.enqueue(self.platform.now(), size, queue_options) {
            Ok(id) => {
                inner.outbound.insert(id, message, options.key);
                Ok(Sent::Queued(id))
            }
            Err(Refusal::Full) => Err(SendError::Full(message)),
            Err(_) => Err(SendError::Closed(message)),
        };
        self.run(inner, Origin::Application);
        result
    }

    // Calls of a protocol on top of the socket. They name the socket that they mean, because another may have opened meanwhile.

    /// Sends a message on this socket if it is open, ahead of the outbox. It is never queued.
    pub(crate) fn send_on(self: &Pointer<Self>, socket: SocketId, message: Message) {
        let mut inner = self.lock();
        if inner.connection.phase().socket() == Some(socket) && inner.connection.send_now(message.len(), true).is_some()
        {
            self.platform.send(socket, message);
        }
        self.run(inner, Origin::Application);
    }

    /// Sends a close frame on this socket. The core treats the server's answer as a close by the server, and decides whether to retry.
    pub(crate) fn close_on(&self, socket: SocketId, code: CloseCode, reason: CloseReason) {
        let inner = self.lock();
        if inner.connection.phase().socket() == Some(socket) {
            self.platform.close(socket, code, reason);
        }
    }

    /// Replaces the heartbeat.
    pub(crate) fn set_heartbeat(self: &Pointer<Self>, heartbeat: HeartbeatMode) {
        let mut inner = self.lock();
        inner.connection.set_heartbeat(heartbeat);
        self.run(inner, Origin::Application);
    }

    /// Makes no attempt before this time has passed.
    pub(crate) fn delay_attempts(&self, delay: Time) {
        self.lock().connection.delay_attempts(self.platform.now(), delay);
    }

    /// Hands every event to a callback from now on.
    pub(crate) fn set_callback(self: &Pointer<Self>, callback: Callback) {
        let mut inner = self.lock();
        let before = inner.consumer.replace(callback);
        self.run(inner, Origin::Application);
        drop(before);
    }

    /// Stops reading: the application has dropped its socket.
    pub(crate) fn stop_reading(&self) {
        let before = core::mem::replace(&mut self.lock().consumer, Consumer::Gone);
        drop(before);
    }

    /// The next event, with its message converted by `read`; registers the waker if there is none. `None` if the connection is over and
    /// everything was read, and if a callback reads.
    pub(crate) fn poll_event<T, E>(
        &self,
        waker: &Waker,
        read: impl FnOnce(Payload) -> Result<T, E>,
    ) -> Poll<Option<Result<Event<T>, E>>> {
        let mut inner = self.lock();
        let is_over = inner.is_over();
        let Inner { inbox, consumer: Consumer::Stream(reader), .. } = &mut *inner else { return Poll::Ready(None) };
        if let Some(event) = inbox.pop() {
            drop(inner);
            return Poll::Ready(Some(event.try_map(read)));
        }
        if is_over {
            return Poll::Ready(None);
        }
        match reader {
            Some(reader) => reader.clone_from(waker),
            None => *reader = Some(waker.clone()),
        }
        Poll::Pending
    }

    /// What `find` returns; registers the waker if that is nothing.
    pub(crate) fn poll_for<R>(&self, waker: &Waker, find: impl FnOnce(&Connection) -> Option<R>) -> Poll<R> {
        let mut inner = self.lock();
        match find(&inner.connection) {
            Some(found) => Poll::Ready(found),
            None => inner.register_writer(waker),
        }
    }

    /// How the connection ended; registers the waker if it has not.
    pub(crate) fn poll_closed(&self, waker: &Waker) -> Poll<Closed> {
        let mut inner = self.lock();
        match inner.closed.clone().filter(|_| inner.is_over()) {
            Some(closed) => Poll::Ready(closed),
            None => inner.register_writer(waker),
        }
    }

    pub(crate) fn state(&self) -> State {
        let inner = self.lock();
        match inner.connection.phase() {
            Phase::Idle | Phase::Connecting { .. } => State::Connecting,
            Phase::Open { .. } => State::Open,
            Phase::Waiting { until } => State::Waiting {
                attempt: inner.next_attempt,
                retry_in: until.map(|until| (until - self.platform.now()).into()),
            },
            Phase::Closing { .. } => State::Closing,
            Phase::Closed => State::Closed,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let inner = self.lock();
        let traffic = *inner.connection.traffic();
        Stats {
            latency: inner.connection.latency().summary(),
            opened: traffic.opened,
            dropped: traffic.dropped,
            messages_out: traffic.messages_out,
            bytes_out: traffic.bytes_out,
            messages_in: traffic.messages_in,
            bytes_in: traffic.bytes_in,
            queued_messages: inner.connection.outbox().len(),
            queued_bytes: inner.connection.outbox().bytes(),
            lagged: inner.inbox.lagged(),
        }
    }

    /// Reads from the core.
    pub(crate) fn inspect<R>(&self, inspect: impl FnOnce(&Connection, Time) -> R) -> R {
        let inner = self.lock();
        inspect(&inner.connection, self.platform.now())
    }

    /// The latest open connection.
    pub(crate) fn last_opened(&self) -> Opened {
        self.lock().opened.clone()
    }

    // Execution of the core's actions.

    /// Executes the core's actions, sets the timer, and delivers events. A call that is already doing so takes over the new actions.
    fn run<'a>(self: &'a Pointer<Self>, mut inner: MutexGuard<'a, Inner>, origin: Origin) {
        if inner.is_acting {
            return;
        }
        if inner.connection.has_actions() {
            inner = self.act(inner);
        }
        inner.set_timer(self);
        let writers = inner.writers_to_wake();
        let reader = inner.reader_to_wake();
        let has_events = !inner.inbox.is_empty();
        match origin {
            Origin::Platform if has_events => self.deliver(inner),
            Origin::Application if has_events && inner.consumer.plan_delivery() => {
                drop(inner);
                self.platform.deliver_soon(self);
            }
            _ => drop(inner),
        }
        reader.into_iter().chain(writers).for_each(Waker::wake);
    }

    fn act<'a>(self: &'a Pointer<Self>, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        inner.is_acting = true;
        while let Some(action) = inner.connection.poll_action() {
            match action {
                Action::Dial { socket, failures } => {
                    self.unlocked(inner, || self.platform.dial(self, socket, failures));
                    inner = self.lock();
                }
                Action::Ping { socket, ping } => {
                    let message = self.unlocked(inner, || self.ping_messages.make_ping(ping));
                    inner = self.lock();
                    self.platform.send(socket, message);
                }
                Action::Decide { cause, default, .. } => {
                    let cause = Cause::new(cause, &inner.drop_text);
                    let decision = self.unlocked(inner, || self.policy.amended(&cause, default));
                    inner = self.lock();
                    inner.connection.handle(self.platform.now(), Input::Decided(decision));
                }
                Action::Measure { socket } => {
                    let bytes = self.platform.buffered_amount();
                    inner.connection.handle(self.platform.now(), Input::Buffered { socket, bytes });
                }
                Action::Transmit { socket, id } => inner.transmit(&self.platform, socket, id),
                Action::Opened { socket, .. } => {
                    let event = inner.open(&self.platform, socket);
                    inner = self.publish(inner, event);
                }
                Action::Close { socket } => {
                    let (code, reason) = inner.close.clone();
                    self.platform.close(socket, code, reason);
                }
                Action::Detach { .. } => self.platform.detach(),
                report => {
                    let event = inner.report(report);
                    inner = self.publish(inner, event);
                }
            }
        }
        inner.is_acting = false;
        inner
    }

    /// Reports an event to the application and to its log.
    fn publish<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, event: Option<Event<Payload>>) -> MutexGuard<'a, Inner> {
        let Some(event) = event else { return inner };
        if let Some(write) = self.platform.record(&event) {
            inner.inbox.push(event);
            self.unlocked(inner, write);
            return self.lock();
        }
        inner.inbox.push(event);
        inner
    }

    /// Runs the application's code without the lock.
    fn unlocked<R>(&self, inner: MutexGuard<'_, Inner>, run: impl FnOnce() -> R) -> R {
        /// Leaves the remaining actions to the next call if the application's code panics.
        struct ResetOnPanic<'a, P: Platform>(&'a Shared<P>);

        impl<P: Platform> Drop for ResetOnPanic<'_, P> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.lock().is_acting = false;
                }
            }
        }

        drop(inner);
        let _reset = ResetOnPanic(self);
        run()
    }

    /// Delivers the waiting events to the callback. If it is running, the call that runs it goes on with them.
    pub(crate) fn deliver_pending(self: &Pointer<Self>) {
        let mut inner = self.lock();
        inner.consumer.delivery_began();
        self.deliver(inner);
    }

    fn deliver<'a>(self: &'a Pointer<Self>, mut inner: MutexGuard<'a, Inner>) {
        /// Puts the callback back, also if it panics.
        struct PutBackOnDrop<'a, P: Platform> {
            shared: &'a Shared<P>,
            callback: Option<(u64, Callback)>,
        }

        impl<P: Platform> Drop for PutBackOnDrop<'_, P> {
            fn drop(&mut self) {
                if let Some(callback) = self.callback.take() {
                    let unused = self.shared.lock().consumer.put_back(callback);
                    drop(unused);
                }
            }
        }

        while !inner.inbox.is_empty()
            && let Some(callback) = inner.consumer.take_callback()
        {
            let event = inner.inbox.pop();
            drop(inner);
            let mut running = PutBackOnDrop { shared: self, callback: Some(callback) };
            if let (Some(event), Some((_, callback))) = (event, &mut running.callback) {
                callback(event);
            }
            drop(running);
            inner = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic can only come from a caller's closure, which leaves nothing here half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hands a message that has waited to the platform.
    fn transmit(&mut self, platform: &impl Platform, socket: SocketId, id: MessageId) {
        if let Some(message) = self.outbound.take(id) {
            platform.send(socket, message);
            if self.reports_transmitted {
                self.inbox.push(Event::Transmitted(id));
            }
        }
    }

    /// The connection is open: on-open messages are sent before anything else.
    fn open(&mut self, platform: &impl Platform, socket: SocketId) -> Option<Event<Payload>> {
        let Opening { opened, messages, .. } = self.opening.take_if(|opening| opening.socket == socket)?;
        for message in messages {
            let size = message.len();
            platform.send(socket, message);
            self.connection.transmitted_on_open(size);
        }
        self.closed = None;
        self.opened = opened.clone();
        Some(Event::Opened(opened))
    }

    /// Converts a report of the core to an event.
    fn report(&mut self, action: Action) -> Option<Event<Payload>> {
        Some(match action {
            Action::Latency(round_trip) => Event::Latency(round_trip.into()),
            Action::Dropped { cause, at_risk, retry } => {
                self.next_attempt = retry.attempt;
                let cause = Cause::new(cause, &self.drop_text);
                let retry_in = retry.at.map(|at| (at - self.connection.now()).into());
                Event::Dropped(Dropped { cause, at_risk, attempt: retry.attempt, retry_in })
            }
            Action::Discarded { id, reason } => {
                let message = self.outbound.take(id)?;
                Event::Discarded(Discarded { id, message, reason })
            }
            Action::Closed { outcome, at_risk } => {
                let ended = Ended::new(outcome, &self.drop_text, self.close.clone());
                let closed = Closed { ended, at_risk };
                self.closed = Some(closed.clone());
                Event::Closed(closed)
            }
            _ => return None,
        })
    }

    /// Whether no event follows until the application reconnects.
    fn is_over(&self) -> bool {
        self.connection.phase() == Phase::Closed && !self.connection.has_actions()
    }

    /// Sets the timer to the next deadline. A timer that fires early does no harm, and the heartbeat's deadline moves with every
    /// message: leaving an earlier timer in place saves setting one each time.
    fn set_timer<P: Platform>(&mut self, shared: &Pointer<Shared<P>>) {
        match (self.connection.poll_deadline(), self.timer_at) {
            (Some(deadline), Some(at)) if at <= deadline => {}
            (None, None) => {}
            (deadline, _) => {
                self.timer_at = deadline;
                shared.platform.set_timer(shared, deadline);
            }
        }
    }

    fn register_writer<R>(&mut self, waker: &Waker) -> Poll<R> {
        if self.writers.is_empty() {
            self.progress_seen = self.progress();
        }
        if !self.writers.iter().any(|other| other.will_wake(waker)) {
            self.writers.push(waker.clone());
        }
        Poll::Pending
    }

    fn writers_to_wake(&mut self) -> Vec<Waker> {
        if self.writers.is_empty() || self.progress() == self.progress_seen {
            return Vec::new();
        }
        core::mem::take(&mut self.writers)
    }

    fn reader_to_wake(&mut self) -> Option<Waker> {
        let has_events = !self.inbox.is_empty() || self.is_over();
        match &mut self.consumer {
            Consumer::Stream(reader) if has_events => reader.take(),
            _ => None,
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            is_ready: self.connection.is_ready(),
            is_flushed: self.connection.is_flushed(),
            is_closing: matches!(self.connection.phase(), Phase::Closing { .. }),
            is_over: self.is_over(),
        }
    }
}
