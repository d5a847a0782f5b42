//! Runs the examples that need no more than a server.

#![cfg(all(not(target_family = "wasm"), feature = "json"))]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![allow(clippy::duplicate_mod, reason = "every example has the module that starts it")]

use std::{error::Error, future::Future, time::Duration};

use everwire_companion::{Config, Server};

#[allow(dead_code, reason = "an example has a main, and is compiled here as a module")]
#[path = "../examples/custom_heartbeat.rs"]
mod custom_heartbeat;
#[allow(dead_code, reason = "an example has a main, and is compiled here as a module")]
#[path = "../examples/echo.rs"]
mod echo;
#[allow(dead_code, reason = "an example has a main, and is compiled here as a module")]
#[path = "../examples/json.rs"]
mod json;
#[allow(dead_code, reason = "an example has a main, and is compiled here as a module")]
#[path = "../examples/postcard.rs"]
mod postcard_codec;
#[allow(dead_code, reason = "an example has a main, and is compiled here as a module")]
#[path = "../examples/token_provider.rs"]
mod token_provider;

async fn run<F: Future<Output = Result<(), Box<dyn Error>>>>(path: &str, example: impl FnOnce(String) -> F) {
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), drain: Duration::ZERO, ..Config::default() };
    let server = Server::bind(config).await.unwrap().start();
    let url = format!("ws://{}{path}", server.local_addr());
    tokio::time::timeout(Duration::from_secs(20), example(url)).await.expect("the example ended").unwrap();
    server.stop().await;
}

#[tokio::test]
async fn the_echo_example_receives_its_message() {
    run("/echo", echo::run).await;
}

#[tokio::test]
async fn the_json_example_receives_the_time_of_the_server() {
    run("/clock", json::run).await;
}

#[tokio::test]
async fn the_postcard_example_receives_its_values() {
    run("/echo", postcard_codec::run).await;
}

#[tokio::test]
async fn the_token_provider_example_connects() {
    run("/echo", token_provider::run).await;
}

#[tokio::test]
async fn the_custom_heartbeat_example_measures_a_round_trip() {
    run("/echo", custom_heartbeat::run).await;
}
