//! Shared by the tests: the companion server, and waiting for events.

use core::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};
use std::{sync::Arc, task::Wake};

use everwire::{Backoff, Closed, Dropped, Event, Message, Opened, PingSchedule, Socket, SocketBuilder};
use futures_util::{StreamExt, future::Either};

#[cfg(not(target_family = "wasm"))]
pub(crate) use self::native::TestServer;
#[cfg(target_family = "wasm")]
pub(crate) use self::remote::TestServer;

/// The companion server with faults enabled, as a part of the test.
#[cfg(not(target_family = "wasm"))]
mod native {
    use std::net::SocketAddr;

    use everwire_companion::{Config, RunningServer, Server};

    pub(crate) struct TestServer {
        running: RunningServer,
        scheme: &'static str,
    }

    impl TestServer {
        pub(crate) async fn start() -> Self {
            Self::start_at(([127, 0, 0, 1], 0).into()).await
        }

        pub(crate) async fn start_at(address: SocketAddr) -> Self {
            let config =
                Config { listen: address, faults: true, drain: core::time::Duration::ZERO, ..Config::default() };
            Self { running: Server::bind(config).await.expect("the port is free").start(), scheme: "ws" }
        }

        #[cfg(feature = "rustls-own-roots")]
        pub(crate) async fn start_with_tls(cert: &str, key: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
            std::fs::write(&cert_file, cert).unwrap();
            std::fs::write(&key_file, key).unwrap();
            let tls = everwire_server::Tls::from_pem_files(&cert_file, &key_file).unwrap();
            let listen = ([127, 0, 0, 1], 0).into();
            let config = Config { listen, tls: Some(tls), drain: core::time::Duration::ZERO, ..Config::default() };
            Self { running: Server::bind(config).await.expect("the port is free").start(), scheme: "wss" }
        }

        pub(crate) fn url(&self, path: &str) -> String {
            format!("{}://{}{path}", self.scheme, self.address())
        }

        pub(crate) fn address(&self) -> SocketAddr {
            self.running.local_addr()
        }

        pub(crate) async fn stop(self) {
            self.running.stop().await;
        }
    }
}

/// The companion server as a process of its own, which a browser connects to.
#[cfg(target_family = "wasm")]
mod remote {
    use std::sync::atomic::{AtomicBool, Ordering};

    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::JsFuture;

    /// `cargo xtask test wasm` compiles in the address of the server that it starts; the other is the default of a companion server.
    const SERVER: &str = match option_env!("EVERWIRE_TEST_SERVER") {
        Some(server) => server,
        None => "ws://127.0.0.1:9001",
    };

    // A plain WebSocket: the isolation headers of the test page block other requests to another origin.
    #[wasm_bindgen(inline_js = "export const reach = (url) => new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onerror = () => resolve(false);
        socket.onopen = () => { socket.close(); resolve(true); };
    });")]
    extern "C" {
        fn reach(url: &str) -> js_sys::Promise;
    }

    pub(crate) struct TestServer;

    impl TestServer {
        /// Without a server every test would fail by a timeout that does not say why.
        pub(crate) async fn start() -> Self {
            static IS_REACHED: AtomicBool = AtomicBool::new(false);
            if !IS_REACHED.load(Ordering::Relaxed) {
                let reached = JsFuture::from(reach(&format!("{SERVER}/echo"))).await;
                assert!(
                    reached.is_ok_and(|reached| reached.is_truthy()),
                    "start the server of these tests first, by `cargo run -p everwire-companion -- --faults`; nothing answers at {SERVER}"
                );
                IS_REACHED.store(true, Ordering::Relaxed);
            }
            Self
        }

        pub(crate) fn url(&self, path: &str) -> String {
            format!("{SERVER}{path}")
        }
    }
}

/// An address at which no server listens, a different one for each test: Firefox delays a connection to an address that has failed
/// before, and longer each time.
pub(crate) fn unused_address(test: u16) -> String {
    format!("ws://127.0.0.1:{}/", 9_190 + test)
}

/// How long a test waits for something before it fails.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Retries that come at once, so that tests need not wait.
pub(crate) fn eager() -> Backoff {
    let brief = Duration::from_millis(20);
    Backoff::default().floor(Duration::from_millis(5)).first(brief).max(brief).quick(brief)
}

/// A heartbeat with frequent pings. Its deadline is as short as a test can wait for, and long enough for a server on a busy machine:
/// with a link that is wrongly taken for dead, the messages on it would be lost.
pub(crate) fn brisk() -> PingSchedule {
    let often = Duration::from_millis(50);
    let deadline = Duration::from_secs(2);
    PingSchedule::default()
        .after_silence(often)
        .min_deadline(deadline)
        .max_deadline(deadline)
        .wake_deadline(deadline)
        .sample_every(often)
}

/// A socket whose first attempt goes to a faulty address and every other to a clean one.
pub(crate) fn faulty_once(faulty: String, clean: String) -> SocketBuilder {
    let is_first = AtomicBool::new(true);
    Socket::builder_with_url_provider(move |_| {
        let url = if is_first.swap(false, Ordering::Relaxed) { faulty.clone() } else { clean.clone() };
        async move { Ok::<_, String>(url) }
    })
}

/// The next event that `pick` accepts; others are skipped.
pub(crate) async fn next<R>(socket: &mut Socket, what: &str, mut pick: impl FnMut(Event) -> Option<R>) -> R {
    let found = async {
        loop {
            let event = socket.next().await.unwrap_or_else(|| panic!("the stream ended before {what}"));
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    };
    within(what, found).await
}

pub(crate) async fn opened(socket: &mut Socket) -> Opened {
    next(socket, "the connection opened", |event| match event {
        Event::Opened(opened) => Some(opened),
        _ => None,
    })
    .await
}

pub(crate) async fn dropped(socket: &mut Socket) -> Dropped {
    next(socket, "the connection was lost", |event| match event {
        Event::Dropped(dropped) => Some(dropped),
        _ => None,
    })
    .await
}

pub(crate) async fn closed(socket: &mut Socket) -> Closed {
    next(socket, "the connection was over", |event| match event {
        Event::Closed(closed) => Some(closed),
        _ => None,
    })
    .await
}

pub(crate) async fn message(socket: &mut Socket) -> Message {
    next(socket, "a message arrived", |event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    })
    .await
}

pub(crate) async fn text(socket: &mut Socket) -> String {
    match message(socket).await {
        Message::Text(text) => text,
        other => panic!("not a text: {other:?}"),
    }
}

/// Fails the test if the future takes too long, naming what did not happen.
pub(crate) async fn within<R>(what: &str, future: impl Future<Output = R>) -> R {
    match futures_util::future::select(pin!(future), pin!(timeout())).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => panic!("timed out before {what}"),
    }
}

#[cfg(not(target_family = "wasm"))]
async fn timeout() {
    tokio::time::sleep(TIMEOUT).await;
}

#[cfg(target_family = "wasm")]
async fn timeout() {
    gloo_timers::future::sleep(TIMEOUT).await;
}

/// Counts how often a task is woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
