//! What the load generator and the small servers have in common.
//!
//! # Layout
//! - [`frame`]: WebSocket frames, as bytes
//! - [`handshake`]: the opening handshake
//! - here: readiness of sockets, by level-triggered epoll

pub mod frame;
pub mod handshake;

use std::io::{Error, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::retry_on_intr;

/// The number of ready sockets that the kernel returns at a time.
const BATCH: usize = 1024;

/// A set of sockets, each with a number.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poller {
    /// An empty set.
    pub fn new() -> Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(BATCH) })
    }

    /// Adds a socket, to report when it can be read.
    pub fn add(&self, socket: impl AsFd, number: usize) -> Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(number as u64), EventFlags::IN)?)
    }

    /// Also reports when the socket can be written, or no longer does.
    pub fn set_write_interest(&self, socket: impl AsFd, number: usize, wanted: bool) -> Result<()> {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(number as u64), flags)?)
    }

    /// Waits for ready sockets, at most for the timeout. Returns the numbers of up to 1,024; the next call returns the others.
    pub fn ready(&mut self, timeout: Option<Duration>) -> Result<impl Iterator<Item = usize>> {
        let timeout = timeout.map(Timespec::try_from).transpose().map_err(Error::other)?;
        self.events.clear();
        // A debugger may interrupt the wait.
        retry_on_intr(|| epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()))?;
        // The kernel returns the data that it was given, which was a usize.
        Ok(self.events.iter().map(|event| { event.data }.u64() as usize))
    }
}
