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
use super::identity;
use super::remembered::{self, Unfinished};
use super::sending;
use super::state::{Command, State};
use crate::guard::Guard;
use crate::job::Job;
use crate::now::now;

/// How far apart the page is drawn while bytes flow, in milliseconds: more often nobody reads.
const DRAW_APART: u32 = 100;
/// How often speeds and ages are shown anew, in milliseconds, since they change by themselves.
const TICK: u32 = 1_000;

/// What is asked before the page is left.
const QUESTION: &str = "Files are still being sent. Leave? Choose the same file again later to go on.";

/// Connects the page's state, its socket and its files. Clones share them.
#[derive(Clone)]
pub(super) struct Controller(Rc<Inner>);

struct Inner {
    state: RefCell<State>,
    socket: RefCell<Option<UseSocket<ClientMessage>>>,
    local_files: RefCell<HashMap<u32, LocalFile>>,
    /// The task that waits for an acknowledgement to make room.
    waiter: RefCell<Option<Waker>>,
    guard: RefCell<Option<Guard>>,
    drawing: RefCell<Option<Timeout>>,
    draw: UseForceUpdateHandle,
}

/// A file of the visitor.
struct LocalFile {
    file: File,
    checksum: Rc<RefCell<Checksum>>,
    /// The task that works on it; dropping it stops the task.
    job: Option<Job>,
}

/// Sends and lists files for as long as the component lives.
#[hook]
pub(super) fn use_controller(options: SocketOptions) -> Controller {
    let draw = use_force_update();
    let controller = use_memo((), move |()| {
        Controller(Rc::new(Inner {
            state: RefCell::default(),
            socket: RefCell::default(),
            local_files: RefCell::default(),
            waiter: RefCell::default(),
            guard: RefCell::default(),
            drawing: RefCell::default(),
            draw,
        }))
    });
    let on_event = {
        let controller = controller.clone();
        // A message that cannot be decoded is skipped, and so is the error about a request that came too late: the
        // acknowledgement after it is enough.
        Callback::from(move |event| {
            if let Ok(event) = event {
                controller.change(|state| state.on_event(event, now()));
            }
        })
    };
    {
        let controller = controller.clone();
        // Runs before the socket to the other server is opened.
        use_effect_with(options.clone(), move |_| controller.change(State::another_server));
    }
    let socket = use_socket::<ClientMessage, ServerMessage>(options, on_event);
    controller.0.socket.replace(Some(socket));
    {
        let controller = controller.clone();
        use_effect_with((), move |()| {
            let ticks = {
                let controller = controller.clone();
                Interval::new(TICK, move || controller.draw())
            };
            move || {
                drop(ticks);
                controller.leave();
            }
        });
    }
    (*controller).clone()
}

impl Controller {
    pub(super) fn state(&self) -> Ref<'_, State> {
        self.0.state.borrow()
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
            let (id, commands) = self.0.state.borrow_mut().add(name, size);
            self.0.local_files.borrow_mut().insert(id, LocalFile { file, checksum: Rc::default(), job: None });
            self.execute(commands);
        }
    }

    /// Changes the state and executes the commands that follow.
    pub(super) fn change(&self, change: impl FnOnce(&mut State) -> Vec<Command>) {
        let commands = change(&mut self.0.state.borrow_mut());
        self.execute(commands);
    }

    /// Drops an upload of an earlier visit.
    pub(super) fn forget(&self, unfinished: &Unfinished) {
        self.send_message(ClientMessage::Cancel { resume: unfinished.key.clone() });
        self.draw();
    }

    /// Asks `is_ready` now and whenever something has changed, until it is ready.
    pub(super) async fn until<T>(&self, is_ready: impl Fn(&State) -> Option<T>) -> T {
        std::future::poll_fn(|context: &mut Context<'_>| {
            let ready = is_ready(&self.state());
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

    fn execute(&self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Prepare(id) => self.start(id, |controller, file, _| async move {
                    let prepared = identity::of(&file).await;
                    controller.change(|state| match prepared {
                        Ok(key) => state.prepared(id, key),
                        Err(_) => state.unreadable(id),
                    });
                }),
                Command::SendChunks { id, stream } => self.start(id, move |controller, file, checksum| async move {
                    sending::send(&controller, id, stream, &file, &checksum).await;
                }),
                Command::SendMessage(message) => self.send_message(message),
                Command::Stop(id) => {
                    if let Some(local_file) = self.0.local_files.borrow_mut().get_mut(&id) {
                        local_file.job = None;
                    }
                }
                Command::Release(id) => {
                    self.0.local_files.borrow_mut().remove(&id);
                }
            }
        }
        if let Some(waiter) = self.0.waiter.take() {
            waiter.wake();
        }
        self.remember();
        self.draw();
    }

    /// Starts a task for a file, in place of the one before.
    fn start<F: Future<Output = ()> + 'static>(
        &self,
        id: u32,
        work: impl FnOnce(Self, File, Rc<RefCell<Checksum>>) -> F,
    ) {
        if let Some(local_file) = self.0.local_files.borrow_mut().get_mut(&id) {
            let work = work(self.clone(), local_file.file.clone(), Rc::clone(&local_file.checksum));
            local_file.job = Some(Job::start(work));
        }
    }

    /// Sends a message, ahead of chunks that are still queued: they belong to an earlier attempt.
    fn send_message(&self, message: ClientMessage) {
        if let ClientMessage::Cancel { resume } = &message {
            remembered::forget(resume);
        }
        let text = serde_json::to_string(&message).expect("structs with string keys always have a JSON form");
        if let Some(handle) = self.handle() {
            // A connection that is closed for good refuses it; the next one starts by asking again.
            let options = SendOptions::default().priority(!matches!(message, ClientMessage::Finish { .. }));
            let _ = handle.send_with(text, options);
        }
    }

    /// Remembers unfinished uploads beyond the page, and asks before the page is left.
    fn remember(&self) {
        let state = self.0.state.borrow();
        let is_guarded = self.0.guard.borrow().is_some();
        if state.is_busy() != is_guarded {
            self.0.guard.replace(state.is_busy().then(|| Guard::new(QUESTION)));
        }
        remembered::follow(&state.transfers);
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

    /// The page is left: active uploads stop, and can be resumed by choosing the same file again.
    fn leave(&self) {
        self.0.local_files.borrow_mut().clear();
        self.0.guard.take();
        self.0.drawing.take();
        self.0.waiter.take();
    }
}

impl PartialEq for Controller {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
