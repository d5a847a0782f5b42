//! Many connections, and what has become ready of them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench_native_support::poller::Poller;

use crate::Target;
use crate::connection::{Asked, Connection};

/// How many handshakes are under way at a time. A listener holds at least 128 that it has not accepted.
const AT_A_TIME: usize = 64;

/// How long to wait for something to arrive before looking at the clock.
const LOOK: Duration = Duration::from_millis(5);

/// How long nothing may arrive before the rest is taken to be lost.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Crowd {
    pub(crate) connections: Vec<Connection>,
    poller: Poller,
    buffer: Vec<u8>,
    ready: Vec<usize>,
}

impl Crowd {
    pub(crate) fn connect(target: &Target, count: usize) -> Result<Self> {
        let mut crowd =
            Self { connections: Vec::new(), poller: Poller::new()?, buffer: vec![0; 64 * 1024], ready: Vec::new() };
        crowd.grow(target, count)?;
        Ok(crowd)
    }

    /// Opens so many connections more.
    pub(crate) fn grow(&mut self, target: &Target, count: usize) -> Result<()> {
        let end = self.connections.len() + count;
        while self.connections.len() < end {
            let batch = AT_A_TIME.min(end - self.connections.len());
            let asked = (0..batch).map(|_| Asked::ask(target)).collect::<Result<Vec<_>>>()?;
            for asked in asked {
                let connection = asked.connect()?;
                self.poller.add(&connection.stream, self.connections.len())?;
                self.connections.push(connection);
            }
        }
        Ok(())
    }

    /// Receives until `done` says so, which is told how many messages came and on which connection.
    pub(crate) fn receive(&mut self, mut done: impl FnMut(&mut Connection, usize) -> Result<bool>) -> Result<()> {
        let mut last = Instant::now();
        loop {
            if self.receive_ready(&mut done)? {
                return Ok(());
            }
            if !self.ready.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > PATIENCE {
                bail!("a message was lost: nothing has arrived for {PATIENCE:?}");
            }
        }
    }

    /// Receives what is there. An error in what it says ends it, too.
    pub(crate) fn receive_ready(
        &mut self,
        mut done: impl FnMut(&mut Connection, usize) -> Result<bool>,
    ) -> Result<bool> {
        self.ready.clear();
        self.ready.extend(self.poller.ready(Some(LOOK))?);
        let mut is_done = false;
        for &number in &self.ready {
            let connection = &mut self.connections[number];
            let count = connection.receive(&mut self.buffer)?;
            is_done |= done(connection, count)?;
        }
        Ok(is_done)
    }
}
