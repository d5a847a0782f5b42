//! The one loop that every endpoint shares: it reads, answers pings, keeps the limits, plays faults, counts, and
//! writes everything that is ready in one go.

mod ending;
mod mailbox;
mod ping;
mod writer;

pub(crate) use ending::Ending;
pub(crate) use mailbox::{End, Mailbox, json};

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::Everwire;
use crate::endpoints::Endpoint;
use crate::fault::Script;
use crate::limits::{Limits, Pace};
use crate::metrics::{DropReason, EndpointMetrics};
use crate::session::Session;
use ping::Pong;

/// Messages read in one go before what they cause is written.
const READ_AT_ONCE: usize = 128;
/// Bytes of answers after which reading stops, to write them first.
const ANSWERS_AT_ONCE: usize = 256 << 10;
/// An alarm that is as good as never.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// Buffers of a socket. The read buffer is allocated for the connection's whole life, so that its size is most of
/// what an idle connection costs (the library's default is 128 KiB). The write buffer grows when used; its size
/// here is how much is gathered for one write.
pub(crate) fn socket_config(limits: &Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(64 << 10)
        .max_message_size(Some(limits.message_bytes))
        .max_frame_size(Some(limits.message_bytes))
}

/// A WebSocket and everything that belongs to it.
pub(crate) struct Connection<S> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) session: Box<dyn Session>,
    pub(crate) endpoint: Endpoint,
    pub(crate) everwire: Everwire,
    pub(crate) script: Option<Box<Script>>,
    /// Counts the connections of the server, for the order of the drain.
    pub(crate) number: u64,
    pub(crate) pace: Pace,
    /// When the last message went in either direction.
    pub(crate) active: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Serves the connection to its end.
    pub(crate) async fn run(mut self) {
        self.metrics().opened.add(1);
        let ending = self.converse().await;
        tracing::debug!(endpoint = self.endpoint.path(), number = self.number, ?ending, "connection ends");
        if let Some(reason) = ending.drop_reason() {
            self.metrics().dropped(reason);
        }
        self.metrics().closed.add(1);
        let Self { socket, session, everwire, .. } = self;
        // Others must not go on sending to somebody who only has to say goodbye.
        drop(session);
        ending.carry_out(socket, everwire.config().limits.close, everwire.drain_state()).await;
    }

    async fn converse(&mut self) -> Ending {
        let everwire = self.everwire.clone();
        let mut turn = pin!(everwire.drain_state().turn(self.number).fuse());
        let mailbox = Arc::clone(&self.mailbox);
        if let Some(script) = &mut self.script {
            script.opening(Instant::now());
        }
        let mut alarm = pin!(sleep_until(self.deadline()));
        loop {
            if let Some(ending) = self.fault_due() {
                return ending;
            }
            if let Some(ending) = self.write_ready(turn.as_mut()).await {
                return ending;
            }
            // Activity only moves the deadline back; the alarm is set anew when it rings, not for each message.
            let deadline = self.deadline();
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            let ending = tokio::select! {
                () = turn.as_mut() => Some(Ending::drained()),
                () = mailbox.filled() => None,
                frame = self.socket.next() => self.read_ready(frame),
                () = alarm.as_mut() => self.on_alarm(),
            };
            if let Some(ending) = ending {
                // What was right before the mistake still gets its answer.
                if matches!(ending, Ending::Close { .. }) {
                    return self.write_ready(turn).await.unwrap_or(ending);
                }
                return ending;
            }
        }
    }

    /// Reads what has arrived, up to a measure.
    fn read_ready(&mut self, mut frame: Option<Result<Message, Error>>) -> Option<Ending> {
        let (mut messages, mut bytes) = (0, 0);
        // A fault counts single messages in both directions, so that with faults each is answered on its own.
        let at_once = if self.script.is_some() { 1 } else { READ_AT_ONCE };
        let mut ending = None;
        for left in (0..at_once).rev() {
            match frame {
                None => ending = Some(Ending::Gone),
                Some(Err(error)) => ending = Some(Ending::from_error(error)),
                Some(Ok(Message::Close(_))) => ending = Some(Ending::Gone),
                Some(Ok(message)) => {
                    if matches!(message, Message::Text(_) | Message::Binary(_)) {
                        messages += 1;
                        bytes += message.len() as u64;
                    }
                    ending = self.receive(message);
                }
            }
            if left == 0 || ending.is_some() || self.mailbox.bytes() > ANSWERS_AT_ONCE {
                break;
            }
            match self.socket.next().now_or_never() {
                Some(next) => frame = next,
                None => break,
            }
        }
        self.metrics().messages_in.add(messages);
        self.metrics().bytes_in.add(bytes);
        ending
    }

    fn receive(&mut self, message: Message) -> Option<Ending> {
        let now = Instant::now();
        self.active = now;
        if !self.pace.allows(now) {
            let most = self.everwire.config().limits.messages_per_second;
            let reason = format!("more than {most} messages a second");
            return Some(Ending::refused(1008, DropReason::TooManyMessages, reason));
        }
        if !matches!(message, Message::Text(_) | Message::Binary(_)) {
            return None;
        }
        if let Some(script) = &mut self.script {
            script.count();
        }
        if self.endpoint != Endpoint::Echo
            && let Message::Text(text) = &message
            && let Some(pong) = Pong::to(text, || self.everwire.config().clock.now_ms())
        {
            self.mailbox.send_json(&pong);
        } else {
            self.session.received(message);
        }
        None
    }

    fn on_alarm(&mut self) -> Option<Ending> {
        let now = Instant::now();
        if self.session.due().is_some_and(|due| due <= now) {
            self.session.on_due();
        }
        let idle = self.everwire.config().limits.idle;
        if !idle.is_zero() && now >= self.active + idle {
            let reason = format!("no message for {} s", idle.as_secs_f64());
            return Some(Ending::refused(1001, DropReason::Idle, reason));
        }
        None
    }

    /// When the loop must wake without any message.
    fn deadline(&self) -> Instant {
        let idle = self.everwire.config().limits.idle;
        let idle = self.active + if idle.is_zero() { FAR } else { idle };
        let script = self.script.as_ref().and_then(|script| script.due());
        [self.session.due(), script].into_iter().flatten().fold(idle, Instant::min)
    }

    fn fault_due(&self) -> Option<Ending> {
        self.script.as_ref()?.fatal().map(Ending::from_fault)
    }

    fn metrics(&self) -> &EndpointMetrics {
        self.everwire.metrics().of(self.endpoint)
    }
}

#[cfg(test)]
mod tests;
