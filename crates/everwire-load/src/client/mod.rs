//! One connection.
//!
//! # Layout
//! - [`agent`]: its logic without I/O, which returns [`action`]s
//! - here: the socket and the clock that drive it

mod action;
mod agent;

use std::sync::Arc;

use everwire::{
    Cause, Decision, Discarded, Ended, Event, Headers, Heartbeat, Message, OutboxLimits, Protocols, ReconnectPolicy,
    Socket, SocketBuilder,
};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::action::Action;
use self::agent::Agent;
use crate::clock::Clock;
use crate::dialect::Purpose;
use crate::meter::Meter;
use crate::plan::{Part, Plan};
use crate::window::Window;

/// Means nothing in any dialect.
const NO_TEXT: &str = "\u{fffd}";

/// The context that all clients of a process share.
#[derive(Clone)]
pub(crate) struct ClientContext {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) meter: Arc<Meter>,
    pub(crate) signal: watch::Receiver<Signal>,
    pub(crate) roots: Roots,
}

/// The roots for `wss://`: those of the command line, or the default.
#[derive(Clone, Default)]
pub(crate) struct Roots {
    #[cfg(feature = "rustls-own-roots")]
    chosen: Option<everwire::RootCertificates>,
}

impl Roots {
    #[cfg(feature = "rustls-own-roots")]
    pub(crate) fn new(plan: &Plan) -> Self {
        let roots = plan.root_certificates.as_ref();
        Self {
            chosen: roots.map(|pem| everwire::RootCertificates::from_pem(pem).expect("the command line was checked")),
        }
    }

    #[cfg(not(feature = "rustls-own-roots"))]
    pub(crate) fn new(_: &Plan) -> Self {
        Self {}
    }

    #[cfg(feature = "rustls-own-roots")]
    fn apply(&self, builder: SocketBuilder) -> SocketBuilder {
        match &self.chosen {
            Some(roots) => builder.root_certificates(roots.clone()),
            None => builder,
        }
    }

    #[cfg(not(feature = "rustls-own-roots"))]
    fn apply(&self, builder: SocketBuilder) -> SocketBuilder {
        builder
    }
}

/// The phase that the clients are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Connect, and wait.
    Connect,
    /// Send messages.
    Load(Window<Instant>),
    /// Send no more.
    Stop,
    /// Close.
    End,
}

/// Connects, and stays connected until the signal to end.
pub(crate) async fn run(context: ClientContext, part: Part) {
    let ClientContext { plan, clock, meter, mut signal, roots } = context;
    let mut agent = Agent::new(Arc::clone(&plan), part, clock, Arc::clone(&meter), Instant::now());
    let mut socket = match open(&plan, part, &roots) {
        Ok(socket) => socket,
        Err(error) => return agent.dropped(described(error)),
    };
    let timer = sleep_until(Instant::now());
    tokio::pin!(timer);
    let mut is_over = false;
    loop {
        let due = agent.due();
        if let Some(due) = due.filter(|due| *due != timer.deadline()) {
            timer.as_mut().reset(due);
        }
        let actions = tokio::select! {
            event = socket.next(), if !is_over => match event {
                Some(event) => handle(&mut agent, event),
                // The reason was reported with the drop. Messages that are due from now on count as lost.
                None => {
                    is_over = true;
                    Vec::new()
                }
            },
            () = &mut timer, if due.is_some() => agent.on_due(Instant::now()),
            Ok(()) = signal.changed() => {
                let signal = *signal.borrow_and_update();
                match signal {
                    Signal::Load(window) => agent.begin(window),
                    Signal::Stop => agent.stop(),
                    Signal::End => break,
                    Signal::Connect => {}
                }
                Vec::new()
            }
        };
        for action in actions {
            perform(&mut agent, &socket, action, plan.binary);
        }
    }
    agent.stop();
    socket.close().await;
}

fn perform(agent: &mut Agent, socket: &Socket, action: Action, is_binary: bool) {
    match action {
        Action::Load { text, is_counted } => {
            if socket.send(message_of(text, is_binary)).is_err() && is_counted {
                agent.overflowed();
            }
        }
        Action::Talk(text) => {
            // If the server has no room for it, it closes the connection, which is counted.
            let _ = socket.send(text);
        }
        // It starts at once, and events tell of its end.
        Action::Close => drop(socket.close()),
    }
}

fn open(plan: &Plan, part: Part, roots: &Roots) -> Result<Socket, everwire::OpenError> {
    let url = if part.purpose == Purpose::Ping { &plan.url } else { &plan.subscribe_url };
    let protocols = Protocols::new(&plan.subprotocols).expect("the command line was checked");
    let headers = Headers::new(plan.headers.iter().cloned()).expect("the command line was checked");
    let mut builder = roots
        .apply(Socket::builder(url.as_str()))
        .protocols(protocols)
        .headers(headers)
        .read_buffer(plan.payload.next_power_of_two().clamp(1 << 10, 16 << 10))
        // Only the load of the plan is sent.
        .heartbeat(Heartbeat::off())
        .outbox(outbox(plan.payload))
        .max_message_bytes(max_message_bytes(plan.payload))
        // A client under load reconnects whatever the close code, except 1009: no message of this size will pass.
        .reconnect_policy(ReconnectPolicy::amending(|cause, default| match cause {
            Cause::AddressRefused(_) => default,
            cause if is_over_size(cause) => default,
            _ => Decision::Retry,
        }));
    if let Some(address) = plan.source_address(part.number) {
        builder = builder.local_address(address);
    }
    builder.open()
}

/// As much as a server may leave unread for a while: what is due goes out on time whether it reads or not. It has an end, since a
/// server that reads nothing any more should not take this machine's memory.
fn outbox(payload: usize) -> OutboxLimits {
    OutboxLimits::default().max_messages(1_000_000).max_bytes((64 << 20).max(payload.saturating_mul(8)))
}

/// The largest message to accept: a dialect wraps payloads, and may put several into one message.
fn max_message_bytes(payload: usize) -> usize {
    (64 << 20).max(payload.saturating_mul(4))
}

/// Whether a message was too large for the server or for this side (RFC 6455, section 7.4.1).
fn is_over_size(cause: &Cause) -> bool {
    matches!(cause, Cause::Closed { code: 1009, .. })
}

/// A problem with the advice that fits a command line.
fn described(problem: impl ToString) -> String {
    problem.to_string().replace("SocketBuilder::root_certificates", "--root-certificates FILE")
}

fn handle(agent: &mut Agent, event: Event) -> Vec<Action> {
    match event {
        Event::Opened(_) => agent.opened(),
        Event::Message(message) => agent.received(&text_of(message), Instant::now()),
        Event::Dropped(dropped) => {
            agent.dropped(described(&dropped.cause));
            if let Some(wait) = dropped.retry_in {
                agent.dials(Instant::now() + wait);
            }
            Vec::new()
        }
        Event::Closed(closed) => {
            if let Ended::Final(cause) | Ended::Exhausted(cause) = closed.ended {
                agent.dropped(described(&cause));
                if is_over_size(&cause) {
                    agent.too_large(&described(&cause));
                }
            }
            Vec::new()
        }
        Event::Discarded(Discarded { message, .. }) => {
            agent.given_back(&text_of(message));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn message_of(text: String, is_binary: bool) -> Message {
    if is_binary { Message::Binary(text.into_bytes()) } else { Message::Text(text) }
}

/// Bytes that are no text are nothing that was sent.
fn text_of(message: Message) -> String {
    match message {
        Message::Text(text) => text,
        Message::Binary(bytes) => String::from_utf8(bytes).unwrap_or_else(|_| NO_TEXT.to_owned()),
        _ => NO_TEXT.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_either_kind_carries_the_same() {
        assert!(matches!(message_of("abc".into(), true), Message::Binary(_)));
        assert!(matches!(message_of("abc".into(), false), Message::Text(_)));
        assert_eq!([true, false].map(|is_binary| text_of(message_of("abc".into(), is_binary))), ["abc", "abc"]);
        assert_eq!(text_of(Message::Binary(vec![0xff])), NO_TEXT);
    }

    #[test]
    fn a_message_of_any_size_that_may_be_asked_for_has_room_to_wait() {
        let largest = 64 << 20;
        assert!(outbox(64).max_bytes >= 1000 * 64 && outbox(largest).max_bytes > 4 * largest);
    }
}
