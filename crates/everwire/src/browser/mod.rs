//! The driver for browsers: windows and workers. It turns the core's actions into calls of the browser's WebSocket, timers and
//! page events, and their events into inputs, and decides nothing.
//!
//! # Layout
//!
//! - `link`: one WebSocket with its listeners
//! - `received`: a message that it receives, which the layers above the platform hold too
//! - `page`: the global scope of the window or worker, its clock and timers, and its life cycle

mod link;
mod page;
mod received;

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use everwire_core::{CloseCode, CloseReason, Input, Page, Protocols, SocketId, Time};
use wasm_bindgen_futures::spawn_local;
pub use web_sys::Blob;

pub(crate) use self::received::Received;
use self::{
    link::Link,
    page::{Clock, Lifecycle, Timer},
};
pub use crate::threads::{MaybeSend, MaybeSendSync};
use crate::{
    Address, Attempt, BinaryType, Cause, Message, OpenError, SocketBuilder,
    builder::AddressSource,
    shared::{Platform, Shared},
};

/// What acts for one socket in a window or a worker.
pub(crate) struct Browser {
    clock: Clock,
    source: AddressSource,
    protocols: Protocols,
    binary_type: Cell<BinaryType>,
    /// The attempt whose address or socket is current.
    current: Cell<Option<SocketId>>,
    link: RefCell<Option<Link>>,
    timer: RefCell<Option<Timer>>,
    lifecycle: RefCell<Option<Lifecycle>>,
    is_released: Cell<bool>,
}

impl Platform for Browser {
    fn new(builder: &SocketBuilder) -> Result<Self, OpenError> {
        if !page::has_web_socket() {
            return Err(OpenError::Unsupported);
        }
        if let AddressSource::Fixed(url) = &builder.source {
            page::check_address(url)?;
        }
        Ok(Self {
            clock: Clock::start(),
            source: builder.source.clone(),
            protocols: builder.protocols.clone(),
            binary_type: Cell::new(builder.binary_type),
            current: Cell::new(None),
            link: RefCell::new(None),
            timer: RefCell::new(None),
            lifecycle: RefCell::new(None),
            is_released: Cell::new(false),
        })
    }

    /// Starts to listen to the page.
    fn start(&self, shared: &Rc<Shared<Self>>) {
        let weak = Rc::downgrade(shared);
        let lifecycle = Lifecycle::listen(move |input| {
            if let Some(shared) = weak.upgrade() {
                shared.handle(input);
            }
        });
        self.lifecycle.replace(Some(lifecycle));
        // A page that was opened in the background was hidden before there was a listener.
        if page::document().is_some_and(|document| document.hidden()) {
            shared.handle(Input::Page(Page::Hidden));
        }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn wall(&self) -> Time {
        page::wall_clock()
    }

    fn seed(&self) -> u64 {
        page::random_seed()
    }

    fn dial(&self, shared: &Rc<Shared<Self>>, socket: SocketId, failures: u32) {
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
                        // A provider may return a valid address next time.
                        Ok(address) => shared.platform.connect(&shared, socket, &address, Cause::ProviderFailed),
                        Err(error) => shared.dropped(socket, Cause::ProviderFailed(error), 0),
                    }
                });
            }
        }
    }

    fn send(&self, socket: SocketId, message: Message) {
        self.with_link(socket, |link| link.send(message));
    }

    fn close(&self, socket: SocketId, code: CloseCode, reason: CloseReason) {
        self.with_link(socket, |link| link.close(code, &reason));
    }

    /// The socket is closed when its `Link` is dropped.
    fn detach(&self) {
        self.current.set(None);
        let link = self.link.take();
        drop(link);
    }

    fn set_timer(&self, shared: &Rc<Shared<Self>>, deadline: Option<Time>) {
        let timer = deadline.filter(|_| !self.is_released()).map(|deadline| {
            let shared = Rc::downgrade(shared);
            Timer::set(deadline - self.now(), move || {
                if let Some(shared) = shared.upgrade() {
                    shared.timer_fired();
                }
            })
        });
        let before = self.timer.replace(timer);
        drop(before);
    }

    fn deliver_soon(&self, shared: &Rc<Shared<Self>>) {
        let shared = Rc::downgrade(shared);
        spawn_local(async move {
            if let Some(shared) = shared.upgrade() {
                shared.deliver_pending();
            }
        });
    }

    fn release(&self, shared: &Rc<Shared<Self>>) {
        self.is_released.set(true);
        self.lifecycle.take();
        if let Some(socket) = self.current.get() {
            self.detach();
            shared.dropped(socket, Cause::closed(1000, "", false), 0);
        }
        self.timer.take();
    }

    fn is_released(&self) -> bool {
        self.is_released.get()
    }

    fn buffered_amount(&self) -> u64 {
        self.link.borrow().as_ref().map_or(0, Link::buffered_amount)
    }

    type Timeout = Timer;

    fn timeout(&self, after: Time, fire: impl FnOnce() + 'static) -> Timer {
        Timer::set(after, fire)
    }

    fn binary_type(&self) -> BinaryType {
        self.binary_type.get()
    }

    fn set_binary_type(&self, binary_type: BinaryType) {
        self.binary_type.set(binary_type);
        if let Some(link) = self.link.borrow().as_ref() {
            link.set_binary_type(binary_type);
        }
    }
}

impl Browser {
    fn connect(&self, shared: &Rc<Shared<Self>>, socket: SocketId, address: &Address, refused: fn(String) -> Cause) {
        let protocols = address.protocols.as_ref().unwrap_or(&self.protocols);
        let (shared_by_link, clock) = (Rc::downgrade(shared), self.clock.clone());
        match Link::open(&shared_by_link, clock, socket, &address.url, protocols, self.binary_type.get()) {
            Ok(link) => {
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
