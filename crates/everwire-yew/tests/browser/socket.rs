//! The hook for a socket, and the badge that shows it.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use everwire::{Backoff, Event, JsonSocket, Socket, State, Time};
use everwire_yew::SocketOptions;
use futures_util::StreamExt;
use js_sys::{Object, Reflect};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::window;

use crate::{TestMessage, TestPage, endpoint};

const HERE: TestMessage = TestMessage::Position { lat: 1.0, lon: 2.0, accuracy: 3.0 };

/// Another client of the tracker, which sees joins and leaves.
async fn watcher() -> JsonSocket<TestMessage, TestMessage> {
    let mut watcher = JsonSocket::open(endpoint("/tracker")).unwrap();
    while !matches!(watcher.recv().await.unwrap(), Ok(TestMessage::Welcome { .. })) {}
    watcher
}

async fn sees_leaving(watcher: &mut JsonSocket<TestMessage, TestMessage>, who: u64) {
    while !matches!(watcher.recv().await.unwrap(), Ok(TestMessage::Left { id }) if id == who) {}
}

/// Mounts a component that shares its position on the tracker. Returns it with its id there.
async fn sharing() -> (TestPage, u64) {
    let mut page = TestPage::mount(SocketOptions::new(endpoint("/tracker")));
    let id = loop {
        if let TestMessage::Welcome { id } = page.message().await {
            break id;
        }
    };
    page.socket().send(&HERE).unwrap();
    while !matches!(page.message().await, TestMessage::Position { .. }) {}
    (page, id)
}

#[wasm_bindgen_test]
async fn a_component_that_is_unmounted_has_closed_its_socket_and_receives_nothing_more() {
    let mut watcher = watcher().await;
    let (page, id) = sharing().await;
    let handle = page.socket().handle().unwrap();
    let mut events = page.unmount();
    sees_leaving(&mut watcher, id).await;
    assert!(handle.send("after the end").is_err());
    assert!(events.next().await.is_none(), "the callback lives on, with an event in it");
}

#[wasm_bindgen_test]
async fn other_options_open_another_socket_after_the_old_one_was_closed() {
    let mut watcher = watcher().await;
    let (mut page, id) = sharing().await;
    page.change(SocketOptions::new(endpoint("/echo")));
    sees_leaving(&mut watcher, id).await;
    let opened = page.opened().await;
    assert!(opened.url.ends_with("/echo"), "{}", opened.url);
    assert!(!opened.is_reconnect);
    page.socket().send(&TestMessage::Number { number: 5 }).unwrap();
    assert_eq!(page.message().await, TestMessage::Number { number: 5 });
}

#[wasm_bindgen_test]
async fn a_render_with_the_same_options_keeps_the_socket() {
    let mut page = TestPage::mount(SocketOptions::new(endpoint("/echo")));
    page.opened().await;
    let renders = page.renders();
    let before = page.socket().handle().unwrap();
    page.change(SocketOptions::with_builder(endpoint("/echo"), Socket::builder(endpoint("/echo"))));
    page.socket().send(&TestMessage::Number { number: 1 }).unwrap();
    assert_eq!(page.message().await, TestMessage::Number { number: 1 });
    assert!(page.renders() >= renders);
    assert_eq!(before.stats().opened, 1);
    assert_eq!(before.stats().messages_in, 1, "another socket got the message");
}

#[wasm_bindgen_test]
async fn of_a_burst_every_message_arrives_one_by_one_and_in_order() {
    const MESSAGES: u32 = 500;
    let mut page = TestPage::mount(SocketOptions::new(endpoint("/echo")));
    page.opened().await;
    // The badge shows the open connection first, since that is a render too.
    page.until(|page| page.text("everwire-badge-state").as_deref() == Some("Connected")).await;
    let renders = page.renders();
    for number in 0..MESSAGES {
        page.socket().send(&TestMessage::Number { number }).unwrap();
    }
    for number in 0..MESSAGES {
        assert_eq!(page.message().await, TestMessage::Number { number });
    }
    assert_eq!(page.renders(), renders, "messages rendered the component");
}

#[wasm_bindgen_test]
async fn a_message_of_another_type_is_an_error_in_its_place() {
    let mut page = TestPage::mount(SocketOptions::new(endpoint("/echo")));
    page.opened().await;
    page.socket().handle().unwrap().send("no message").unwrap();
    page.socket().send(&TestMessage::Number { number: 1 }).unwrap();
    let error = loop {
        match page.event().await {
            Ok(Event::Message(message)) => panic!("{message:?} came first"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("no message"), "{error}");
    assert_eq!(page.message().await, TestMessage::Number { number: 1 });
}

#[wasm_bindgen_test]
async fn a_connection_that_was_closed_can_be_opened_again_and_is_read() {
    let mut page = TestPage::mount(SocketOptions::new(endpoint("/echo")));
    page.opened().await;
    page.socket().close();
    page.closed().await;
    page.until(|page| page.text("everwire-badge-state").as_deref() == Some("Closed")).await;
    assert_eq!(page.socket().status().state(), State::Closed);
    page.socket().reconnect();
    page.opened().await;
    page.socket().send(&TestMessage::Number { number: 9 }).unwrap();
    assert_eq!(page.message().await, TestMessage::Number { number: 9 });
}

#[wasm_bindgen_test]
async fn an_invalid_address_is_explained() {
    let page = TestPage::mount(SocketOptions::new("ftp://example.org"));
    page.until(|page| page.text("everwire-badge-state").as_deref() == Some("Not connected")).await;
    let status = page.socket().status();
    assert!(status.is_idle());
    assert!(status.trouble().is_some());
    assert!(page.socket().send(&HERE).is_err());
}

#[wasm_bindgen_test]
async fn idle_options_open_nothing_until_they_change() {
    let mut page = TestPage::mount(SocketOptions::idle());
    page.until(|page| page.text("everwire-badge-state").as_deref() == Some("Not connected")).await;
    assert!(page.socket().handle().is_none());
    page.change(SocketOptions::new(endpoint("/echo")));
    page.opened().await;
}

const LONG: Duration = Duration::from_secs(600);

/// The first attempt meets a fault; later ones wait so long that no test sees one. `floor` is how long a requested one waits.
fn broken_once(path: &'static str, fault: &'static str, floor: impl Into<Time>) -> SocketOptions {
    let attempts = Cell::new(0);
    let builder = Socket::builder_with_url_provider(move |_| {
        let first = attempts.replace(attempts.get() + 1) == 0;
        let url = if first { endpoint(&format!("{path}?fault={fault}")) } else { endpoint(path) };
        async move { Ok::<_, Infallible>(url) }
    });
    let backoff = Backoff::default().floor(floor).first(LONG).max(LONG);
    SocketOptions::with_builder(fault, builder.backoff(backoff))
}

fn state(page: &TestPage) -> Option<String> {
    page.text("everwire-badge-state")
}

fn phase(page: &TestPage) -> Option<String> {
    page.find("everwire-badge")?.get_attribute("data-phase")
}

#[wasm_bindgen_test]
async fn the_badge_goes_from_connecting_to_connected_and_shows_the_round_trip() {
    let page = TestPage::mount(SocketOptions::new(endpoint("/clock")));
    page.until(|page| state(page).as_deref() == Some("Connecting")).await;
    assert!(page.find("everwire-badge-now").is_none());
    page.until(|page| state(page).as_deref() == Some("Connected")).await;
    page.until(|page| page.text("everwire-badge-detail").is_some_and(|detail| detail.ends_with("ms"))).await;
    assert_eq!(phase(&page).as_deref(), Some("open"));
}

#[wasm_bindgen_test]
async fn while_the_connection_is_down_the_badge_counts_down_and_says_why() {
    let mut page = TestPage::mount(broken_once("/echo", "close:4321", LONG));
    while !matches!(page.event().await.unwrap(), Event::Dropped(_)) {}
    page.until(|page| phase(page).as_deref() == Some("waiting")).await;
    assert_eq!(state(&page).as_deref(), Some("Reconnecting"));
    let seconds = |page: &TestPage| {
        let detail = page.text("everwire-badge-detail")?;
        detail.strip_prefix("attempt 1 in ")?.strip_suffix(" s")?.parse::<u64>().ok()
    };
    let first = seconds(&page).unwrap();
    assert!((300..=600).contains(&first), "{first}");
    // A busy page may skip a second.
    page.until(|page| seconds(page).is_some_and(|left| left < first)).await;
    assert!(page.find("everwire-badge").unwrap().get_attribute("title").unwrap().contains("4321"));
}

#[wasm_bindgen_test]
async fn the_button_of_the_badge_connects_now() {
    let mut page = TestPage::mount(broken_once("/echo", "refuse:503", Backoff::default().floor));
    while !matches!(page.event().await.unwrap(), Event::Dropped(_)) {}
    page.until(|page| page.text("everwire-badge-now").as_deref() == Some("Reconnect now")).await;
    page.find("everwire-badge-now").unwrap().click();
    page.opened().await;
    page.until(|page| state(page).as_deref() == Some("Connected")).await;
    assert!(page.find("everwire-badge-now").is_none());
}

#[wasm_bindgen_test]
async fn a_refused_handshake_is_explained_without_its_number() {
    let mut page = TestPage::mount(SocketOptions::new(endpoint("/echo?fault=refuse:503")));
    while !matches!(page.event().await.unwrap(), Event::Dropped(_)) {}
    page.until(|page| phase(page).as_deref() == Some("waiting")).await;
    let title = page.find("everwire-badge").unwrap().get_attribute("title").unwrap();
    assert!(title.starts_with("No WebSocket answers at ") && title.contains("/echo. Check the server"), "{title}");
}

#[wasm_bindgen_test]
async fn a_normal_end_differs_from_a_failure() {
    let page = TestPage::mount(SocketOptions::new(endpoint("/countdown?from=1&every=20")));
    page.until(|page| phase(page).as_deref() == Some("closed")).await;
    assert_eq!(state(&page).as_deref(), Some("Closed"));
    assert_eq!(page.text("everwire-badge-now").as_deref(), Some("Reconnect"));

    let page = TestPage::mount(SocketOptions::new(endpoint("/echo?fault=close:1008")));
    page.until(|page| phase(page).as_deref() == Some("failed")).await;
    assert_eq!(state(&page).as_deref(), Some("Disconnected"));
}

#[wasm_bindgen_test]
async fn offline_is_shown_without_a_countdown_until_the_network_is_back() {
    let mut page = TestPage::mount(broken_once("/echo", "close:4321", LONG));
    while !matches!(page.event().await.unwrap(), Event::Dropped(_)) {}
    page.until(|page| phase(page).as_deref() == Some("waiting")).await;
    let window = window().unwrap();
    let set_online = |is_online: bool, event: &str| {
        // The browser's property is on the prototype; one of the object itself shadows it.
        let descriptor = Object::new();
        Reflect::set(&descriptor, &"value".into(), &is_online.into()).unwrap();
        Reflect::set(&descriptor, &"configurable".into(), &true.into()).unwrap();
        Object::define_property(&window.navigator(), &"onLine".into(), &descriptor);
        window.dispatch_event(&web_sys::Event::new(event).unwrap()).unwrap();
    };
    set_online(false, "offline");
    page.until(|page| phase(page).as_deref() == Some("offline")).await;
    assert_eq!(page.text("everwire-badge-detail").as_deref(), Some("no network"));
    assert!(page.find("everwire-badge").unwrap().get_attribute("title").unwrap().contains("offline"));
    set_online(true, "online");
    page.until(|page| phase(page).as_deref() == Some("waiting")).await;
    assert!(page.text("everwire-badge-detail").unwrap().starts_with("attempt 1 in "));
}
