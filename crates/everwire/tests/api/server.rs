//! The companion server, started with faults allowed: a part of a native test, a process of its own for a browser's.

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::TestServer;
#[cfg(target_family = "wasm")]
pub(crate) use remote::TestServer;

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
