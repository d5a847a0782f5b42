//! Each connection gets one message back and then does nothing; or gets a session, and then does nothing or ends.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::Target;
use crate::clients::{Clients, Start};
use crate::counters;
use crate::dialect::Dialect;

/// Connections before the first look at the memory, so that what the server sets up once does not count.
const FIRST: usize = 50;
/// Connections that are opened before they send their messages.
const AT_A_TIME: usize = 250;
/// How long the memory must stay unchanged, and how often it is read until it does.
const SETTLED: Duration = Duration::from_millis(100);
const LOOKS: usize = 20;

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Stays(Start),
    /// It ends, and its session stays.
    Detaches,
}

pub(crate) fn measure(target: &Target, then: Then) -> Result<Value> {
    let start = if let Then::Stays(start) = then { start } else { Start::Attached };
    // What detaches at a time takes no memory for connections beyond that of these.
    let first = if then == Then::Detaches { AT_A_TIME } else { FIRST };
    let mut clients = Clients::connect(target, first, start)?;
    exchange(&mut clients, target.dialect, 0)?;
    if then == Then::Detaches {
        detach(&mut clients, target, first)?;
    }
    let before = settled(target)?;
    for done in (0..target.connections).step_by(AT_A_TIME) {
        let start_index = clients.connections.len();
        let count = AT_A_TIME.min(target.connections - done);
        clients.grow(target, count, start)?;
        exchange(&mut clients, target.dialect, start_index)?;
        if then == Then::Detaches {
            detach(&mut clients, target, first + done + count)?;
        }
    }
    let after = settled(target)?;
    let growth = after as f64 - before as f64;
    Ok(json!({ "connections": target.connections, "bytes": growth / target.connections as f64 }))
}

/// Sends one message on each connection from this one on. The greeting of a session is one.
fn exchange(clients: &mut Clients, dialect: Dialect, start: usize) -> Result<()> {
    if dialect == Dialect::Everwire {
        return Ok(());
    }
    let connections = &mut clients.connections[start..];
    let mut missing = connections.len();
    for connection in connections {
        connection.send([0])?;
    }
    clients.receive(|_, count| {
        missing -= count;
        Ok(missing == 0)
    })
}

/// Ends all connections, and waits until so many sessions are detached.
fn detach(clients: &mut Clients, target: &Target, sessions: usize) -> Result<()> {
    *clients = Clients::new()?;
    counters::wait_for(target.address, "/sessions", "detached", sessions as u64)
}

fn settled(target: &Target) -> Result<u64> {
    let mut last = target.server().resident()?;
    for _ in 0..LOOKS {
        thread::sleep(SETTLED);
        let now = target.server().resident()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}
