use std::cell::{Ref, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use everwire::{SendOptions, SocketHandle};
use everwire_companion_api::files::{ChunkHeader, ClientMessage, ServerMessage};
use everwire_yew::{ConnectionStatus, SocketOptions, UseSocket, use_socket};
use gloo_timers::callback::{Interval, Timeout};
use web_sys::File;
use yew::prelude::*;

use super::local_file::{Checksum, ReadError, read_block, resume_key};
use super::state::{Command, State};
use super::unfinished::{self, UnfinishedUpload};
use crate::guard::Guard;
use crate::job::Job;
use crate::now::now;

/// The least time between two renders while bytes are sent, in milliseconds.
const RENDER_APART: u32 = 100;
/// How often the page renders without an event, in milliseconds, since speeds and ages change by themselves.
const TICK: u32 = 1_000;

/// How much is read from a file at once. Digesting that much takes a few milliseconds, so that the page stays responsive.
const BLOCK: u64 = 1 << 20;

/// The question before the page is left.
const QUESTION: &str = "Files are still being sent. Leave this page? To resume later, choose the same files again.";

/// Connects the page's state, its socket and its files. Clones share them.
#[derive(Clone)]
pub(super) struct Controller(Rc<Shared>);

struct Shared {
    state: RefCell<State>,
    socket: RefCell<Option<UseSocket<ClientMessage>>>,
    local_files: RefCell<HashMap<u32, LocalFile>>,
    /// The task that waits for an acknowledgement to open the window.
    waiter: RefCell<Option<Waker>>,
    guard: RefCell<Option<Guard>>,
    pending_render: RefCell<Option<Timeout>>,
    update: UseForceUpdateHandle,
}

/// A file of the visitor.
struct LocalFile {
    file: File,
    checksum: Rc<RefCell<Checksum>>,
    /// The task that reads or sends it. Dropping it stops the task.
    job: Option<Job>,
}

/// Sends and lists files for as long as the component lives.
#[hook]
pub(super) fn use_controller(options: SocketOptions) -> Controller {
    let update = use_force_update();
    let controller = use_memo((), move |()| {
        Controller(Rc::new(Shared {
            state: RefCell::default(),
            socket: RefCell::default(),
            local_files: RefCell::default(),
            waiter: RefCell::default(),
            guard: RefCell::default(),
            pending_render: RefCell::default(),
            update,
        }))
    });
    let on_event = {
        let controller = controller.clone();
        // A message that cannot be decoded is skipped; the next acknowledgement says where the upload is.
        Callback::from(move |event| {
            if let Ok(event) = event {
                controller.change(|state| state.on_event(event, now()));
            }
        })
    };
    {
        let controller = controller.clone();
        // Runs before the socket to the new server is opened.
        use_effect_with(options.clone(), move |_| controller.change(State::change_server));
    }
    let socket = use_socket::<ClientMessage, ServerMessage>(options, on_event);
    controller.0.socket.replace(Some(socket));
    {
        let controller = controller.clone();
        use_effect_with((), move |()| {
            let ticks = {
                let controller = controller.clone();
                Interval::new(TICK, move || controller.render_soon())
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

    /// Adds files that the visitor picked or dropped.
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

    /// Cancels an upload that an earlier visit left unfinished.
    pub(super) fn discard(&self, unfinished: &UnfinishedUpload) {
        self.send_message(ClientMessage::Cancel { resume: unfinished.key.clone() });
        self.render_soon();
    }

    /// Waits until `is_ready` returns something. It is called now and after each change of the state.
    async fn until<T>(&self, is_ready: impl Fn(&State) -> Option<T>) -> T {
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
                    let prepared = resume_key(&file).await;
                    controller.change(|state| match prepared {
                        Ok(key) => state.prepared(id, key),
                        Err(_) => state.unreadable(id),
                    });
                }),
                Command::SendChunks { id, stream } => self.start(id, move |controller, file, checksum| async move {
                    send(&controller, id, stream, &file, &checksum).await;
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
        self.persist();
        self.render_soon();
    }

    /// Starts a task for a file. It replaces the one before.
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

    /// Sends a message ahead of the chunks that are still queued, since those belong to an earlier attempt. Only the end of a file must
    /// not overtake its chunks.
    fn send_message(&self, message: ClientMessage) {
        if let ClientMessage::Cancel { resume } = &message {
            unfinished::remove(resume);
        }
        let text = serde_json::to_string(&message).expect("structs with string keys always have a JSON form");
        if let Some(handle) = self.handle() {
            // A connection that is closed rejects it; the next one starts with a new request.
            let options = SendOptions::default().priority(!matches!(message, ClientMessage::Finish { .. }));
            let _ = handle.send_with(text, options);
        }
    }

    /// Stores which uploads are unfinished, and guards the page from being left while there are some.
    fn persist(&self) {
        let state = self.0.state.borrow();
        let is_guarded = self.0.guard.borrow().is_some();
        if state.is_busy() != is_guarded {
            self.0.guard.replace(state.is_busy().then(|| Guard::new(QUESTION)));
        }
        unfinished::update(&state.transfers);
    }

    /// Renders the page after a short time, once for all changes until then.
    fn render_soon(&self) {
        let mut pending = self.0.pending_render.borrow_mut();
        if pending.is_none() {
            let shared = Rc::downgrade(&self.0);
            *pending = Some(Timeout::new(RENDER_APART, move || {
                if let Some(shared) = shared.upgrade() {
                    shared.pending_render.take();
                    shared.update.force_update();
                }
            }));
        }
    }

    /// Stops all tasks as the page is left. The uploads can be resumed by choosing the same files again.
    fn leave(&self) {
        self.0.local_files.borrow_mut().clear();
        self.0.guard.take();
        self.0.pending_render.take();
        self.0.waiter.take();
    }
}

impl PartialEq for Controller {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Why sending stops before the end. A lost connection is not among the reasons: then the state stops the task and starts another.
enum SendError {
    Unreadable,
    Closed,
}

impl From<ReadError> for SendError {
    fn from(_: ReadError) -> Self {
        Self::Unreadable
    }
}

/// Sends a file from the offset that the server named to its end, as fast as the window and the connection allow.
async fn send(controller: &Controller, id: u32, stream: u32, file: &File, checksum: &RefCell<Checksum>) {
    match send_all(controller, id, stream, file, checksum).await {
        Ok(()) => {
            let sha256 = checksum.borrow().finish();
            controller.change(|state| state.all_sent(id, stream, sha256));
        }
        Err(SendError::Unreadable) => controller.change(|state| state.unreadable(id)),
        // The state handles the event of the connection.
        Err(SendError::Closed) => {}
    }
}

async fn send_all(
    controller: &Controller,
    id: u32,
    stream: u32,
    file: &File,
    checksum: &RefCell<Checksum>,
) -> Result<(), SendError> {
    let Some(flow) = controller.state().transfer(id).map(|transfer| transfer.flow) else { return Ok(()) };
    checksum.borrow_mut().begin(flow.sent());
    catch_up(controller, id, stream, file, checksum, flow.sent()).await?;
    let mut range = block_at(flow.sent(), flow.size());
    let mut pending = read_block(file, &range);
    while !range.is_empty() {
        let block = pending.await?;
        // The next one is read while this one is sent.
        let next = block_at(range.end, flow.size());
        pending = read_block(file, &next);
        let mut offset = range.start;
        while offset < range.end {
            let most = controller.until(|state| room(state, id, stream, range.end - offset)).await;
            let mut message = vec![0; ChunkHeader::SIZE + most as usize];
            let (header, bytes) = message.split_at_mut(ChunkHeader::SIZE);
            header.copy_from_slice(&ChunkHeader { stream, offset }.to_bytes());
            let from = (offset - range.start) as u32;
            block.subarray(from, from + most as u32).copy_to(bytes);
            checksum.borrow_mut().update(offset, bytes);
            let handle = controller.handle().ok_or(SendError::Closed)?;
            handle.ready().await.map_err(|_| SendError::Closed)?;
            handle.send(message).map_err(|_| SendError::Closed)?;
            offset += most;
            controller.change(|state| {
                state.sent(id, stream, offset);
                vec![]
            });
        }
        range = next;
    }
    Ok(())
}

fn block_at(start: u64, size: u64) -> Range<u64> {
    start..size.min(start + BLOCK)
}

/// How many of the bytes left in a block can be sent in one message now.
fn room(state: &State, id: u32, stream: u32, left: u64) -> Option<u64> {
    let flow = state.transfer(id).filter(|transfer| transfer.stream == stream)?.flow;
    let next = flow.next(flow.chunk().min(left))?;
    Some(next.end - next.start)
}

/// Digests what the server already has and the checksum does not cover, as after a reload of the page.
async fn catch_up(
    controller: &Controller,
    id: u32,
    stream: u32,
    file: &File,
    checksum: &RefCell<Checksum>,
    start: u64,
) -> Result<(), SendError> {
    while checksum.borrow().position() < start {
        let position = checksum.borrow().position();
        let range = position..start.min(position + BLOCK);
        let bytes = read_block(file, &range).await?.to_vec();
        checksum.borrow_mut().update(position, &bytes);
        controller.change(|state| {
            state.reread(id, stream, range.end);
            vec![]
        });
    }
    Ok(())
}
