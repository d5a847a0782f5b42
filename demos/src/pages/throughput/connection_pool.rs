use std::cell::{Cell, Ref, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use everwire::{Event, Heartbeat, Message, SocketHandle};
use everwire_yew::DownReason;
use futures_util::StreamExt;
use gloo_timers::callback::Interval;
use web_sys::window;

use super::load_profile::LoadProfile;
use super::pinger::{ConnectionState, Pinger};
use super::statistics::{FrameMonitor, RunStatistics};
use crate::job::Job;
use crate::line::Line;
use crate::now::now;

/// How many handshakes may be in progress at once. Browsers do the handshakes to one address one after another; if all were started at
/// once, the last would time out while it waits for the others.
const MAX_CONNECTING: usize = 8;

/// The milliseconds between two timer ticks, each of which sends the pings that could not be sent before.
const TICK: u32 = 50;

/// The ticks between two samples of the statistics.
const TICKS_PER_SAMPLE: u32 = 5;

/// Without pings, which the server would count, only silence shows that a connection is dead.
const SILENCE: Duration = Duration::from_secs(10);

/// The connections of a run. The first belongs to the page, whose head shows its status and can break it. Dropping the pool closes the
/// others.
pub(super) struct ConnectionPool {
    profile: LoadProfile,
    line: Line,
    ping: Message,
    pingers: Vec<RefCell<Pinger>>,
    handles: Vec<RefCell<Option<SocketHandle>>>,
    jobs: RefCell<Vec<Job>>,
    statistics: RefCell<RunStatistics>,
    frames: RefCell<Option<FrameMonitor>>,
    /// `None` once the run is stopped.
    timer: RefCell<Option<Interval>>,
    ticks: Cell<u32>,
}

impl ConnectionPool {
    /// Starts a run and opens its connections.
    pub(super) fn start(profile: LoadProfile, line: &Line) -> Rc<Self> {
        let pool = Rc::new(Self {
            profile,
            line: line.clone(),
            ping: Message::from("p".repeat(profile.bytes)),
            pingers: (0..profile.connections).map(|_| RefCell::new(Pinger::new(profile.in_flight))).collect(),
            handles: (0..profile.connections).map(|_| RefCell::default()).collect(),
            jobs: RefCell::default(),
            statistics: RefCell::default(),
            frames: RefCell::new(Some(FrameMonitor::start())),
            timer: RefCell::default(),
            ticks: Cell::default(),
        });
        let weak = Rc::downgrade(&pool);
        pool.timer.replace(Some(Interval::new(TICK, move || weak.upgrade().iter().for_each(|pool| pool.tick()))));
        pool.open_more();
        pool
    }

    /// Closes all connections except the page's own. The statistics stay.
    pub(super) fn stop(&self) {
        self.jobs.borrow_mut().clear();
        self.handles.iter().for_each(|handle| drop(handle.take()));
        self.timer.take();
        self.frames.take();
        let now = now();
        self.pingers.iter().for_each(|pinger| pinger.borrow_mut().stop(now));
    }

    /// Handles an event of the page's own connection.
    pub(super) fn on_page_event(self: &Rc<Self>, event: Event, handle: &SocketHandle) {
        if self.timer.borrow().is_some() {
            self.on_event(0, event, handle);
        }
    }

    pub(super) fn profile(&self) -> LoadProfile {
        self.profile
    }

    pub(super) fn statistics(&self) -> Ref<'_, RunStatistics> {
        self.statistics.borrow()
    }

    /// The longest gap between two frames of the page in the last seconds, in milliseconds; `None` once the run is stopped.
    pub(super) fn longest_frame_gap(&self) -> Option<f64> {
        self.frames.borrow().as_ref().and_then(FrameMonitor::longest_gap)
    }

    /// Applies a function to each connection.
    pub(super) fn map<R>(&self, of: impl Fn(&Pinger) -> R) -> Vec<R> {
        self.pingers.iter().map(|pinger| of(&pinger.borrow())).collect()
    }

    /// Opens more connections while not too many handshakes are in progress.
    fn open_more(self: &Rc<Self>) {
        let connecting = |pool: &Self| {
            let started = pool.jobs.borrow().len() + 1;
            let pingers = pool.pingers[..started].iter();
            pingers.filter(|pinger| *pinger.borrow().state() == ConnectionState::Connecting).count()
        };
        while self.jobs.borrow().len() + 1 < self.pingers.len() && connecting(self) < MAX_CONNECTING {
            let index = self.jobs.borrow().len() + 1;
            let job = Job::start(run_connection(Rc::downgrade(self), index, self.line.clone()));
            self.jobs.borrow_mut().push(job);
        }
    }

    fn on_event(self: &Rc<Self>, index: usize, event: Event, handle: &SocketHandle) {
        match event {
            Event::Message(message) => self.answered(index, &message, handle),
            Event::Opened(_) => {
                self.pingers[index].borrow_mut().opened(now());
                self.handles[index].replace(Some(handle.clone()));
                self.send_due(index, handle);
                self.open_more();
            }
            Event::Dropped(dropped) => {
                let was_open = self.pingers[index].borrow().was_open();
                self.went_down(index, &DownReason::Dropped { cause: dropped.cause, was_open });
            }
            Event::Closed(closed) => {
                let was_open = self.pingers[index].borrow().was_open();
                self.went_down(index, &DownReason::Ended { ended: closed.ended, was_open });
            }
            _ => {}
        }
    }

    fn answered(&self, index: usize, message: &Message, handle: &SocketHandle) {
        // A server with the fault “garbage” sends other messages too.
        if message.len() != self.profile.bytes || *message != self.ping {
            return;
        }
        let now = now();
        let round_trip = self.pingers[index].borrow_mut().answered(now);
        if let Some(round_trip) = round_trip {
            self.statistics.borrow_mut().record(round_trip);
        }
        // Hundreds of connections can keep a page so busy that it is never drawn. The next tick sends what is due.
        let is_overdue = self.frames.borrow().as_ref().is_some_and(|frames| frames.is_overdue(now));
        if !is_overdue {
            self.send_due(index, handle);
        }
    }

    fn went_down(self: &Rc<Self>, index: usize, reason: &DownReason) {
        let is_offline = window().is_some_and(|window| !window.navigator().on_line());
        let why = reason.explain(self.line.address().as_deref(), is_offline);
        let is_final = !matches!(reason, DownReason::Dropped { .. });
        self.pingers[index].borrow_mut().went_down(now(), why, is_final);
        self.open_more();
    }

    fn send_due(&self, index: usize, handle: &SocketHandle) {
        let due = self.pingers[index].borrow_mut().take_due(now());
        for _ in 0..due {
            // If the connection has just broken, its event follows and clears the pings in flight.
            let _ = handle.send(self.ping.clone());
        }
    }

    /// Sends what the rate limit or a busy page held back, and samples the statistics.
    fn tick(&self) {
        for (index, handle) in self.handles.iter().enumerate() {
            let handle = handle.borrow().clone();
            if let Some(handle) = handle {
                self.send_due(index, &handle);
            }
        }
        self.ticks.set(self.ticks.get() + 1);
        if self.ticks.get() % TICKS_PER_SAMPLE == 1 {
            self.statistics.borrow_mut().sample(now());
        }
    }
}

/// Runs one connection for as long as its pool lives.
async fn run_connection(pool: Weak<ConnectionPool>, index: usize, line: Line) {
    // A heartbeat without pings, so that the server's counters show only the pings of the run.
    let builder = line.builder().heartbeat(Heartbeat::silence(SILENCE));
    let mut socket = match builder.open() {
        Ok(socket) => socket,
        Err(error) => {
            pool.upgrade().iter().for_each(|pool| pool.went_down(index, &DownReason::Unusable(error.clone())));
            return;
        }
    };
    let handle = socket.handle().clone();
    while let Some(event) = socket.next().await {
        let Some(pool) = pool.upgrade() else { return };
        pool.on_event(index, event, &handle);
    }
}
