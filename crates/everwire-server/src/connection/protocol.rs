//! The protocol of one connection without its I/O: what to write next, which limits apply, and when and how to close.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use everwire_core::ping::{Answer, Ping};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::CancellationToken;

use super::decoder::Progress;
use super::frames::{Frames, Pieces};
use super::handler::{Closed, EncodedMessage, Handler, Interceptor, Intervention};
use super::outbound::{OutboundQueue, QueueContent, QueueEnd};
use super::transport::Written;
use crate::limits::{ConnectionLimits, RateLimiter};
use crate::message::{Message, Utf8Bytes};
use crate::metrics::{DropReason, EndpointMetrics};
use crate::time::{Clock, GRACE};

/// The greatest number of messages in a batch. Their answers are written before the next batch.
const MAX_BATCH_MESSAGES: u64 = 128;
/// A batch ends when this many bytes of answers wait to be written.
const MAX_BATCH_ANSWER_BYTES: usize = 256 << 10;
/// The time to a deadline that never comes.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365);

/// The protocol of one connection without its I/O: handles messages, answers pings, keeps limits and time limits, and decides
/// what is written next and when the connection closes.
pub(crate) struct ProtocolHandler {
    pub(super) outbound: Arc<OutboundQueue>,
    handler: Box<dyn Handler>,
    pub(super) environment: Arc<Environment>,
    interceptor: Option<Box<dyn Interceptor>>,
    rate_limiter: RateLimiter,
    /// The time of the last message in either direction.
    last_activity: Instant,
    /// Set while writes are blocked.
    blocked_since: Option<Instant>,
    /// The start of the incomplete message that is arriving.
    incomplete_since: Option<Instant>,
    progress: Progress,
    /// The time at which a deadline of the peer was found to have passed. It gets [`GRACE`] from there, in which data that arrived in
    /// time is still read.
    late_since: Option<Instant>,
}

/// What the connections of one endpoint share.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) limits: ConnectionLimits,
    pub(crate) metrics: Arc<EndpointMetrics>,
    pub(crate) clock: Clock,
    /// Cancelled when the server starts to stop.
    pub(crate) stopping: CancellationToken,
    /// Whether a message `{"ping":ID}` is answered here instead of reaching the handler.
    pub(crate) answers_pings: bool,
}

/// The messages of one read.
#[derive(Default)]
pub(super) struct InboundBatch {
    received_at: Option<Instant>,
    messages: u64,
    bytes: u64,
    action: Option<CloseAction>,
}

/// How the server closes a connection.
#[derive(Debug)]
pub(crate) enum CloseAction {
    /// The peer has closed or lost the connection. Answers its close frame, if it sent one.
    PeerGone,
    /// Closes with a code and a reason.
    Close {
        code: u16,
        reason: Cow<'static, str>,
        /// The drop reason to count; `None` if the handler was done.
        counted: Option<DropReason>,
        /// Whether more bytes may arrive that cannot be decoded as frames.
        is_undecodable: bool,
    },
    /// An interceptor cuts TCP without a close frame.
    Cut,
    /// An interceptor keeps TCP open, and reads and writes nothing.
    HalfOpen,
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
            last_activity: now,
            blocked_since: None,
            incomplete_since: None,
            progress: Progress::Nothing,
            late_since: None,
        }
    }

    /// Whether the handler takes messages now. Otherwise `waker` is woken once it does.
    pub(super) fn is_ready(&mut self, waker: &Waker) -> bool {
        let is_ready = self.handler.poll_ready(&mut Context::from_waker(waker)).is_ready();
        if !is_ready {
            // The peer is not idle: it may be sending what is not read meanwhile.
            self.last_activity = Instant::now();
            self.incomplete_since = self.incomplete_since.map(|_| self.last_activity);
        }
        is_ready
    }

    /// Handles a message or the error that ends the stream. Breaks when the batch is complete.
    pub(super) fn on_message(
        &mut self,
        message: Result<tungstenite::Message, Error>,
        batch: &mut InboundBatch,
    ) -> ControlFlow<()> {
        batch.action = match message {
            Err(error) => Some(CloseAction::from_error(error)),
            Ok(tungstenite::Message::Close(_)) => Some(CloseAction::PeerGone),
            Ok(message) => {
                self.last_activity = *batch.received_at.get_or_insert_with(|| {
                    self.outbound.suppress_wake();
                    Instant::now()
                });
                self.handle(message, batch)
            }
        };
        let is_complete = batch.action.is_some()
            || batch.messages >= MAX_BATCH_MESSAGES
            // Interceptors count single messages in both directions, so that each is answered on its own.
            || self.interceptor.is_some()
            || self.outbound.bytes() > MAX_BATCH_ANSWER_BYTES;
        if is_complete { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Ends a batch after a read, which left `progress` of the next message. Returns how the connection has to be closed, if it has.
    pub(super) fn end_batch(&mut self, batch: InboundBatch, progress: Progress) -> Option<CloseAction> {
        if batch.messages > 0 {
            // An incomplete message began after the last complete one.
            self.incomplete_since = batch.received_at;
            self.handler.on_batch_end();
            self.environment.metrics.record_received(batch.messages, batch.bytes);
        }
        self.progress = progress;
        let since = || self.incomplete_since.unwrap_or_else(Instant::now);
        self.incomplete_since = (progress != Progress::Nothing).then(since);
        batch.action
    }

    fn handle(&mut self, message: tungstenite::Message, batch: &mut InboundBatch) -> Option<CloseAction> {
        if !self.rate_limiter.allows(self.last_activity) {
            let limit = self.environment.limits.messages_per_second;
            let reason = format!("more than {limit} messages per second");
            return Some(CloseAction::drop_connection(1008, DropReason::TooManyMessages, reason));
        }
        let message = match message {
            tungstenite::Message::Text(text) => Message::Text(text),
            tungstenite::Message::Binary(bytes) => Message::Binary(bytes),
            tungstenite::Message::Ping(payload) => {
                // Pongs keep their place among the answers, also between two fragments of a message (RFC 6455 sections 5.4 and 5.5.2).
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

    /// Takes the frames to write next, which are none if the queue is empty. An error says how the connection has to be closed.
    pub(super) fn next_frames(&mut self, waker: &Waker) -> Result<QueueContent, CloseAction> {
        if let Some(action) = self.intervention() {
            return Err(action);
        }
        let mut taken = self.outbound.take(waker);
        if let Some(interceptor) = &mut self.interceptor {
            // Messages that an interceptor delays count as the client's backlog.
            if interceptor.held_bytes() > self.environment.limits.backlog_bytes {
                return Err(CloseAction::slow_reader());
            }
            let now = Instant::now();
            // Control frames pass by the interceptor.
            let frames = taken.pieces.into_iter().flat_map(Frames::split);
            let (control, messages): (Pieces, Pieces) = frames.partition(|frame| frame.messages() == 0);
            messages.into_iter().for_each(|message| interceptor.send(EncodedMessage(message), now));
            let next = interceptor.next(now).map(|EncodedMessage(frames)| frames);
            taken.pieces = control.into_iter().chain(next).collect();
        }
        if !taken.pieces.is_empty() {
            self.last_activity = Instant::now();
            return Ok(taken);
        }
        match taken.end {
            Some(QueueEnd::Drained) => Err(CloseAction::drained()),
            Some(QueueEnd::Overflow) => Err(CloseAction::slow_reader()),
            // The messages that an interceptor still delays are written first.
            Some(QueueEnd::Close(code, reason, counted))
                if self.interceptor.as_ref().is_none_or(|interceptor| interceptor.deadline().is_none()) =>
            {
                Err(CloseAction::by_handler(code, reason, counted))
            }
            _ => Ok(taken),
        }
    }

    /// Reports what has been written.
    pub(super) fn on_written(&mut self, written: &Written) {
        if written.pieces == 0 {
            return;
        }
        self.blocked_since = None;
        written.record(&self.environment.metrics);
        self.handler.on_written(written.messages, written.payload);
        if let Some(interceptor) = self.interceptor.as_mut().filter(|_| written.messages > 0) {
            interceptor.on_messages(written.messages);
        }
    }

    /// Reports that everything has been written.
    pub(super) fn on_all_written(&mut self) {
        self.blocked_since = None;
    }

    /// Reports that writes are blocked. Returns how the connection has to be closed, if it has.
    pub(super) fn on_write_blocked(&mut self, waker: &Waker) -> Option<CloseAction> {
        self.blocked_since.get_or_insert_with(Instant::now);
        match self.outbound.poll_end(waker) {
            Some(QueueEnd::Overflow) => Some(CloseAction::slow_reader()),
            Some(QueueEnd::Drained) => Some(CloseAction::drained()),
            _ => None,
        }
    }

    /// Handles that [`deadline`](Self::deadline) has passed, after an attempt to write and to read.
    pub(super) fn on_timer(&mut self) -> Option<CloseAction> {
        let now = Instant::now();
        if self.handler.timer().is_some_and(|due| due <= now) {
            self.handler.on_timer();
        }
        let Some(action) = self.check_time_limits(now) else {
            self.late_since = None;
            return None;
        };
        // Data that arrived in time may still be unread: the limit is enforced when it has also passed the grace.
        let since = *self.late_since.get_or_insert(now);
        (now >= since + GRACE).then_some(action)
    }

    /// How the connection has to be closed for a time limit that has passed.
    fn check_time_limits(&mut self, now: Instant) -> Option<CloseAction> {
        let limits = &self.environment.limits;
        self.last_activity = self.outbound.direct_at().map_or(self.last_activity, |at| at.max(self.last_activity));
        if let Some(since) = self.blocked_since {
            let over = now.checked_duration_since(since + limits.write)?;
            if self.late_since.is_none() && over > GRACE {
                // The timer itself is late, so the process was stopped, and the peer had nothing to read.
                self.blocked_since = Some(now);
                return None;
            }
            return Some(CloseAction::slow_reader());
        }
        if let Some(since) = self.incomplete_since.filter(|_| !limits.message.is_zero())
            && let Some(over) = now.checked_duration_since(since + limits.message)
        {
            if self.late_since.is_none() && over > GRACE {
                self.incomplete_since = Some(now);
                return None;
            }
            if self.progress == Progress::WaitsForRoom {
                return Some(CloseAction::no_room());
            }
            let reason = format!("a message that is not complete after {} s", limits.message.as_secs_f64());
            return Some(CloseAction::drop_connection(1008, DropReason::Unfinished, reason));
        }
        let is_idle = now >= self.last_activity + limits.idle && self.progress != Progress::WaitsForRoom;
        if !limits.idle.is_zero() && is_idle {
            let reason = format!("no message for {} s", limits.idle.as_secs_f64());
            return Some(CloseAction::drop_connection(1001, DropReason::Idle, reason));
        }
        None
    }

    /// The next time at which something has to happen without a message.
    pub(super) fn deadline(&self) -> Instant {
        let limits = &self.environment.limits;
        let time_limit = match (self.late_since, self.blocked_since) {
            (Some(since), _) => since + GRACE,
            // Nothing is read while writes are blocked, so no other time limit applies.
            (None, Some(since)) => since + limits.write,
            (None, None) => {
                let or_never = |limit: Duration| if limit.is_zero() { FAR_FUTURE } else { limit };
                let idle = self.last_activity + or_never(limits.idle);
                self.incomplete_since.map_or(idle, |since| idle.min(since + or_never(limits.message)))
            }
        };
        // Delayed messages cannot be written either while writes are blocked.
        let interceptor = self.interceptor.as_ref().filter(|_| self.blocked_since.is_none());
        let held_back = interceptor.and_then(|interceptor| interceptor.deadline());
        [self.handler.timer(), held_back].into_iter().flatten().fold(time_limit, Instant::min)
    }

    /// Reports to the handler that the connection has ended.
    pub(super) fn on_close(&mut self, closed: &Closed) {
        self.handler.on_close(closed);
    }

    fn intervention(&self) -> Option<CloseAction> {
        self.interceptor.as_ref()?.intervention().map(CloseAction::from_intervention)
    }
}

impl CloseAction {
    /// A close by the handler. It is counted if the peer broke a rule.
    pub(crate) fn by_handler(code: u16, reason: Cow<'static, str>, counted: Option<DropReason>) -> Self {
        Self::Close { code, reason, counted, is_undecodable: false }
    }

    /// A close that is counted as a drop.
    pub(crate) fn drop_connection(code: u16, why: DropReason, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Close { code, reason: reason.into(), counted: Some(why), is_undecodable: false }
    }

    pub(crate) fn slow_reader() -> Self {
        Self::drop_connection(1013, DropReason::SlowReader, "reading too slowly: the backlog was dropped")
    }

    pub(crate) fn no_room() -> Self {
        Self::drop_connection(1013, DropReason::NoRoom, "the server has no room for more messages; come back later")
    }

    pub(crate) fn drained() -> Self {
        Self::drop_connection(1001, DropReason::Draining, "the server is stopping")
    }

    /// The close for an error while reading or writing.
    pub(crate) fn from_error(error: Error) -> Self {
        let (code, counted, reason) = match error {
            Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
                (1009, DropReason::MessageTooBig, format!("a message may have {max_size} bytes"))
            }
            Error::Utf8(_) => (1007, DropReason::Malformed, "text must be UTF-8".to_owned()),
            // Neither is a violation: the peer is gone.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
                return Self::PeerGone;
            }
            Error::Protocol(error) => (1002, DropReason::Malformed, error.to_string()),
            _ => return Self::PeerGone,
        };
        // Decoding cannot continue after an invalid header.
        Self::Close { code, reason: reason.into(), counted: Some(counted), is_undecodable: true }
    }

    pub(crate) fn from_intervention(intervention: Intervention) -> Self {
        match intervention {
            Intervention::Cut => Self::Cut,
            Intervention::HalfOpen => Self::HalfOpen,
            Intervention::Close(code, reason) => Self::drop_connection(code, DropReason::Fault, reason),
        }
    }

    /// The argument of [`Handler::on_close`], where the peer has sent this close frame, if any.
    pub(super) fn closed(&self, peer_closed: Option<&Option<CloseFrame>>) -> Closed {
        match self {
            Self::Close { code, reason, counted, .. } => {
                Closed::ByServer { code: *code, reason: reason.clone().into_owned(), counted: *counted }
            }
            Self::PeerGone => match peer_closed {
                Some(Some(CloseFrame { code, reason })) => {
                    Closed::ByPeer { code: Some((*code).into()), reason: reason.clone() }
                }
                Some(None) => Closed::ByPeer { code: None, reason: Utf8Bytes::default() },
                None => Closed::Lost,
            },
            Self::Cut | Self::HalfOpen => Closed::Lost,
        }
    }

    /// The reason that is counted.
    pub(crate) fn drop_reason(&self) -> Option<DropReason> {
        match self {
            Self::PeerGone => None,
            Self::Close { counted, .. } => *counted,
            Self::Cut | Self::HalfOpen => Some(DropReason::Fault),
        }
    }
}
