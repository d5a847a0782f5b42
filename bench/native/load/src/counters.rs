//! What the server of sessions counts.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Time limit for a number to be reached, and how often to look.
const TIMEOUT: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(5);

/// The counters on a path: `name=value`, with spaces between them.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<HashMap<String, u64>> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.strip_prefix("HTTP/1.1 200").and_then(|rest| rest.split_once("\r\n\r\n"));
    let (_, body) = body.with_context(|| format!("{path} answers {answer:?}"))?;
    let counters = body.split_whitespace().map(|counter| {
        let (name, value) = counter.split_once('=').context("no counter")?;
        Ok((name.to_owned(), value.parse()?))
    });
    counters.collect()
}

/// Waits until a counter has this value.
pub(crate) fn wait_for(address: SocketAddr, path: &str, name: &str, value: u64) -> Result<()> {
    let start = Instant::now();
    loop {
        let found = get(address, path)?.get(name).copied();
        if found == Some(value) {
            return Ok(());
        }
        ensure!(start.elapsed() < TIMEOUT, "{name} is {found:?} and not {value}");
        thread::sleep(INTERVAL);
    }
}
