//! The client of `everwire.v1`, where it needs a browser.

use everwire::{
    Channel, Client, Delivery,
    client::{ClientError, ClientState, SubscribeOptions},
};
use futures_util::StreamExt;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{eager, within},
};

/// Chromium reports it like a server that is not there, and clients that retry for ever look like one that is.
#[wasm_bindgen_test]
async fn a_server_that_does_not_speak_everwire_is_a_final_error() {
    let server = TestServer::start().await;
    let client = Client::builder(server.url("/broadcast")).socket(|socket| socket.backoff(eager())).connect().unwrap();
    assert_eq!(within("the client was over", client.closed()).await, ClientError::NotEverwire);
    assert_eq!(client.state(), ClientState::Closed);
}

#[wasm_bindgen_test]
async fn messages_arrive_once_over_a_connection_that_is_replaced() {
    let server = TestServer::start().await;
    let channel = Channel::<u32>::named(format!("browser-{}", js_sys::Math::random()));
    let client = Client::builder(server.url("/everwire")).socket(|socket| socket.backoff(eager())).connect().unwrap();
    let mut numbers = client.subscribe_with(&channel, &SubscribeOptions::default().last(1));
    let published = within("it was stored", client.publish(&channel, &1)).await.unwrap();
    let session = client.session();
    // The second publish and its answer are on their way when the connection ends.
    let second = client.publish(&channel, &2);
    client.reconnect();
    let third = client.publish(&channel, &3);
    assert_eq!(within("it was stored", second).await.unwrap().offset(), published.offset() + 1);
    assert_eq!(within("it was stored", third).await.unwrap().offset(), published.offset() + 2);
    let mut received = Vec::new();
    while received.len() < 3 {
        match within("a message arrived", numbers.next()).await {
            Some(Delivery::Message(message)) => received.push((message.value, message.is_own)),
            Some(Delivery::Resumed | Delivery::CaughtUp) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(received, [(1, true), (2, true), (3, true)]);
    assert_eq!((client.session(), client.stats().opened), (session, 2));
}
