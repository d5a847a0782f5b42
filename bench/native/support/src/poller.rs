//! Which sockets are ready, by epoll: as long as they are, not only when they become it.

use std::io::{Error, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::retry_on_intr;

/// How many ready sockets the kernel names at a time.
const BATCH: usize = 1024;

/// The sockets that are looked at, each by a number.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poller {
    /// One that looks at no socket yet.
    pub fn new() -> Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(BATCH) })
    }

    /// Also looks whether there is something to read from a socket.
    pub fn add(&self, socket: impl AsFd, number: usize) -> Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(number as u64), EventFlags::IN)?)
    }

    /// From now on also looks whether there is room to write to the socket, or no longer does.
    pub fn watch_room(&self, socket: impl AsFd, number: usize, wanted: bool) -> Result<()> {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(number as u64), flags)?)
    }

    /// The numbers of those that are ready, up to some thousand; the others come next time. Waits for one so long, or as
    /// long as it takes.
    pub fn ready(&mut self, timeout: Option<Duration>) -> Result<impl Iterator<Item = usize>> {
        let timeout = timeout.map(Timespec::try_from).transpose().map_err(Error::other)?;
        self.events.clear();
        // A debugger may interrupt it.
        retry_on_intr(|| epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()))?;
        // The kernel gives back what it was given, and that was a usize.
        Ok(self.events.iter().map(|event| { event.data }.u64() as usize))
    }
}
