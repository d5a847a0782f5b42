//! The driver for native programs, over tokio and tungstenite. It turns the core's actions into a socket's reads and writes and
//! a timer, and their outcome into inputs, and decides nothing.
//!
//! # Layout
//!
//! - `link`: one WebSocket and the task that serves it
//! - `timer`: the task that wakes the core
//! - `connector`: one attempt; `target`: the parsed URL; `transport`: TCP, through a `proxy` or not, and TLS
//! - `options`: what only a native program can choose; `headers`, `proxy` and `tls` are a part of it
//! - `received`: a message as tungstenite gives it
//! - `trace`: the records of the feature `tracing`

mod connector;
mod headers;
mod link;
mod options;
mod proxy;
mod received;
mod target;
mod timer;
#[cfg(feature = "rustls-own-roots")]
mod tls;
mod trace;
mod transport;

use core::{any::Any, time::Duration};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use everwire_core::{CloseCode, CloseReason, Protocols, SocketId, Time};
use tokio::runtime::Handle;

#[cfg(feature = "rustls-own-roots")]
pub use self::tls::{RootCertificates, RootCertificatesError};
use self::{connector::Connector, link::Link, target::Target, timer::Timer, trace::Trace};
pub use self::{
    headers::{Headers, HeadersError},
    proxy::{Proxy, ProxyError},
};
pub(crate) use self::{options::Options, received::Received};
use crate::{
    Address, Attempt, BinaryType, Cause, Event, Message, OpenError, SocketBuilder,
    address::{AddressFuture, AddressSource},
    shared::Shared,
};

/// Native programs have threads.
pub(crate) type Pointer<T> = Arc<T>;

/// `Send` in native programs; no requirement in a browser, which has one thread.
pub trait MaybeSend: Send {}
impl<T: Send> MaybeSend for T {}

/// `Send` and `Sync` in native programs; no requirement in a browser, which has one thread.
pub trait MaybeSendSync: Send + Sync {}
impl<T: Send + Sync> MaybeSendSync for T {}

/// What acts for one socket.
pub(crate) struct Platform {
    runtime: Handle,
    started: Instant,
    source: AddressSource,
    protocols: Protocols,
    options: Options,
    trace: Trace,
    link: Mutex<Option<Link>>,
    timer: Timer,
    is_released: AtomicBool,
}

impl Platform {
    pub(crate) fn new(builder: &SocketBuilder) -> Result<Self, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        if let AddressSource::Fixed(url) = &builder.source {
            Target::parse(url, &builder.native)?;
        }
        Ok(Self {
            runtime,
            started: Instant::now(),
            source: builder.source.clone(),
            protocols: builder.protocols.clone(),
            options: builder.native.clone(),
            trace: Trace::new(),
            link: Mutex::new(None),
            timer: Timer::new(),
            is_released: AtomicBool::new(false),
        })
    }

    /// Starts the task that wakes the core. It holds no strong pointer, and ends when the socket does.
    pub(crate) fn start(&self, shared: &Arc<Shared>) {
        self.runtime.spawn(self.timer.serve(Arc::downgrade(shared)));
    }

    pub(crate) fn now(&self) -> Time {
        self.started.elapsed().into()
    }

    pub(crate) fn wall(&self) -> Time {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().into()
    }

    pub(crate) fn seed(&self) -> u64 {
        rand::random()
    }

    /// Asks for the address and opens a socket.
    pub(crate) fn dial(&self, shared: &Arc<Shared>, socket: SocketId, failures: u32) {
        // What a provider gave may be right next time; a fixed address that is refused stays so.
        let (address, invalid_address): (AddressFuture, fn(String) -> Cause) = match &self.source {
            AddressSource::Fixed(url) => {
                (Box::pin(core::future::ready(Ok(Address::from(url.as_str())))), Cause::AddressRefused)
            }
            AddressSource::Provider(provide) => {
                let provide = Arc::clone(provide);
                // Called in the link's task, which reports a panic.
                (Box::pin(async move { provide(Attempt { failures }).await }), Cause::ProviderFailed)
            }
        };
        let (protocols, options) = (self.protocols.clone(), self.options.clone());
        let trace = self.trace.clone();
        let connector = Connector { address, protocols, options, invalid_address, failures, trace };
        let link = Link::open(&self.runtime, Arc::downgrade(shared), socket, connector);
        let before = self.link().replace(link);
        drop(before);
    }

    /// Hands a message to the socket.
    pub(crate) fn send(&self, socket: SocketId, message: Message) {
        self.with_link(socket, |link| link.send(message));
    }

    /// Starts the closing handshake.
    pub(crate) fn close(&self, socket: SocketId, code: CloseCode, reason: CloseReason) {
        self.with_link(socket, |link| link.close(code, reason));
    }

    /// Detaches from the current socket, whose task ends when its `Link` is dropped.
    pub(crate) fn detach(&self) {
        let link = self.link().take();
        drop(link);
    }

    /// Has the timer fire at the deadline.
    pub(crate) fn set_timer(&self, _shared: &Arc<Shared>, deadline: Option<Time>) {
        let deadline = deadline.filter(|_| !self.is_released());
        // Far deadlines are cut to what `Instant` can hold; the timer then fires early and is set again.
        let year = Time::from_secs(365 * 24 * 3600);
        self.timer.set(deadline.map(|deadline| self.started + Duration::from(deadline.min(self.now() + year))));
    }

    /// Has what waits delivered to the callback by a task of its own.
    pub(crate) fn deliver_soon(&self, shared: &Arc<Shared>) {
        let shared = Arc::downgrade(shared);
        self.runtime.spawn(async move {
            if let Some(shared) = alive(&shared) {
                shared.deliver_pending();
            }
        });
    }

    /// Ends everything for good: the application has dropped its socket. A close frame that is pending still goes out.
    pub(crate) fn release(&self, shared: &Arc<Shared>) {
        self.is_released.store(true, Ordering::Relaxed);
        let link = self.link().take();
        if let Some(link) = link {
            let socket = link.socket();
            link.finish();
            shared.dropped(socket, Cause::closed(1000, "", false), 0);
        }
        self.timer.end();
    }

    /// The record of an event; `None` for an event that is not recorded.
    pub(crate) fn record<T>(&self, event: &Event<T>) -> Option<impl FnOnce() + use<T>> {
        self.trace.record(event)
    }

    fn socket(&self) -> Option<SocketId> {
        self.link().as_ref().map(Link::socket)
    }

    pub(crate) fn is_released(&self) -> bool {
        self.is_released.load(Ordering::Relaxed)
    }

    pub(crate) fn buffered_amount(&self) -> u64 {
        self.link().as_ref().map_or(0, Link::buffered_amount)
    }

    pub(crate) fn binary_type(&self) -> BinaryType {
        BinaryType::ArrayBuffer
    }

    pub(crate) fn set_binary_type(&self, _binary_type: BinaryType) {}

    fn with_link(&self, socket: SocketId, act: impl FnOnce(&Link)) {
        if let Some(link) = self.link().as_ref().filter(|link| link.socket() == socket) {
            act(link);
        }
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        // A panic cannot leave it half changed: it is only ever replaced whole.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A strong pointer for as long as something is handed to the core; `None` after the socket's end.
fn alive(shared: &Weak<Shared>) -> Option<Arc<Shared>> {
    shared.upgrade().filter(|shared| !shared.platform.is_released())
}

/// The cause of a connection that was lost because the application's code panicked in one of the driver's tasks.
fn cause_of_panic(panic: &(dyn Any + Send)) -> Cause {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let reason = format!("a task of the connection panicked: {}", said.unwrap_or("without a message"));
    Cause::closed(1006, reason, false)
}
