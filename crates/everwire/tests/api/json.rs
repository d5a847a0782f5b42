//! The typed view.

use everwire::{Event, JsonDecodeError, JsonSocket, Socket};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{server::TestServer, tools::within};

#[derive(Serialize)]
struct Ask {
    client_time: f64,
}

#[derive(Deserialize, Debug)]
struct Answer {
    client_time: f64,
    server_time: f64,
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn values_go_out_and_come_in() {
    let server = TestServer::start().await;
    let mut socket = JsonSocket::<Ask, Answer>::open(server.url("/clock")).unwrap();
    socket.send(&Ask { client_time: 12.5 }).unwrap();
    let answer = within("an answer came", socket.recv()).await.unwrap().unwrap();
    assert_eq!(answer.client_time, 12.5);
    assert!(answer.server_time > 1.7e12);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_is_not_of_the_type_is_an_error_that_shows_the_text_and_ends_nothing() {
    let server = TestServer::start().await;
    let socket = Socket::open(server.url("/echo")).unwrap();
    let handle = socket.handle().clone();
    let mut socket = socket.json::<(), Vec<u32>>();
    for text in [r#"{"surprise":true}"#, "[1,2,3]"] {
        handle.send(text).unwrap();
    }
    handle.send(vec![1_u8, 2]).unwrap();
    handle.send("[4]").unwrap();
    let error = within("the error came", socket.recv()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains(r#"the text starts: {"surprise":true}"#), "{error}");
    assert_eq!(within("a value came", socket.recv()).await.unwrap().unwrap(), [1, 2, 3]);
    let error = within("the error came", socket.recv()).await.unwrap().unwrap_err();
    assert!(matches!(error, JsonDecodeError::NotText { bytes: 2 }), "{error:?}");
    assert_eq!(within("a value came", socket.recv()).await.unwrap().unwrap(), [4]);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn it_is_a_stream_of_events_and_a_sink_of_values() {
    let server = TestServer::start().await;
    let (mut sink, stream) = Socket::open(server.url("/echo")).unwrap().json::<u32, u32>().split();
    let values = stream.filter_map(|event| async {
        match event.unwrap() {
            Event::Message(value) => Some(value),
            _ => None,
        }
    });
    let sending = async { sink.send(41).await.unwrap() };
    let (values, ()) =
        within("a value came", futures_util::future::join(values.take(1).collect::<Vec<_>>(), sending)).await;
    assert_eq!(values, [41]);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn texts_of_any_length_and_script_are_decoded_one_after_the_other() {
    let server = TestServer::start().await;
    let mut socket = JsonSocket::<String, String>::open(server.url("/echo")).unwrap();
    let texts = [
        "Grüße, 世界, 🦀. ".repeat(10_000),
        "short".to_owned(),
        format!("{}🦀", "x".repeat(1_000)),
        "x".repeat(500),
        String::new(),
    ];
    for text in &texts {
        socket.send(text).unwrap();
    }
    for text in &texts {
        assert_eq!(&within("a text", socket.recv()).await.unwrap().unwrap(), text);
    }
}
