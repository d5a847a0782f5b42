use std::cell::{Ref, RefCell};
use std::rc::Rc;

use everwire::SocketHandle;
use everwire_companion_api::lab::Accounts;
use gloo_timers::future::TimeoutFuture;
use web_sys::window;

use super::reader::{Reader, ReaderEvent, ReaderOptions, get_text};
use super::settings::{Chosen, Settings};
use super::track::Track;
use super::transport::Transport;
use crate::job::Job;

/// How often the server is asked what it counted, in milliseconds.
const ASK_EVERY: u32 = 1_000;

/// The transports that run side by side, and what is known of each. Dropping it ends them.
#[derive(Default)]
pub(super) struct Bench {
    tracks: RefCell<[Track; 5]>,
    running: RefCell<Option<Run>>,
    /// The line whose pings tell the server's time.
    clock: RefCell<Option<SocketHandle>>,
}

struct Run {
    _readers: Vec<Reader>,
    _accounting: Job,
}

impl Bench {
    /// Starts from nothing.
    pub(super) fn start(self: &Rc<Self>, base: &str, settings: &Settings, chosen: Chosen) {
        self.stop();
        *self.tracks.borrow_mut() = Default::default();
        let name = new_name();
        let account = |transport: Transport| format!("{name}-{}", transport.key());
        let read = |transport: Transport| {
            let options = ReaderOptions {
                transport,
                base: base.to_owned(),
                query: settings.feed(),
                account: account(transport),
                period: settings.period,
            };
            let bench = Rc::downgrade(self);
            let on_event = move |event| {
                if let Some(bench) = bench.upgrade() {
                    bench.take(transport, &event);
                }
            };
            Reader::open(options, Rc::new(on_event))
        };
        let transports = chosen.transports();
        let readers = transports.iter().copied().map(read).collect();
        let accounts: Vec<_> = transports.iter().map(|transport| (*transport, account(*transport))).collect();
        let (bench, base) = (Rc::downgrade(self), base.to_owned());
        let accounting = Job::start(async move {
            loop {
                TimeoutFuture::new(ASK_EVERY).await;
                let usages = ask(&base, accounts.iter().map(|(_, account)| account.as_str())).await;
                let Some(bench) = bench.upgrade() else { return };
                for (transport, account) in &accounts {
                    if let Some(usage) = usages.get(account) {
                        bench.tracks.borrow_mut()[*transport as usize].bytes.take(*usage);
                    }
                }
            }
        });
        *self.running.borrow_mut() = Some(Run { _readers: readers, _accounting: accounting });
    }

    /// Ends what runs; what is known stays.
    pub(super) fn stop(&self) {
        let ended = self.running.borrow_mut().take();
        drop(ended);
    }

    pub(super) fn hold_clock(&self, handle: Option<SocketHandle>) {
        *self.clock.borrow_mut() = handle;
    }

    pub(super) fn track(&self, transport: Transport) -> Ref<'_, Track> {
        Ref::map(self.tracks.borrow(), |tracks| &tracks[transport as usize])
    }

    fn take(&self, transport: Transport, event: &ReaderEvent) {
        let server_time = self.clock.borrow().as_ref().and_then(SocketHandle::server_time);
        let track = &mut self.tracks.borrow_mut()[transport as usize];
        match event {
            ReaderEvent::Open => {}
            ReaderEvent::Item(item) => track.take(item, now(), server_time),
            ReaderEvent::Failed => track.troubles += 1,
        }
    }
}

/// What the server counted for these accounts; nothing where it cannot be reached.
pub(super) async fn ask<'a>(base: &str, accounts: impl Iterator<Item = &'a str>) -> Accounts {
    let base = base.replacen("ws", "http", 1);
    let names: Vec<&str> = accounts.collect();
    let text = get_text(&format!("{base}/lab/accounts?names={}", names.join(","))).await;
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// A name that no other run has.
pub(super) fn new_name() -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "52 bits by lot")]
    let lot = (js_sys::Math::random() * 2_f64.powi(52)) as u64;
    format!("{lot:x}")
}

/// Milliseconds since the page was opened, by a clock that never goes back.
pub(super) fn now() -> f64 {
    window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}
