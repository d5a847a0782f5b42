//! The companion server, started with faults allowed: a part of a native test, a process of its own for a browser's.

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::TestServer;
#[cfg(target_family = "wasm")]
pub(crate) use remote::TestServer;

#[cfg(not(target_family = "wasm"))]
mod native {
    use std::net::SocketAddr;

    use everwire_server::{Config, RunningServer, Server};

    pub(crate) struct TestServer(RunningServer);

    impl TestServer {
        pub(crate) async fn start() -> Self {
            Self::start_at(([127, 0, 0, 1], 0).into()).await
        }

        pub(crate) async fn start_at(address: SocketAddr) -> Self {
            let config =
                Config { listen: address, faults: true, drain: core::time::Duration::ZERO, ..Config::default() };
            Self(Server::bind(config).await.expect("the port is free").start())
        }

        pub(crate) fn url(&self, path: &str) -> String {
            format!("ws://{}{path}", self.0.local_addr())
        }

        pub(crate) fn address(&self) -> SocketAddr {
            self.0.local_addr()
        }

        pub(crate) async fn stop(self) {
            self.0.stop().await;
        }
    }
}

#[cfg(target_family = "wasm")]
mod remote {
    pub(crate) struct TestServer;

    impl TestServer {
        pub(crate) async fn start() -> Self {
            Self
        }

        pub(crate) fn url(&self, path: &str) -> String {
            let Some(server) = option_env!("EVERWIRE_TEST_SERVER") else {
                panic!("run the browser tests by `cargo xtask test wasm`, which starts the server that they need");
            };
            format!("{server}{path}")
        }
    }
}
