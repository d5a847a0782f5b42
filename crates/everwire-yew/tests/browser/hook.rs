use everwire::{Event, JsonSocket, Socket, State};
use everwire_yew::SocketOptions;
use futures_util::StreamExt;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stage::{Letter, Stage, endpoint};

const HERE: Letter = Letter::Position { lat: 1.0, lon: 2.0, accuracy: 3.0 };

/// Somebody else at the tracker, who sees who comes and who leaves.
async fn watcher() -> JsonSocket<Letter, Letter> {
    let mut watcher = JsonSocket::open(endpoint("/tracker")).unwrap();
    while !matches!(watcher.recv().await.unwrap(), Ok(Letter::Welcome { .. })) {}
    watcher
}

async fn sees_leaving(watcher: &mut JsonSocket<Letter, Letter>, who: u64) {
    while !matches!(watcher.recv().await.unwrap(), Ok(Letter::Left { id }) if id == who) {}
}

/// Opens a component at the tracker that shares its position, and tells its number there.
async fn sharing() -> (Stage, u64) {
    let mut stage = Stage::set(SocketOptions::new(endpoint("/tracker")));
    let id = loop {
        if let Letter::Welcome { id } = stage.letter().await {
            break id;
        }
    };
    stage.socket().send(&HERE).unwrap();
    while !matches!(stage.letter().await, Letter::Position { .. }) {}
    (stage, id)
}

#[wasm_bindgen_test]
async fn a_component_that_is_gone_has_closed_its_socket_and_hears_nothing_more() {
    let mut watcher = watcher().await;
    let (stage, id) = sharing().await;
    let handle = stage.socket().handle().unwrap();
    let mut events = stage.strike();
    sees_leaving(&mut watcher, id).await;
    assert!(handle.send("after the end").is_err());
    assert!(events.next().await.is_none(), "the callback lives on, with an event in it");
}

#[wasm_bindgen_test]
async fn other_options_open_another_socket_after_the_old_one_was_closed() {
    let mut watcher = watcher().await;
    let (mut stage, id) = sharing().await;
    stage.change(SocketOptions::new(endpoint("/echo")));
    sees_leaving(&mut watcher, id).await;
    let opened = stage.opened().await;
    assert!(opened.url.ends_with("/echo"), "{}", opened.url);
    assert!(!opened.is_reconnect);
    stage.socket().send(&Letter::Number { number: 5 }).unwrap();
    assert_eq!(stage.letter().await, Letter::Number { number: 5 });
}

#[wasm_bindgen_test]
async fn a_render_with_the_same_options_keeps_the_socket() {
    let mut stage = Stage::set(SocketOptions::new(endpoint("/echo")));
    stage.opened().await;
    let renders = stage.renders();
    let before = stage.socket().handle().unwrap();
    stage.change(SocketOptions::with_builder(endpoint("/echo"), Socket::builder(endpoint("/echo"))));
    stage.socket().send(&Letter::Number { number: 1 }).unwrap();
    assert_eq!(stage.letter().await, Letter::Number { number: 1 });
    assert!(stage.renders() >= renders);
    assert_eq!(before.stats().opened, 1);
    assert_eq!(before.stats().messages_in, 1, "another socket got the message");
}

#[wasm_bindgen_test]
async fn of_a_burst_every_message_arrives_one_by_one_and_in_order() {
    const MESSAGES: u32 = 500;
    let mut stage = Stage::set(SocketOptions::new(endpoint("/echo")));
    stage.opened().await;
    // The badge shows the open connection first, since that is a render too.
    stage.until(|stage| stage.text("everwire-badge-state").as_deref() == Some("Connected")).await;
    let renders = stage.renders();
    for number in 0..MESSAGES {
        stage.socket().send(&Letter::Number { number }).unwrap();
    }
    for number in 0..MESSAGES {
        assert_eq!(stage.letter().await, Letter::Number { number });
    }
    assert_eq!(stage.renders(), renders, "messages rendered the component");
}

#[wasm_bindgen_test]
async fn a_message_of_another_type_is_an_error_in_its_place() {
    let mut stage = Stage::set(SocketOptions::new(endpoint("/echo")));
    stage.opened().await;
    stage.socket().handle().unwrap().send("no letter").unwrap();
    stage.socket().send(&Letter::Number { number: 1 }).unwrap();
    let error = loop {
        match stage.event().await {
            Ok(Event::Message(letter)) => panic!("{letter:?} came first"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("no letter"), "{error}");
    assert_eq!(stage.letter().await, Letter::Number { number: 1 });
}

#[wasm_bindgen_test]
async fn a_connection_that_was_closed_can_be_opened_again_and_is_read() {
    let mut stage = Stage::set(SocketOptions::new(endpoint("/echo")));
    stage.opened().await;
    stage.socket().close();
    stage.closed().await;
    stage.until(|stage| stage.text("everwire-badge-state").as_deref() == Some("Closed")).await;
    assert_eq!(stage.socket().status().state(), State::Closed);
    stage.socket().reconnect();
    stage.opened().await;
    stage.socket().send(&Letter::Number { number: 9 }).unwrap();
    assert_eq!(stage.letter().await, Letter::Number { number: 9 });
}

#[wasm_bindgen_test]
async fn an_address_that_cannot_be_dialled_is_told_in_words() {
    let stage = Stage::set(SocketOptions::new("ftp://example.org"));
    stage.until(|stage| stage.text("everwire-badge-state").as_deref() == Some("Not connected")).await;
    let status = stage.socket().status();
    assert!(status.is_idle());
    assert!(status.trouble().is_some());
    assert!(stage.socket().send(&HERE).is_err());
}

#[wasm_bindgen_test]
async fn idle_options_open_nothing_until_they_change() {
    let mut stage = Stage::set(SocketOptions::idle());
    stage.until(|stage| stage.text("everwire-badge-state").as_deref() == Some("Not connected")).await;
    assert!(stage.socket().handle().is_none());
    stage.change(SocketOptions::new(endpoint("/echo")));
    stage.opened().await;
}
