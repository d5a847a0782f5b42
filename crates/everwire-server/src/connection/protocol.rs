use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use everwire_core::ping::{Answer, Ping};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message as WireMessage};

use super::decoder::Progress;
use super::ending::Ending;
use super::environment::Environment;
use super::frames::Frames;
use super::handler::{Closed, Handler};
use super::interceptor::{EncodedMessage, Interceptor};
use super::outbound::{End, OutboundQueue, Pieces, Taken};
use super::transport::Written;
use crate::deadline::GRACE;
use crate::limits::RateLimiter;
use crate::message::Message;
use crate::metrics::DropReason;

/// Messages received in one go before what they cause is written.
const AT_ONCE: u64 = 128;
/// Bytes of answers after which receiving stops, to write them first.
const ANSWERS_AT_ONCE: usize = 256 << 10;
/// An alarm that is as good as never.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// What is said on a connection, without the bytes of it: what each message leads to, what goes out next, and when
/// enough is enough.
pub(crate) struct ProtocolHandler {
    pub(super) outbound: Arc<OutboundQueue>,
    handler: Box<dyn Handler>,
    pub(super) environment: Arc<Environment>,
    interceptor: Option<Box<dyn Interceptor>>,
    rate_limiter: RateLimiter,
    /// When the last message went in either direction.
    active: Instant,
    /// Since when the peer has not taken what is being written.
    stalled: Option<Instant>,
    /// Since when a message arrives that is not complete yet.
    unfinished: Option<Instant>,
    progress: Progress,
    /// Since when the peer looks late. It has [`GRACE`] from here, in which what it did in time is found out.
    late: Option<Instant>,
}

/// Messages that arrived together.
#[derive(Default)]
struct InboundBatch {
    at: Option<Instant>,
    messages: u64,
    bytes: u64,
    ending: Option<Ending>,
}

impl ProtocolHandler {
    pub(crate) fn new(
        environment: Arc<Environment>,
        handler: Box<dyn Handler>,
        outbound: Arc<OutboundQueue>,
        interceptor: Option<Box<dyn Interceptor>>,
    ) -> Self {
        let now = Instant::now();
        let rate_limiter = RateLimiter::new(environment.limits.messages_per_second, now);
        Self {
            outbound,
            handler,
            environment,
            interceptor,
            rate_limiter,
            active: now,
            stalled: None,
            unfinished: None,
            progress: Progress::Nothing,
            late: None,
        }
    }

    /// Whether messages can be received now. Where they cannot, `waker` is woken as soon as they can.
    pub(super) fn is_ready(&mut self, waker: &Waker) -> bool {
        let is_ready = self.handler.poll_ready(&mut Context::from_waker(waker)).is_ready();
        if !is_ready {
            // What the peer says meanwhile is not read, so that it is not idle.
            self.active = Instant::now();
            self.unfinished = self.unfinished.map(|_| self.active);
        }
        is_ready
    }

    /// Receives from `next` what has arrived, up to a measure, by calling it with what takes a message.
    pub(super) fn receive<T>(
        &mut self,
        next: impl FnOnce(&mut dyn FnMut(Result<WireMessage, Error>) -> ControlFlow<()>) -> T,
    ) -> (T, Option<Ending>) {
        let mut batch = InboundBatch::default();
        let result = next(&mut |message| self.take_in(message, &mut batch));
        if batch.messages > 0 {
            // Whatever is in the middle now began after the last of these.
            self.unfinished = batch.at;
            self.handler.on_batch_end();
            self.environment.metrics.record_received(batch.messages, batch.bytes);
        }
        (result, batch.ending)
    }

    /// What there is of the next message after all that was received.
    pub(super) fn has_received(&mut self, progress: Progress) {
        self.progress = progress;
        let since = || self.unfinished.unwrap_or_else(Instant::now);
        self.unfinished = (progress != Progress::Nothing).then(since);
    }

    fn take_in(&mut self, message: Result<WireMessage, Error>, batch: &mut InboundBatch) -> ControlFlow<()> {
        batch.ending = match message {
            Err(error) => Some(Ending::from_error(error)),
            Ok(WireMessage::Close(_)) => Some(Ending::Gone),
            Ok(message) => {
                self.active = *batch.at.get_or_insert_with(|| {
                    self.outbound.attend();
                    Instant::now()
                });
                self.answer(message, batch)
            }
        };
        // An interceptor counts single messages in both directions, so that with one each is answered on its own.
        let is_enough = batch.ending.is_some()
            || batch.messages >= AT_ONCE
            || self.interceptor.is_some()
            || self.outbound.bytes() > ANSWERS_AT_ONCE;
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn answer(&mut self, message: WireMessage, batch: &mut InboundBatch) -> Option<Ending> {
        if !self.rate_limiter.allows(self.active) {
            let most = self.environment.limits.messages_per_second;
            let reason = format!("more than {most} messages a second");
            return Some(Ending::refused(1008, DropReason::TooManyMessages, reason));
        }
        // At once, behind what was asked before and before what is asked later, also between two fragments of a message
        // (RFC 6455 sections 5.4 and 5.5.2).
        let message = match message {
            WireMessage::Text(text) => Message::Text(text),
            WireMessage::Binary(bytes) => Message::Binary(bytes),
            WireMessage::Ping(payload) => {
                self.outbound.send_pong(&payload);
                return None;
            }
            _ => return None,
        };
        batch.messages += 1;
        batch.bytes += message.len() as u64;
        if let Some(interceptor) = &mut self.interceptor {
            interceptor.on_messages(1);
        }
        if self.environment.answers_pings
            && let Message::Text(text) = &message
            && let Some(Ping { number }) = Ping::parse(text)
        {
            let answer = Answer { number, server_time: Some(self.environment.clock.now_ms()) };
            self.outbound.send(&Message::text(answer.to_string()));
        } else {
            self.handler.on_message(message);
        }
        None
    }

    /// What to write next, or how to end. Neither means that there is nothing to write now.
    pub(super) fn next(&mut self, waker: &Waker) -> Result<Taken, Ending> {
        if let Some(ending) = self.intervention() {
            return Err(ending);
        }
        let mut taken = self.outbound.take(waker);
        if let Some(interceptor) = &mut self.interceptor {
            // What an interceptor holds back has not been read, like what waits in an outbound queue.
            if interceptor.held_bytes() > self.environment.limits.backlog_bytes {
                return Err(Ending::slow_reader());
            }
            let now = Instant::now();
            // A pong is no message.
            let frames = taken.pieces.into_iter().flat_map(Frames::split);
            let (control, messages): (Pieces, Pieces) = frames.partition(|frame| frame.messages() == 0);
            messages.into_iter().for_each(|message| interceptor.send(EncodedMessage(message), now));
            let next = interceptor.next(now).map(|EncodedMessage(frames)| frames);
            taken.pieces = control.into_iter().chain(next).collect();
        }
        if !taken.pieces.is_empty() {
            self.active = Instant::now();
            return Ok(taken);
        }
        match taken.end {
            Some(End::Drained) => Err(Ending::drained()),
            Some(End::Overflow) => Err(Ending::slow_reader()),
            Some(End::Close(code, reason, counted))
                if self.interceptor.as_ref().is_none_or(|interceptor| interceptor.deadline().is_none()) =>
            {
                Err(Ending::done(code, reason, counted))
            }
            _ => Ok(taken),
        }
    }

    /// This has been written.
    pub(super) fn wrote(&mut self, written: &Written) {
        if written.pieces == 0 {
            return;
        }
        self.stalled = None;
        written.count(&self.environment.metrics);
        self.handler.on_written(written.messages, written.payload);
        if let Some(interceptor) = self.interceptor.as_mut().filter(|_| written.messages > 0) {
            interceptor.on_messages(written.messages);
        }
    }

    /// The peer has taken everything that was to be written.
    pub(super) fn caught_up(&mut self) {
        self.stalled = None;
    }

    /// The peer does not take what is being written. Says whether to stop trying.
    pub(super) fn stalls(&mut self, waker: &Waker) -> Option<Ending> {
        self.stalled.get_or_insert_with(Instant::now);
        match self.outbound.ended(waker) {
            Some(End::Overflow) => Some(Ending::slow_reader()),
            Some(End::Drained) => Some(Ending::drained()),
            _ => None,
        }
    }

    /// The time of [`deadline`](Self::deadline) has come. Call it after an attempt to write and to read.
    pub(super) fn on_alarm(&mut self) -> Option<Ending> {
        let now = Instant::now();
        if self.handler.timer().is_some_and(|due| due <= now) {
            self.handler.on_timer();
        }
        let Some(ending) = self.lateness(now) else {
            self.late = None;
            return None;
        };
        let since = *self.late.get_or_insert(now);
        (now >= since + GRACE).then_some(ending)
    }

    /// How the connection ends if the peer does nothing more.
    fn lateness(&mut self, now: Instant) -> Option<Ending> {
        let limits = &self.environment.limits;
        self.active = self.outbound.direct_at().map_or(self.active, |at| at.max(self.active));
        if let Some(since) = self.stalled {
            let over = now.checked_duration_since(since + limits.write)?;
            if self.late.is_none() && over > GRACE {
                // The alarm itself came late, so this process stood still, and nothing could be taken from it.
                self.stalled = Some(now);
                return None;
            }
            return Some(Ending::slow_reader());
        }
        if let Some(since) = self.unfinished.filter(|_| !limits.message.is_zero())
            && let Some(over) = now.checked_duration_since(since + limits.message)
        {
            if self.late.is_none() && over > GRACE {
                self.unfinished = Some(now);
                return None;
            }
            if self.progress == Progress::WaitsForRoom {
                return Some(Ending::no_room());
            }
            let reason = format!("a message that is not complete after {} s", limits.message.as_secs_f64());
            return Some(Ending::refused(1008, DropReason::Unfinished, reason));
        }
        let is_idle = now >= self.active + limits.idle && self.progress != Progress::WaitsForRoom;
        if !limits.idle.is_zero() && is_idle {
            let reason = format!("no message for {} s", limits.idle.as_secs_f64());
            return Some(Ending::refused(1001, DropReason::Idle, reason));
        }
        None
    }

    /// When something happens without any message.
    pub(super) fn deadline(&self) -> Instant {
        let limits = &self.environment.limits;
        let verdict = match (self.late, self.stalled) {
            (Some(since), _) => since + GRACE,
            // What the peer says meanwhile is not read, so that it is not idle.
            (None, Some(since)) => since + limits.write,
            (None, None) => {
                let or_never = |limit: Duration| if limit.is_zero() { FAR } else { limit };
                let idle = self.active + or_never(limits.idle);
                self.unfinished.map_or(idle, |since| idle.min(since + or_never(limits.message)))
            }
        };
        // What is held back has to wait for the peer like everything else.
        let interceptor = self.interceptor.as_ref().filter(|_| self.stalled.is_none());
        let held_back = interceptor.and_then(|interceptor| interceptor.deadline());
        [self.handler.timer(), held_back].into_iter().flatten().fold(verdict, Instant::min)
    }

    /// The connection has ended.
    pub(super) fn on_close(&mut self, closed: &Closed) {
        self.handler.on_close(closed);
    }

    fn intervention(&self) -> Option<Ending> {
        self.interceptor.as_ref()?.intervention().map(Ending::from_intervention)
    }
}
