use std::cell::{Ref, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use everwire::{SendOptions, SocketHandle};
use everwire_companion_api::files::{ClientMessage, ServerMessage};
use everwire_yew::{ConnectionStatus, SocketOptions, UseSocket, use_socket};
use gloo_timers::callback::{Interval, Timeout};
use web_sys::File;
use yew::prelude::*;

use super::checksum::Checksum;
use super::desk::{Desk, Order};
use super::identity;
use super::remembered::{self, Unfinished};
use super::sending;
use crate::guard::Guard;
use crate::job::Job;
use crate::now::now;

/// How far apart the page is drawn while bytes flow, in milliseconds: more often nobody reads.
const DRAW_APART: u32 = 100;
/// How often speeds and ages are shown anew, in milliseconds, since they change by themselves.
const TICK: u32 = 1_000;

/// What is asked before the page is left.
const QUESTION: &str = "Files are still being sent. Leave? Choose the same file again later to go on.";

/// The page's desk, its connection and its files, tied together. Clones are of the same.
#[derive(Clone)]
pub(super) struct Courier(Rc<Inner>);

struct Inner {
    desk: RefCell<Desk>,
    socket: RefCell<Option<UseSocket<ClientMessage>>>,
    parcels: RefCell<HashMap<u32, Parcel>>,
    /// Who waits for an acknowledgement to make room.
    waiter: RefCell<Option<Waker>>,
    guard: RefCell<Option<Guard>>,
    drawing: RefCell<Option<Timeout>>,
    draw: UseForceUpdateHandle,
}

/// A file as the page has it.
struct Parcel {
    file: File,
    checksum: Rc<RefCell<Checksum>>,
    /// What is being done with it; dropping it stops that.
    job: Option<Job>,
}

/// Sends and lists files for as long as the component lives.
#[hook]
pub(super) fn use_courier(options: SocketOptions) -> Courier {
    let draw = use_force_update();
    let courier = use_memo((), move |()| {
        Courier(Rc::new(Inner {
            desk: RefCell::default(),
            socket: RefCell::default(),
            parcels: RefCell::default(),
            waiter: RefCell::default(),
            guard: RefCell::default(),
            drawing: RefCell::default(),
            draw,
        }))
    });
    let on_event = {
        let courier = courier.clone();
        // What no file store sends is skipped, and so is what it says of a request that came too late: whatever it was, the
        // acknowledgement after it says all.
        Callback::from(move |event| {
            if let Ok(event) = event {
                courier.change(|desk| desk.hear(event, now()));
            }
        })
    };
    {
        let courier = courier.clone();
        // Before the socket to the other server is opened. The first server finds a desk with nothing on it.
        use_effect_with(options.clone(), move |_| courier.change(Desk::another_server));
    }
    let socket = use_socket::<ClientMessage, ServerMessage>(options, on_event);
    courier.0.socket.replace(Some(socket));
    {
        let courier = courier.clone();
        use_effect_with((), move |()| {
            let ticks = {
                let courier = courier.clone();
                Interval::new(TICK, move || courier.draw())
            };
            move || {
                drop(ticks);
                courier.leave();
            }
        });
    }
    (*courier).clone()
}

impl Courier {
    pub(super) fn desk(&self) -> Ref<'_, Desk> {
        self.0.desk.borrow()
    }

    pub(super) fn status(&self) -> Option<ConnectionStatus> {
        self.0.socket.borrow().as_ref().map(UseSocket::status)
    }

    pub(super) fn handle(&self) -> Option<SocketHandle> {
        self.0.socket.borrow().as_ref()?.handle()
    }

    /// The visitor picked or dropped files.
    pub(super) fn add(&self, files: impl IntoIterator<Item = File>) {
        for file in files {
            // A size is a whole number below 2^53.
            let (name, size) = (file.name(), file.size() as u64);
            let (id, orders) = self.0.desk.borrow_mut().add(name, size);
            self.0.parcels.borrow_mut().insert(id, Parcel { file, checksum: Rc::default(), job: None });
            self.carry_out(orders);
        }
    }

    /// Changes the desk and does what follows.
    pub(super) fn change(&self, change: impl FnOnce(&mut Desk) -> Vec<Order>) {
        let orders = change(&mut self.0.desk.borrow_mut());
        self.carry_out(orders);
    }

    /// Lets go of an upload of an earlier visit.
    pub(super) fn forget(&self, unfinished: &Unfinished) {
        self.say(ClientMessage::Cancel { resume: unfinished.key.clone() });
        self.draw();
    }

    /// Asks `is_ready` now and whenever something has changed, until it is ready.
    pub(super) async fn until<T>(&self, is_ready: impl Fn(&Desk) -> Option<T>) -> T {
        std::future::poll_fn(|context: &mut Context<'_>| {
            let ready = is_ready(&self.desk());
            match ready {
                Some(ready) => Poll::Ready(ready),
                None => {
                    self.0.waiter.replace(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn carry_out(&self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Prepare(id) => self.start(id, |courier, file, _| async move {
                    let prepared = identity::of(&file).await;
                    courier.change(|desk| match prepared {
                        Ok(key) => desk.prepared(id, key),
                        Err(_) => desk.unreadable(id),
                    });
                }),
                Order::Send { id, stream } => self.start(id, move |courier, file, checksum| async move {
                    sending::send(&courier, id, stream, &file, &checksum).await;
                }),
                Order::Say(message) => self.say(message),
                Order::Stop(id) => {
                    if let Some(parcel) = self.0.parcels.borrow_mut().get_mut(&id) {
                        parcel.job = None;
                    }
                }
                Order::Forget(id) => {
                    self.0.parcels.borrow_mut().remove(&id);
                }
            }
        }
        if let Some(waiter) = self.0.waiter.take() {
            waiter.wake();
        }
        self.keep_in_mind();
        self.draw();
    }

    /// Starts to do something with a file, in place of what was being done.
    fn start<F: Future<Output = ()> + 'static>(
        &self,
        id: u32,
        work: impl FnOnce(Self, File, Rc<RefCell<Checksum>>) -> F,
    ) {
        if let Some(parcel) = self.0.parcels.borrow_mut().get_mut(&id) {
            let work = work(self.clone(), parcel.file.clone(), Rc::clone(&parcel.checksum));
            parcel.job = Some(Job::start(work));
        }
    }

    /// Tells the server, ahead of the chunks that may wait: they belong to what was before.
    fn say(&self, message: ClientMessage) {
        if let ClientMessage::Cancel { resume } = &message {
            remembered::forget(resume);
        }
        let text = serde_json::to_string(&message).expect("structs with string keys always have a JSON form");
        if let Some(handle) = self.handle() {
            // It is refused by a connection that is closed for good; the next one begins by asking anew.
            let options = SendOptions::default().priority(!matches!(message, ClientMessage::Finish { .. }));
            let _ = handle.send_with(text, options);
        }
    }

    /// What is unfinished is remembered beyond the page, and leaving it is asked about.
    fn keep_in_mind(&self) {
        let desk = self.0.desk.borrow();
        let is_guarded = self.0.guard.borrow().is_some();
        if desk.is_busy() != is_guarded {
            self.0.guard.replace(desk.is_busy().then(|| Guard::new(QUESTION)));
        }
        remembered::follow(&desk.transfers);
    }

    /// Draws the page, soon.
    fn draw(&self) {
        let mut drawing = self.0.drawing.borrow_mut();
        if drawing.is_none() {
            let inner = Rc::downgrade(&self.0);
            *drawing = Some(Timeout::new(DRAW_APART, move || {
                if let Some(inner) = inner.upgrade() {
                    inner.drawing.take();
                    inner.draw.force_update();
                }
            }));
        }
    }

    /// The page is left: what is under way stops, and can be resumed by choosing the same file again.
    fn leave(&self) {
        self.0.parcels.borrow_mut().clear();
        self.0.guard.take();
        self.0.drawing.take();
        self.0.waiter.take();
    }
}

impl PartialEq for Courier {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
