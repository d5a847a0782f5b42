//! Many connections, which are read as they become ready.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench_native_support::poller::Poller;

use crate::Target;
use crate::connection::{Connection, PendingHandshake};
use crate::dialect::Opening;

/// The number of concurrent handshakes. A listener queues at least 128 that it has not accepted.
const AT_A_TIME: usize = 64;

/// How long to wait for data before checking the time.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Without data for so long, the missing messages count as lost.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What connections begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A session without a subscription, where the server has both.
    Attached,
    /// A session with a subscription.
    Subscribed,
}

pub(crate) struct Clients {
    pub(crate) connections: Vec<Connection>,
    poller: Poller,
    buffer: Vec<u8>,
    ready: Vec<usize>,
}

impl Clients {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { connections: Vec::new(), poller: Poller::new()?, buffer: vec![0; 64 * 1024], ready: Vec::new() })
    }

    pub(crate) fn connect(target: &Target, count: usize, start: Start) -> Result<Self> {
        let mut clients = Self::new()?;
        clients.grow(target, count, start)?;
        Ok(clients)
    }

    /// Opens this many more connections. They take the channels of the target in turns.
    pub(crate) fn grow(&mut self, target: &Target, count: usize, start: Start) -> Result<()> {
        let end = self.connections.len() + count;
        while self.connections.len() < end {
            let first = self.connections.len();
            let batch = first..end.min(first + AT_A_TIME);
            let pending = batch.map(|number| {
                let channel = target.channel(number);
                let opening = match start {
                    Start::Attached => Opening::Attach,
                    Start::Subscribed => Opening::Subscribe { channel: channel.clone() },
                };
                PendingHandshake::start(target, channel, opening)
            });
            for handshake in pending.collect::<Result<Vec<_>>>()? {
                let mut connection = handshake.finish()?;
                connection.wait_for_welcome()?;
                self.add(connection)?;
            }
        }
        Ok(())
    }

    /// Adds a connection, whose reads do not block from now on.
    pub(crate) fn add(&mut self, connection: Connection) -> Result<()> {
        connection.stream.set_nonblocking(true)?;
        self.poller.add(&connection.stream, self.connections.len())?;
        self.connections.push(connection);
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
    pub(crate) fn receive_ready(&mut self, done: impl FnMut(&mut Connection, usize) -> Result<bool>) -> Result<bool> {
        self.receive_ready_within(POLL_INTERVAL, done)
    }

    /// Like [`receive_ready`](Self::receive_ready), and waits at most so long for the first.
    pub(crate) fn receive_ready_within(
        &mut self,
        timeout: Duration,
        mut done: impl FnMut(&mut Connection, usize) -> Result<bool>,
    ) -> Result<bool> {
        self.ready.clear();
        self.ready.extend(self.poller.ready(Some(timeout))?);
        let mut is_done = false;
        for &number in &self.ready {
            let connection = &mut self.connections[number];
            let count = connection.receive(&mut self.buffer)?;
            is_done |= done(connection, count)?;
        }
        Ok(is_done)
    }
}
