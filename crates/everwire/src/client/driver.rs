//! Connects the state of a client to its socket.

use core::{fmt, mem};
use std::sync::{Mutex, MutexGuard, PoisonError};

use everwire_core::{
    CloseCode, CloseReason, HeartbeatMode, Input, PingSchedule, SocketId, Time,
    protocol::ErrorCode,
    session::{ClientInput, Negotiated},
};

use super::{
    core::{Core, Effects},
    events::{ClientError, ClientEvent, OnEvent},
    negotiation::Negotiation,
};
use crate::{
    Cause, Closed, CurrentPlatform, Ended, Event, Message,
    payload::Payload,
    shared::{Platform, Shared},
    threads::Pointer,
};

/// The close code that platforms report where there was no close frame.
const NO_CLOSE_FRAME: u16 = 1006;

/// The shortest heartbeat that a server or the application may set.
const MIN_HEARTBEAT: Time = Time::from_secs(1);

/// The state of a client, its socket and its timer.
///
/// The lock is held while lines are handed to the socket, which never calls back from there. It is not held while the application's
/// code runs: wakers, the callback for events, and what a new attempt calls.
pub(super) struct Driver {
    inner: Mutex<Inner>,
    pub(super) shared: Pointer<Shared<CurrentPlatform>>,
    negotiation: Pointer<Negotiation>,
    ping_every: Option<Time>,
    on_event: Option<Pointer<OnEvent>>,
}

struct Inner {
    core: Core,
    timer: Option<(Time, <CurrentPlatform as Platform>::Timeout)>,
    /// Received messages are copied into it, on platforms that do not lend their buffer.
    buffer: Vec<u8>,
}

impl Driver {
    pub(super) fn new(
        core: Core,
        shared: Pointer<Shared<CurrentPlatform>>,
        negotiation: Pointer<Negotiation>,
        ping_every: Option<Time>,
        on_event: Option<Pointer<OnEvent>>,
    ) -> Self {
        let inner = Inner { core, timer: None, buffer: Vec::new() };
        Self { inner: Mutex::new(inner), shared, negotiation, ping_every, on_event }
    }

    /// Changes the state, and executes the effects.
    pub(super) fn run<R>(self: &Pointer<Self>, change: impl FnOnce(&mut Core, Time) -> R) -> R {
        let mut inner = self.lock();
        let result = change(&mut inner.core, self.shared.platform.now());
        self.finish(inner);
        result
    }

    /// Reads or changes the state where that has no effects.
    pub(super) fn inspect<R>(&self, inspect: impl FnOnce(&mut Core) -> R) -> R {
        inspect(&mut self.lock().core)
    }

    /// Handles an event of the socket.
    pub(super) fn handle(self: &Pointer<Self>, event: Event<Payload>) {
        match event {
            Event::Opened(opened) => match self.negotiation.opened(&opened.protocol) {
                Negotiated::Accepted => {
                    let credentials = self.negotiation.credentials();
                    self.run(|core, now| core.connected(now, SocketId(opened.socket), credentials));
                }
                Negotiated::TryAgain => self.shared.request(Input::Reconnect),
                Negotiated::Refused => self.not_everwire(),
            },
            Event::Message(payload) => {
                let mut inner = self.lock();
                let mut buffer = mem::take(&mut inner.buffer);
                inner.core.received(self.shared.platform.now(), payload.as_ref(&mut buffer));
                inner.buffer = buffer;
                self.finish(inner);
            }
            Event::Dropped(dropped) => {
                let code = close_code(&dropped.cause);
                self.run(|core, now| {
                    core.disconnected(now, code);
                    if !core.is_over() {
                        core.effects.events.push(ClientEvent::Dropped(dropped.clone()));
                    }
                });
                let is_certain = CurrentPlatform::is_missing_subprotocol(&dropped.cause);
                if is_failure(&dropped.cause) && self.negotiation.failed(is_certain) {
                    self.not_everwire();
                }
            }
            Event::Closed(Closed { ended, .. }) => {
                let code = match &ended {
                    Ended::Final(cause) | Ended::Exhausted(cause) => close_code(cause),
                    Ended::ByApplication { code, .. } => *code,
                };
                self.run(|core, now| {
                    core.disconnected(now, code);
                    if !core.is_over() {
                        core.end(ClientError::Connection(ended), ErrorCode::Unavailable);
                    }
                });
            }
            Event::Latency(round_trip) => {
                self.run(|core, _| core.effects.events.push(ClientEvent::Latency(round_trip)));
            }
            Event::Discarded(_) | Event::Transmitted(_) | Event::Lagged { .. } => {}
        }
    }

    fn not_everwire(self: &Pointer<Self>) {
        self.run(|core, _| core.end(ClientError::NotEverwire, ErrorCode::Unavailable));
    }

    /// Sends the lines, sets the timer, releases the lock, and executes the effects.
    fn finish(self: &Pointer<Self>, mut inner: MutexGuard<'_, Inner>) {
        let core = &mut inner.core;
        // Without a socket, the lines belong to a connection that is gone.
        while let Some(message) = core.writer.pop() {
            if let Some(socket) = core.socket {
                self.shared.send_on(socket, message.into());
            }
        }
        let socket = core.socket;
        let effects = core.take_effects();
        self.set_timer(&mut inner);
        drop(inner);
        self.apply(socket, effects);
    }

    fn set_timer(self: &Pointer<Self>, inner: &mut Inner) {
        let Some(deadline) = inner.core.deadline() else { return };
        // A timer that fires early does no harm.
        if inner.timer.as_ref().is_some_and(|(at, _)| *at <= deadline) {
            return;
        }
        let driver = Pointer::downgrade(self);
        let timeout = self.shared.platform.timeout(deadline - self.shared.platform.now(), move || {
            if let Some(driver) = driver.upgrade() {
                let before = driver.lock().timer.take();
                driver.run(|core, now| core.handle(now, ClientInput::Wake));
                drop(before);
            }
        });
        inner.timer = Some((deadline, timeout));
    }

    fn apply(&self, socket: Option<SocketId>, effects: Effects) {
        let Effects { wakers, events, pong, heartbeat, retry_after, fault, reconnect, close } = effects;
        if let (Some((number, time)), Some(socket)) = (pong, socket) {
            let (ping, server_time) = (Some(number), Some(time as f64));
            self.shared.handle(Input::Pong { socket, ping, server_time });
        }
        if let Some(interval) = heartbeat {
            let interval = self.ping_every.map_or(interval, |own| own.min(interval)).max(MIN_HEARTBEAT);
            let schedule = PingSchedule::default().after_silence(interval).sample_every(interval);
            self.shared.set_heartbeat(HeartbeatMode::Ping(schedule));
        }
        if let Some(delay) = retry_after {
            self.shared.delay_attempts(delay);
        }
        if let (Some(code), Some(socket)) = (fault, socket) {
            let close_code = code.close_code().and_then(|code| CloseCode::new(code).ok()).unwrap_or(CloseCode::NORMAL);
            self.shared.close_on(socket, close_code, CloseReason::default());
        }
        if reconnect {
            self.shared.request(Input::Reconnect);
        }
        if close {
            self.shared.close(CloseCode::NORMAL, CloseReason::default());
        }
        if let Some(on_event) = &self.on_event {
            events.iter().for_each(|event| on_event(event));
        }
        wakers.into_iter().for_each(core::task::Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic leaves nothing here half done: the application's code runs without the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn close_code(cause: &Cause) -> u16 {
    if let Cause::Closed { code, .. } = cause { *code } else { NO_CLOSE_FRAME }
}

/// Whether the socket never opened, or was gone without a close frame.
fn is_failure(cause: &Cause) -> bool {
    matches!(cause, Cause::Closed { code: NO_CLOSE_FRAME, .. })
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl From<everwire_core::protocol::Message> for Message {
    fn from(message: everwire_core::protocol::Message) -> Self {
        match message {
            everwire_core::protocol::Message::Text(text) => Self::Text(text),
            everwire_core::protocol::Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}
