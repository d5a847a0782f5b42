//! Each connection gets one message back and then does nothing.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::Target;
use crate::crowd::Crowd;

/// How many connections a server has had before it is looked at: what it sets up once counts for none of them.
const FIRST: usize = 50;
/// How many are open before they send their messages.
const AT_A_TIME: usize = 250;
/// How long the memory has to stay as it is to count, and how often it is looked at until it does.
const SETTLED: Duration = Duration::from_millis(100);
const LOOKS: usize = 20;

pub(crate) fn measure(target: &Target) -> Result<Value> {
    let mut crowd = Crowd::connect(target, FIRST)?;
    exchange(&mut crowd, 0)?;
    let before = settled(target)?;
    for first in (0..target.connections).step_by(AT_A_TIME) {
        let start = crowd.connections.len();
        crowd.grow(target, AT_A_TIME.min(target.connections - first))?;
        exchange(&mut crowd, start)?;
    }
    let after = settled(target)?;
    let growth = after as f64 - before as f64;
    Ok(json!({ "connections": target.connections, "bytes": growth / target.connections as f64 }))
}

/// One message on each connection from this one on.
fn exchange(crowd: &mut Crowd, start: usize) -> Result<()> {
    let connections = &mut crowd.connections[start..];
    let mut missing = connections.len();
    for connection in connections {
        connection.send([0])?;
    }
    crowd.receive(|_, count| {
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
