use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use everwire::{Event, Heartbeat, Message, SocketHandle};
use everwire_yew::DownReason;
use futures_util::StreamExt;
use gloo_timers::callback::Interval;
use web_sys::window;

use super::choice::Choice;
use super::pauses::Pauses;
use super::pinger::{Link, Pinger};
use super::tally::Tally;
use crate::job::Job;
use crate::line::Line;
use crate::now::now;

/// The handshakes that may be under way at once. Browsers do them one after another for each address: all at once, the last
/// would wait for the others until its time is over.
const DIALLING: usize = 8;

/// The milliseconds after which pings that could not be sent at once are looked for.
const LOOK_EVERY: u32 = 50;

/// The milliseconds between two marks in the chart, in looks.
const LOOKS_A_MARK: u32 = 5;

/// A connection without pings would stay open for ever without notice.
const SILENCE: Duration = Duration::from_secs(10);

/// The connections of a run. The first is the page's own, which its head shows and can break. Dropping the fleet closes the
/// others.
pub(super) struct Fleet {
    choice: Choice,
    line: Line,
    ping: Message,
    pingers: Vec<RefCell<Pinger>>,
    handles: Vec<RefCell<Option<SocketHandle>>>,
    jobs: RefCell<Vec<Job>>,
    tally: RefCell<Tally>,
    pauses: RefCell<Option<Pauses>>,
    looks: RefCell<Option<Interval>>,
    looked: Cell<u32>,
}

impl Fleet {
    /// Begins to count, and dials as the page's own connection settles.
    pub(super) fn launch(choice: Choice, line: &Line) -> Rc<Self> {
        let fleet = Rc::new(Self {
            choice,
            line: line.clone(),
            ping: Message::from("p".repeat(choice.bytes)),
            pingers: (0..choice.connections).map(|_| RefCell::new(Pinger::new(choice.in_flight))).collect(),
            handles: (0..choice.connections).map(|_| RefCell::default()).collect(),
            jobs: RefCell::default(),
            tally: RefCell::default(),
            pauses: RefCell::new(Some(Pauses::start())),
            looks: RefCell::default(),
            looked: Cell::default(),
        });
        let weak = Rc::downgrade(&fleet);
        let look = Interval::new(LOOK_EVERY, move || weak.upgrade().iter().for_each(|fleet| fleet.look()));
        fleet.looks.replace(Some(look));
        fleet.dial();
        fleet
    }

    /// Closes the connections but the page's own, and keeps what was counted.
    pub(super) fn halt(&self) {
        self.jobs.borrow_mut().clear();
        self.handles.iter().for_each(|handle| drop(handle.take()));
        self.looks.take();
        self.pauses.take();
        let now = now();
        self.pingers.iter().for_each(|pinger| pinger.borrow_mut().halt(now));
    }

    /// Takes an event of the page's own connection.
    pub(super) fn first_happened(self: &Rc<Self>, event: Event, handle: Option<SocketHandle>) {
        if let Some(handle) = handle.filter(|_| self.is_running()) {
            self.happened(0, event, &handle);
        }
    }

    fn is_running(&self) -> bool {
        self.looks.borrow().is_some()
    }

    pub(super) fn choice(&self) -> Choice {
        self.choice
    }

    pub(super) fn look_at<R>(&self, look: impl FnOnce(&Tally) -> R) -> R {
        look(&self.tally.borrow())
    }

    /// The longest time in which the page was not drawn, of the last seconds. Told while it runs.
    pub(super) fn longest_pause(&self) -> Option<f64> {
        self.pauses.borrow().as_ref().and_then(Pauses::longest)
    }

    /// What each connection says of itself.
    pub(super) fn each<R>(&self, look: impl Fn(&Pinger) -> R) -> Vec<R> {
        self.pingers.iter().map(|pinger| look(&pinger.borrow())).collect()
    }

    /// Dials more connections, while not too many are on their way.
    fn dial(self: &Rc<Self>) {
        let on_their_way = |fleet: &Self| {
            let dialled = fleet.jobs.borrow().len() + 1;
            let links = fleet.pingers[..dialled].iter();
            links.filter(|pinger| *pinger.borrow().link() == Link::Dialling).count()
        };
        while self.jobs.borrow().len() + 1 < self.pingers.len() && on_their_way(self) < DIALLING {
            let index = self.jobs.borrow().len() + 1;
            let job = Job::start(converse(Rc::downgrade(self), index, self.line.clone()));
            self.jobs.borrow_mut().push(job);
        }
    }

    fn happened(self: &Rc<Self>, index: usize, event: Event, handle: &SocketHandle) {
        match event {
            Event::Message(message) => self.answered(index, &message, handle),
            Event::Opened(_) => {
                self.pingers[index].borrow_mut().opened(now());
                self.handles[index].replace(Some(handle.clone()));
                self.send_due(index, handle);
                self.dial();
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
        // The server may send other things, when it is asked to send garbage.
        if message.len() != self.choice.bytes || *message != self.ping {
            return;
        }
        let now = now();
        let round_trip = self.pingers[index].borrow_mut().answered(now);
        if let Some(round_trip) = round_trip {
            self.tally.borrow_mut().answered(round_trip);
        }
        // Hundreds of connections can keep a page so busy that it is never drawn. The next look sends what waits.
        let is_late = self.pauses.borrow().as_ref().is_some_and(|pauses| pauses.is_late(now));
        if !is_late {
            self.send_due(index, handle);
        }
    }

    fn went_down(self: &Rc<Self>, index: usize, reason: &DownReason) {
        let is_offline = window().is_some_and(|window| !window.navigator().on_line());
        let why = reason.explain(self.line.address().as_deref(), is_offline);
        let is_final = !matches!(reason, DownReason::Dropped { .. });
        self.pingers[index].borrow_mut().went_down(now(), why, is_final);
        self.dial();
    }

    fn send_due(&self, index: usize, handle: &SocketHandle) {
        let due = self.pingers[index].borrow_mut().take_due(now());
        for _ in 0..due {
            // A connection that just broke says so by an event, which empties what is under way.
            let _ = handle.send(self.ping.clone());
        }
    }

    /// Sends what was not allowed before, and marks the chart.
    fn look(&self) {
        for (index, handle) in self.handles.iter().enumerate() {
            let handle = handle.borrow().clone();
            if let Some(handle) = handle {
                self.send_due(index, &handle);
            }
        }
        self.looked.set(self.looked.get() + 1);
        if self.looked.get() % LOOKS_A_MARK == 1 {
            self.tally.borrow_mut().mark(now());
        }
    }
}

/// One connection, for as long as its fleet lives.
async fn converse(fleet: Weak<Fleet>, index: usize, line: Line) {
    // Pings are all that is sent, so that the server's counters show them alone.
    let builder = line.builder().heartbeat(Heartbeat::silence(SILENCE));
    let mut socket = match builder.open() {
        Ok(socket) => socket,
        Err(error) => {
            fleet.upgrade().iter().for_each(|fleet| fleet.went_down(index, &DownReason::Unusable(error.clone())));
            return;
        }
    };
    let handle = socket.handle().clone();
    while let Some(event) = socket.next().await {
        let Some(fleet) = fleet.upgrade() else { return };
        fleet.happened(index, event, &handle);
    }
}
