//! One client: the socket and the timer that drive its state machine.
//!
//! # Layout
//! - [`state`]: the state machine, without I/O

mod state;

use std::sync::Arc;

use everwire::{
    Cause, Decision, Discarded, Ended, Event, Headers, Heartbeat, Message, OutboxLimits, Protocols, ReconnectPolicy,
    Socket, SocketBuilder,
};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::state::{Action, ClientState};
use crate::dialect::Role;
use crate::plan::{ClientPlan, Clock, Plan, SendWindow};
use crate::statistics::WorkerCounters;

/// Stands for a message that is not text. It is unexpected in every dialect.
const NOT_TEXT: &str = "\u{fffd}";

/// What all clients of a process share.
#[derive(Clone)]
pub(crate) struct ClientContext {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) phase: watch::Receiver<ClientPhase>,
    pub(crate) roots: TlsRoots,
}

/// The root certificates for `wss://`: those of the command line, or the default.
#[derive(Clone, Default)]
pub(crate) struct TlsRoots {
    #[cfg(feature = "rustls-own-roots")]
    own: Option<everwire::RootCertificates>,
}

impl TlsRoots {
    #[cfg(feature = "rustls-own-roots")]
    pub(crate) fn new(plan: &Plan) -> Self {
        let roots = plan.root_certificates.as_ref();
        Self { own: roots.map(|pem| everwire::RootCertificates::from_pem(pem).expect("the command line was checked")) }
    }

    #[cfg(not(feature = "rustls-own-roots"))]
    pub(crate) fn new(_: &Plan) -> Self {
        Self {}
    }

    #[cfg(feature = "rustls-own-roots")]
    fn apply(&self, builder: SocketBuilder) -> SocketBuilder {
        match &self.own {
            Some(roots) => builder.root_certificates(roots.clone()),
            None => builder,
        }
    }

    #[cfg(not(feature = "rustls-own-roots"))]
    fn apply(&self, builder: SocketBuilder) -> SocketBuilder {
        builder
    }
}

/// The phase of the clients, as the worker controls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientPhase {
    /// Connect and wait.
    Connect,
    /// Send messages in this window.
    Load(SendWindow<Instant>),
    /// Send no more messages.
    Stop,
    /// Close the connection.
    End,
}

/// Connects, and stays connected until the phase [`ClientPhase::End`].
pub(crate) async fn run(context: ClientContext, client: ClientPlan) {
    let ClientContext { plan, clock, counters, mut phase, roots } = context;
    let mut state = ClientState::new(Arc::clone(&plan), client, clock, counters, Instant::now());
    let mut socket = match open(&plan, client, &roots) {
        Ok(socket) => socket,
        Err(error) => return state.disconnected(describe(error)),
    };
    let timer = sleep_until(Instant::now());
    tokio::pin!(timer);
    let mut is_closed = false;
    loop {
        let due = state.due();
        if let Some(due) = due.filter(|due| *due != timer.deadline()) {
            timer.as_mut().reset(due);
        }
        let actions = tokio::select! {
            event = socket.next(), if !is_closed => match event {
                Some(event) => handle(&mut state, event),
                // The last event has reported the reason. Messages that are due from now on count as lost.
                None => {
                    is_closed = true;
                    Vec::new()
                }
            },
            () = &mut timer, if due.is_some() => state.on_due(Instant::now()),
            Ok(()) = phase.changed() => {
                let phase = *phase.borrow_and_update();
                match phase {
                    ClientPhase::Load(window) => state.start_load(window),
                    ClientPhase::Stop => state.stop(),
                    ClientPhase::End => break,
                    ClientPhase::Connect => {}
                }
                Vec::new()
            }
        };
        for action in actions {
            perform(&mut state, &socket, action, plan.binary);
        }
    }
    state.stop();
    socket.close().await;
}

fn perform(state: &mut ClientState, socket: &Socket, action: Action, is_binary: bool) {
    match action {
        Action::SendLoad { text, is_counted } => {
            if socket.send(message_of(text, is_binary)).is_err() && is_counted {
                state.overflowed();
            }
        }
        Action::SendControl(text) => {
            // Without its message the server closes the connection, which is counted.
            let _ = socket.send(text);
        }
        // Closing starts at once. Dropping the future only skips the wait, and an event reports the end.
        Action::Close => drop(socket.close()),
    }
}

fn open(plan: &Plan, client: ClientPlan, roots: &TlsRoots) -> Result<Socket, everwire::OpenError> {
    let url = if client.role == Role::Pinger { &plan.url } else { &plan.subscribe_url };
    let protocols = Protocols::new(&plan.subprotocols).expect("the command line was checked");
    let headers = Headers::new(plan.headers.iter().cloned()).expect("the command line was checked");
    let mut builder = roots
        .apply(Socket::builder(url.as_str()))
        .protocols(protocols)
        .headers(headers)
        .read_buffer(plan.payload.next_power_of_two().clamp(1 << 10, 16 << 10))
        // Nothing but the load of the plan is sent.
        .heartbeat(Heartbeat::off())
        .outbox(outbox(plan.payload))
        .max_message_bytes(max_message_bytes(plan.payload))
        // A client under load reconnects after every close code except 1009, after which no message of this size would pass.
        .reconnect_policy(ReconnectPolicy::amending(|cause, default| match cause {
            Cause::AddressRefused(_) => default,
            cause if is_too_large(cause) => default,
            _ => Decision::Retry,
        }));
    if let Some(address) = plan.source_address(client.number) {
        builder = builder.local_address(address);
    }
    builder.open()
}

/// Large enough for a server that reads nothing for a while, so that messages are sent when they are due. Bounded, so that a server that
/// has stopped reading does not exhaust the memory of this machine.
fn outbox(payload: usize) -> OutboxLimits {
    OutboxLimits::default().max_messages(1_000_000).max_bytes((64 << 20).max(payload.saturating_mul(8)))
}

/// The largest message to accept: a dialect wraps payloads, and may put several into one message.
fn max_message_bytes(payload: usize) -> usize {
    (64 << 20).max(payload.saturating_mul(4))
}

/// Whether a message was too large for the server or for this side (RFC 6455, section 7.4.1).
fn is_too_large(cause: &Cause) -> bool {
    matches!(cause, Cause::Closed { code: 1009, .. })
}

/// An error of the client library, with the advice in terms of the command line.
fn describe(problem: impl ToString) -> String {
    problem.to_string().replace("SocketBuilder::root_certificates", "--root-certificates FILE")
}

fn handle(state: &mut ClientState, event: Event) -> Vec<Action> {
    match event {
        Event::Opened(_) => state.opened(),
        Event::Message(message) => state.received(&text_of(message), Instant::now()),
        Event::Dropped(dropped) => {
            state.disconnected(describe(&dropped.cause));
            if let Some(wait) = dropped.retry_in {
                state.dials_at(Instant::now() + wait);
            }
            Vec::new()
        }
        Event::Closed(closed) => {
            if let Ended::Final(cause) | Ended::Exhausted(cause) = closed.ended {
                state.disconnected(describe(&cause));
                if is_too_large(&cause) {
                    state.too_large(&describe(&cause));
                }
            }
            Vec::new()
        }
        Event::Discarded(Discarded { message, .. }) => {
            state.discarded(&text_of(message));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn message_of(text: String, is_binary: bool) -> Message {
    if is_binary { Message::Binary(text.into_bytes()) } else { Message::Text(text) }
}

fn text_of(message: Message) -> String {
    match message {
        Message::Text(text) => text,
        Message::Binary(bytes) => String::from_utf8(bytes).unwrap_or_else(|_| NOT_TEXT.to_owned()),
        _ => NOT_TEXT.to_owned(),
    }
}

#[cfg(test)]
mod tests;
