//! The driver for native programs, over tokio and tungstenite. It turns the core's actions into a socket's reads and writes and
//! a timer, and their outcome into inputs, and decides nothing.
//!
//! # Layout
//!
//! - `builder`: the settings that only a native program has, which `options` holds: `headers`, `proxy`, `tls` and others
//! - `link`: one WebSocket and the task that serves it
//! - `received`: a message that it receives, which the layers above the platform hold too
//! - `connect`: one attempt: the parsed URL, TCP and TLS, and the handshake
//! - `trace`: the log records of the feature `tracing`

mod builder;
mod connect;
mod headers;
mod link;
mod options;
mod proxy;
mod received;
#[cfg(feature = "rustls-own-roots")]
mod tls;
mod trace;

use core::{future::Future, panic::AssertUnwindSafe, pin::pin, time::Duration};
use std::{
    panic::catch_unwind,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use everwire_core::{CloseCode, CloseReason, Protocols, SocketId, Time};
use tokio::{
    runtime::Handle,
    select,
    sync::watch,
    task::AbortHandle,
    time::{sleep, sleep_until},
};

#[cfg(feature = "rustls-own-roots")]
pub use self::tls::{RootCertificates, RootCertificatesError};
use self::{
    connect::{Connector, Target},
    link::Link,
    trace::Trace,
};
pub use self::{
    headers::{Headers, HeadersError},
    proxy::{Proxy, ProxyError},
};
pub(crate) use self::{options::Options, received::Received};
use crate::{
    Address, Attempt, BinaryType, Cause, Event, Message, OpenError, SocketBuilder,
    builder::{AddressFuture, AddressSource},
    shared::{Platform, Shared},
};

/// What acts for one socket in a native program.
pub(crate) struct Native {
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

impl Platform for Native {
    fn new(builder: &SocketBuilder) -> Result<Self, OpenError> {
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

    /// Starts the task that wakes the core.
    fn start(&self, shared: &Arc<Shared<Self>>) {
        let shared = Arc::downgrade(shared);
        self.runtime.spawn(self.timer.run(move || Shared::alive(&shared).inspect(wake).is_some()));
    }

    fn now(&self) -> Time {
        self.started.elapsed().into()
    }

    fn wall(&self) -> Time {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().into()
    }

    fn seed(&self) -> u64 {
        rand::random()
    }

    fn dial(&self, shared: &Arc<Shared<Self>>, socket: SocketId, failures: u32) {
        // A provider may return a valid address next time; a fixed address stays invalid.
        let (address, invalid_address): (AddressFuture, fn(String) -> Cause) = match &self.source {
            AddressSource::Fixed(url) => {
                (Box::pin(core::future::ready(Ok(Address::from(url.as_str())))), Cause::AddressRefused)
            }
            AddressSource::Provider(provide) => {
                let provide = Arc::clone(provide);
                // Called in the link's task, which reports panics.
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

    fn send(&self, socket: SocketId, message: Message) {
        self.with_link(socket, |link| link.send(message));
    }

    fn close(&self, socket: SocketId, code: CloseCode, reason: CloseReason) {
        self.with_link(socket, |link| link.close(code, reason));
    }

    /// The socket's task ends when its `Link` is dropped.
    fn detach(&self) {
        let link = self.link().take();
        drop(link);
    }

    fn set_timer(&self, _shared: &Arc<Shared<Self>>, deadline: Option<Time>) {
        let deadline = deadline.filter(|_| !self.is_released());
        // Far deadlines are cut to what `Instant` can hold; the timer then fires early and is set again.
        let year = Time::from_secs(365 * 24 * 3600);
        self.timer.set(deadline.map(|deadline| self.started + Duration::from(deadline.min(self.now() + year))));
    }

    fn deliver_soon(&self, shared: &Arc<Shared<Self>>) {
        let shared = Arc::downgrade(shared);
        self.runtime.spawn(async move {
            if let Some(shared) = Shared::alive(&shared) {
                shared.deliver_pending();
            }
        });
    }

    /// A close frame that is pending still goes out.
    fn release(&self, shared: &Arc<Shared<Self>>) {
        self.is_released.store(true, Ordering::Relaxed);
        let link = self.link().take();
        if let Some(link) = link {
            let socket = link.socket();
            link.finish();
            shared.dropped(socket, Cause::closed(1000, "", false), 0);
        }
        self.timer.end();
    }

    fn record<T>(&self, event: &Event<T>) -> Option<impl FnOnce() + use<T>> {
        self.trace.record(event)
    }

    fn is_released(&self) -> bool {
        self.is_released.load(Ordering::Relaxed)
    }

    fn buffered_amount(&self) -> u64 {
        self.link().as_ref().map_or(0, Link::buffered_amount)
    }

    fn is_missing_subprotocol(cause: &Cause) -> bool {
        matches!(cause, Cause::Closed { reason, .. } if *reason == connect::missing_subprotocol().to_string())
    }

    type Timeout = Timeout;

    fn timeout(&self, after: Time, fire: impl FnOnce() + Send + 'static) -> Timeout {
        Timeout::start(&self.runtime, after.into(), fire)
    }

    fn binary_type(&self) -> BinaryType {
        BinaryType::ArrayBuffer
    }

    fn set_binary_type(&self, _binary_type: BinaryType) {}
}

impl Native {
    fn socket(&self) -> Option<SocketId> {
        self.link().as_ref().map(Link::socket)
    }

    fn with_link(&self, socket: SocketId, act: impl FnOnce(&Link)) {
        if let Some(link) = self.link().as_ref().filter(|link| link.socket() == socket) {
            act(link);
        }
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        // A panic cannot leave it half changed: it is only replaced as a whole.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the core. A custom heartbeat may panic: that drops the connection, and the timer goes on.
fn wake(shared: &Arc<Shared<Native>>) {
    let platform = &shared.platform;
    let woken = catch_unwind(AssertUnwindSafe(|| shared.timer_fired()));
    if let Err(panic) = woken
        && let Some(socket) = platform.socket()
    {
        let buffered = platform.buffered_amount();
        platform.detach();
        let cause = Cause::panicked(&*panic);
        // The reconnect policy may panic, too.
        let _ = catch_unwind(AssertUnwindSafe(|| shared.dropped(socket, cause, buffered)));
    }
}

/// When the timer fires next. Dropping or ending it ends the task that waits for it.
pub(super) struct Timer {
    setting: watch::Sender<Setting>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Setting {
    Off,
    At(Instant),
    Ended,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { setting: watch::Sender::new(Setting::Off) }
    }

    pub(super) fn set(&self, deadline: Option<Instant>) {
        let setting = deadline.map_or(Setting::Off, Setting::At);
        self.setting.send_if_modified(|current| {
            let is_new = *current != setting && *current != Setting::Ended;
            if is_new {
                *current = setting;
            }
            is_new
        });
    }

    pub(super) fn end(&self) {
        self.setting.send_replace(Setting::Ended);
    }

    /// Calls `fire` each time the deadline passes, until it returns false or the timer is ended.
    pub(super) fn run<F: Fn() -> bool + Send>(&self, fire: F) -> impl Future<Output = ()> + Send + use<F> {
        let mut setting = self.setting.subscribe();
        async move {
            loop {
                let current = *setting.borrow_and_update();
                let fired = match current {
                    Setting::Ended => return,
                    Setting::Off => setting.changed().await.map(|()| false),
                    Setting::At(at) => {
                        let sleep = pin!(sleep_until(at.into()));
                        select! {
                            changed = setting.changed() => changed.map(|()| false),
                            () = sleep => Ok(true),
                        }
                    }
                };
                let Ok(fired) = fired else { return };
                if fired && !fire() {
                    return;
                }
            }
        }
    }
}

/// A timer that fires once. Dropping it ends the task that waits for it.
pub(crate) struct Timeout(AbortHandle);

impl Timeout {
    pub(super) fn start(runtime: &Handle, after: Duration, fire: impl FnOnce() + Send + 'static) -> Self {
        let task = runtime.spawn(async move {
            sleep(after).await;
            fire();
        });
        Self(task.abort_handle())
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        self.0.abort();
    }
}
