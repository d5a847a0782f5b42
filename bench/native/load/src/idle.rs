//! Each connection gets one message back and then does nothing.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::Target;
use crate::clients::Clients;

/// Connections before the first look at the memory, so that what the server sets up once does not count.
const FIRST: usize = 50;
/// Connections that are opened before they send their messages.
const AT_A_TIME: usize = 250;
/// How long the memory must stay unchanged, and how often it is read until it does.
const SETTLED: Duration = Duration::from_millis(100);
const LOOKS: usize = 20;

pub(crate) fn measure(target: &Target) -> Result<Value> {
    let mut clients = Clients::connect(target, FIRST)?;
    exchange(&mut clients, 0)?;
    let before = settled(target)?;
    for first in (0..target.connections).step_by(AT_A_TIME) {
        let start = clients.connections.len();
        clients.grow(target, AT_A_TIME.min(target.connections - first))?;
        exchange(&mut clients, start)?;
    }
    let after = settled(target)?;
    let growth = after as f64 - before as f64;
    Ok(json!({ "connections": target.connections, "bytes": growth / target.connections as f64 }))
}

/// Sends one message on each connection from this one on.
fn exchange(clients: &mut Clients, start: usize) -> Result<()> {
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
