//! Many connections, which are read as they become ready.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench_native_support::poller::Poller;

use crate::Target;
use crate::connection::{Connection, PendingHandshake};

/// The number of concurrent handshakes. A listener queues at least 128 that it has not accepted.
const AT_A_TIME: usize = 64;

/// How long to wait for data before checking the time.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Without data for so long, the missing messages count as lost.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Clients {
    pub(crate) connections: Vec<Connection>,
    poller: Poller,
    buffer: Vec<u8>,
    ready: Vec<usize>,
}

impl Clients {
    pub(crate) fn connect(target: &Target, count: usize) -> Result<Self> {
        let mut clients =
            Self { connections: Vec::new(), poller: Poller::new()?, buffer: vec![0; 64 * 1024], ready: Vec::new() };
        clients.grow(target, count)?;
        Ok(clients)
    }

    /// Opens this many more connections.
    pub(crate) fn grow(&mut self, target: &Target, count: usize) -> Result<()> {
        let end = self.connections.len() + count;
        while self.connections.len() < end {
            let batch = AT_A_TIME.min(end - self.connections.len());
            let pending = (0..batch).map(|_| PendingHandshake::start(target)).collect::<Result<Vec<_>>>()?;
            for handshake in pending {
                let connection = handshake.finish()?;
                self.poller.add(&connection.stream, self.connections.len())?;
                self.connections.push(connection);
            }
        }
        Ok(())
    }

    /// Receives until `done` returns true. It is passed each connection that was read and the number of its new messages.
    pub(crate) fn receive(&mut self, mut done: impl FnMut(&mut Connection, usize) -> Result<bool>) -> Result<()> {
        let mut last = Instant::now();
        loop {
            if self.receive_ready(&mut done)? {
                return Ok(());
            }
            if !self.ready.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > TIMEOUT {
                bail!("a message was lost: nothing has arrived for {TIMEOUT:?}");
            }
        }
    }

    /// Receives what is ready. An error of `done` ends it as well.
    pub(crate) fn receive_ready(
        &mut self,
        mut done: impl FnMut(&mut Connection, usize) -> Result<bool>,
    ) -> Result<bool> {
        self.ready.clear();
        self.ready.extend(self.poller.ready(Some(POLL_INTERVAL))?);
        let mut is_done = false;
        for &number in &self.ready {
            let connection = &mut self.connections[number];
            let count = connection.receive(&mut self.buffer)?;
            is_done |= done(connection, count)?;
        }
        Ok(is_done)
    }
}
