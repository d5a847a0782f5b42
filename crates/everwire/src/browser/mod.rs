//! The driver for browsers: windows and workers. It turns the core's actions into calls of the browser's WebSocket, timers and
//! page events, and their events into inputs, and decides nothing.
//!
//! # Layout
//!
//! - `link`: one WebSocket with its listeners
//! - `lifecycle`: the events of page and network
//! - `timer`, `clock`: time
//! - `received`: a message in the browser's hands
//! - `text`: texts on their way into wasm memory
//! - `environment`: what this global scope has

mod clock;
mod environment;
mod lifecycle;
mod link;
mod received;
mod text;
mod timer;

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use everwire_core::{CloseCode, CloseReason, Input, Page, Protocols, SocketId, Time};
use wasm_bindgen_futures::spawn_local;
pub use web_sys::Blob;

pub(crate) use self::received::Received;
use self::{clock::Clock, lifecycle::Lifecycle, link::Link, timer::Timer};
use crate::{
    Address, Attempt, BinaryType, Cause, Message, OpenError, SocketBuilder, address::AddressSource, shared::Shared,
};

/// Everything in a browser lives on one thread.
pub(crate) type Pointer<T> = Rc<T>;

/// `Send` in native programs; no requirement in a browser, which has one thread.
pub trait MaybeSend {}
impl<T> MaybeSend for T {}

/// `Send` and `Sync` in native programs; no requirement in a browser, which has one thread.
pub trait MaybeSendSync {}
impl<T> MaybeSendSync for T {}

/// What acts for one socket.
pub(crate) struct Platform {
    clock: Clock,
    source: AddressSource,
    protocols: Protocols,
    binary_type: Cell<BinaryType>,
    /// The attempt whose address or socket is current.
    current: Cell<Option<SocketId>>,
    link: RefCell<Option<Link>>,
    /// The bytes in the current socket's buffer when they were last counted.
    held: Cell<u64>,
    timer: RefCell<Option<Timer>>,
    lifecycle: RefCell<Option<Lifecycle>>,
    is_released: Cell<bool>,
}

impl Platform {
    pub(crate) fn new(builder: &SocketBuilder) -> Result<Self, OpenError> {
        if !environment::has_web_socket() {
            return Err(OpenError::Unsupported);
        }
        if let AddressSource::Fixed(url) = &builder.source {
            environment::check_address(url)?;
        }
        Ok(Self {
            clock: Clock::start(),
            source: builder.source.clone(),
            protocols: builder.protocols.clone(),
            binary_type: Cell::new(builder.binary_type),
            current: Cell::new(None),
            link: RefCell::new(None),
            held: Cell::new(0),
            timer: RefCell::new(None),
            lifecycle: RefCell::new(None),
            is_released: Cell::new(false),
        })
    }

    /// Starts to listen to the page. The listeners hold no strong pointer, so that a socket's end frees them.
    pub(crate) fn start(&self, shared: &Rc<Shared>) {
        self.lifecycle.replace(Some(Lifecycle::listen(&Rc::downgrade(shared))));
        // A page that was opened in the background has had its event before there was a listener.
        if environment::document().is_some_and(|document| document.hidden()) {
            shared.handle(Input::Page(Page::Hidden));
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn wall(&self) -> Time {
        clock::wall()
    }

    pub(crate) fn seed(&self) -> u64 {
        environment::random_seed()
    }

    /// Asks for the address and opens a socket.
    pub(crate) fn dial(&self, shared: &Rc<Shared>, socket: SocketId, failures: u32) {
        self.detach();
        self.current.set(Some(socket));
        match &self.source {
            AddressSource::Fixed(url) => {
                self.connect(shared, socket, &Address::from(url.as_str()), Cause::AddressRefused)
            }
            AddressSource::Provider(provide) => {
                let address = provide(Attempt { failures });
                let shared = Rc::downgrade(shared);
                spawn_local(async move {
                    let address = address.await;
                    let Some(shared) = shared.upgrade() else { return };
                    if shared.platform.current.get() != Some(socket) {
                        return;
                    }
                    match address {
                        // What a provider gave may be right next time.
                        Ok(address) => shared.platform.connect(&shared, socket, &address, Cause::ProviderFailed),
                        Err(error) => shared.dropped(socket, Cause::ProviderFailed(error), 0),
                    }
                });
            }
        }
    }

    /// Hands a message to the socket.
    pub(crate) fn send(&self, socket: SocketId, message: Message) {
        self.with_link(socket, |link| link.send(message));
    }

    /// Starts the closing handshake.
    pub(crate) fn close(&self, socket: SocketId, code: CloseCode, reason: CloseReason) {
        self.with_link(socket, |link| link.close(code, &reason));
    }

    /// Detaches from the current socket, which is closed when its `Link` is dropped.
    pub(crate) fn detach(&self) {
        self.current.set(None);
        let link = self.link.take();
        drop(link);
    }

    /// Has the timer fire at the deadline, or a little before or after it.
    pub(crate) fn set_timer(&self, shared: &Rc<Shared>, deadline: Option<Time>) {
        let timer = deadline.filter(|_| !self.is_released());
        let timer = timer.map(|deadline| Timer::set(Rc::downgrade(shared), deadline - self.now()));
        let before = self.timer.replace(timer);
        drop(before);
    }

    /// The timer has fired and is no more.
    fn take_timer(&self) -> Option<Timer> {
        self.timer.take()
    }

    /// Has what waits delivered to the callback by a task of its own.
    pub(crate) fn deliver_soon(&self, shared: &Rc<Shared>) {
        let shared = Rc::downgrade(shared);
        spawn_local(async move {
            if let Some(shared) = shared.upgrade() {
                shared.deliver_pending();
            }
        });
    }

    /// Ends everything for good and frees it: the application has dropped its socket.
    pub(crate) fn release(&self, shared: &Rc<Shared>) {
        self.is_released.set(true);
        self.lifecycle.take();
        if let Some(socket) = self.current.get() {
            self.detach();
            shared.dropped(socket, Cause::closed(1000, "", false), 0);
        }
        self.timer.take();
    }

    pub(crate) fn is_released(&self) -> bool {
        self.is_released.get()
    }

    pub(crate) fn buffered_amount(&self) -> u64 {
        let bytes = self.link.borrow().as_ref().map_or(0, Link::buffered_amount);
        self.held.set(bytes);
        bytes
    }

    fn held(&self) -> u64 {
        self.held.get()
    }

    fn time_of(&self, event: &web_sys::Event) -> Time {
        self.clock.time_of(event)
    }

    pub(crate) fn binary_type(&self) -> BinaryType {
        self.binary_type.get()
    }

    pub(crate) fn set_binary_type(&self, binary_type: BinaryType) {
        self.binary_type.set(binary_type);
        if let Some(link) = self.link.borrow().as_ref() {
            link.set_binary_type(binary_type);
        }
    }

    fn connect(&self, shared: &Rc<Shared>, socket: SocketId, address: &Address, refused: fn(String) -> Cause) {
        let protocols = address.protocols.as_ref().unwrap_or(&self.protocols);
        match Link::open(&Rc::downgrade(shared), socket, &address.url, protocols, self.binary_type.get()) {
            Ok(link) => {
                self.held.set(0);
                self.link.replace(Some(link));
            }
            Err(problem) => shared.dropped(socket, refused(problem), 0),
        }
    }

    fn with_link(&self, socket: SocketId, act: impl FnOnce(&Link)) {
        if self.current.get() == Some(socket)
            && let Some(link) = self.link.borrow().as_ref()
        {
            act(link);
        }
    }
}
