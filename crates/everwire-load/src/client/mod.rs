//! One connection.
//!
//! # Layout
//! - [`agent`]: what it does and counts, without I/O
//! - here: the socket and the clock that drive it

mod agent;

use std::sync::Arc;

use everwire::{Cause, ClosePolicy, Ended, Event, Heartbeat, Message, Socket, Verdict};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::agent::Agent;
use crate::clock::Clock;
use crate::dialect::Purpose;
use crate::meter::Meter;
use crate::plan::{Part, Plan};
use crate::window::Window;

/// What all clients of a process share.
#[derive(Clone)]
pub(crate) struct Company {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) meter: Arc<Meter>,
    pub(crate) signal: watch::Receiver<Signal>,
}

/// What the clients are to do now.
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

/// Connects, and stays until it is told to end.
pub(crate) async fn run(company: Company, part: Part) {
    let Company { plan, clock, meter, mut signal } = company;
    let mut agent = Agent::new(Arc::clone(&plan), part, clock, Arc::clone(&meter), Instant::now());
    let mut socket = match open(&plan, part) {
        Ok(socket) => socket,
        Err(error) => return agent.dropped(error.to_string()),
    };
    let timer = sleep_until(Instant::now());
    tokio::pin!(timer);
    loop {
        let due = agent.due();
        if let Some(due) = due.filter(|due| *due != timer.deadline()) {
            timer.as_mut().reset(due);
        }
        let texts = tokio::select! {
            event = socket.next() => match event {
                Some(event) => handle(&mut agent, event),
                // It has ended for good, which is told as the reason of a drop.
                None => break,
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
        for text in texts {
            if socket.send(text).is_err() {
                agent.not_sent();
            }
        }
    }
    agent.stop();
    socket.close().await;
}

fn open(plan: &Plan, part: Part) -> Result<Socket, everwire::OpenError> {
    let url = if part.purpose == Purpose::Ping { &plan.url } else { &plan.subscribe_url };
    let mut builder = Socket::builder(url.as_str())
        .read_buffer(plan.payload.next_power_of_two().clamp(1 << 10, 16 << 10))
        // What is on the wire is the load that was asked for and nothing else.
        .heartbeat(Heartbeat::off())
        // A client under load comes back whatever the server said.
        .close_policy(ClosePolicy::amending(|cause, verdict| match cause {
            Cause::Refused(_) => verdict,
            _ => Verdict::Retry,
        }));
    if let Some(address) = plan.source_address(part.number) {
        builder = builder.local_address(address);
    }
    builder.open()
}

fn handle(agent: &mut Agent, event: Event) -> Vec<String> {
    match event {
        Event::Opened(_) => agent.opened(),
        Event::Message(Message::Text(text)) => agent.heard(&text, Instant::now()),
        Event::Message(Message::Binary(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => agent.heard(&text, Instant::now()),
            Err(_) => agent.heard("", Instant::now()),
        },
        Event::Dropped(dropped) => {
            agent.dropped(dropped.cause.to_string());
            Vec::new()
        }
        Event::Closed(closed) => {
            if let Ended::Final(cause) | Ended::Exhausted(cause) = closed.ended {
                agent.dropped(cause.to_string());
            }
            Vec::new()
        }
        Event::Discarded(_) => {
            agent.not_sent();
            Vec::new()
        }
        _ => Vec::new(),
    }
}
