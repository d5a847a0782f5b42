use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use everwire::{Backoff, Event, Socket, Time};
use everwire_yew::SocketOptions;
use js_sys::{Object, Reflect};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::window;

use crate::stage::{Stage, endpoint};

const LONG: Duration = Duration::from_secs(600);

/// The first attempt meets a fault; those that follow wait so long that no test sees one by itself. `floor` is how long one waits
/// that is asked for.
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

fn state(stage: &Stage) -> Option<String> {
    stage.text("everwire-badge-state")
}

fn phase(stage: &Stage) -> Option<String> {
    stage.find("everwire-badge")?.get_attribute("data-phase")
}

#[wasm_bindgen_test]
async fn the_badge_goes_from_connecting_to_connected_and_shows_the_round_trip() {
    let stage = Stage::set(SocketOptions::new(endpoint("/clock")));
    stage.until(|stage| state(stage).as_deref() == Some("Connecting")).await;
    assert!(stage.find("everwire-badge-now").is_none());
    stage.until(|stage| state(stage).as_deref() == Some("Connected")).await;
    stage.until(|stage| stage.text("everwire-badge-detail").is_some_and(|detail| detail.ends_with("ms"))).await;
    assert_eq!(phase(&stage).as_deref(), Some("open"));
}

#[wasm_bindgen_test]
async fn while_the_connection_is_down_the_badge_counts_down_and_says_why() {
    let mut stage = Stage::set(broken_once("/echo", "close:4321", LONG));
    while !matches!(stage.event().await.unwrap(), Event::Dropped(_)) {}
    stage.until(|stage| phase(stage).as_deref() == Some("waiting")).await;
    assert_eq!(state(&stage).as_deref(), Some("Reconnecting"));
    let seconds = |stage: &Stage| {
        let detail = stage.text("everwire-badge-detail")?;
        detail.strip_prefix("attempt 1 in ")?.strip_suffix(" s")?.parse::<u64>().ok()
    };
    let first = seconds(&stage).unwrap();
    assert!((300..=600).contains(&first), "{first}");
    // A busy page may skip a second.
    stage.until(|stage| seconds(stage).is_some_and(|left| left < first)).await;
    assert!(stage.find("everwire-badge").unwrap().get_attribute("title").unwrap().contains("4321"));
}

#[wasm_bindgen_test]
async fn the_button_of_the_badge_connects_now() {
    let mut stage = Stage::set(broken_once("/echo", "refuse:503", Backoff::default().floor));
    while !matches!(stage.event().await.unwrap(), Event::Dropped(_)) {}
    stage.until(|stage| stage.text("everwire-badge-now").as_deref() == Some("Reconnect now")).await;
    stage.find("everwire-badge-now").unwrap().click();
    stage.opened().await;
    stage.until(|stage| state(stage).as_deref() == Some("Connected")).await;
    assert!(stage.find("everwire-badge-now").is_none());
}

#[wasm_bindgen_test]
async fn a_refused_handshake_is_explained_and_not_told_by_its_number() {
    let mut stage = Stage::set(SocketOptions::new(endpoint("/echo?fault=refuse:503")));
    while !matches!(stage.event().await.unwrap(), Event::Dropped(_)) {}
    stage.until(|stage| phase(stage).as_deref() == Some("waiting")).await;
    let title = stage.find("everwire-badge").unwrap().get_attribute("title").unwrap();
    assert!(title.starts_with("No WebSocket answers at ") && title.contains("/echo. Check the server"), "{title}");
}

#[wasm_bindgen_test]
async fn a_normal_end_and_a_failure_are_told_apart() {
    let stage = Stage::set(SocketOptions::new(endpoint("/countdown?from=1&every=20")));
    stage.until(|stage| phase(stage).as_deref() == Some("closed")).await;
    assert_eq!(state(&stage).as_deref(), Some("Closed"));
    assert_eq!(stage.text("everwire-badge-now").as_deref(), Some("Reconnect"));

    let stage = Stage::set(SocketOptions::new(endpoint("/echo?fault=close:1008")));
    stage.until(|stage| phase(stage).as_deref() == Some("failed")).await;
    assert_eq!(state(&stage).as_deref(), Some("Disconnected"));
}

#[wasm_bindgen_test]
async fn offline_is_said_without_a_countdown_until_the_network_is_back() {
    let mut stage = Stage::set(broken_once("/echo", "close:4321", LONG));
    while !matches!(stage.event().await.unwrap(), Event::Dropped(_)) {}
    stage.until(|stage| phase(stage).as_deref() == Some("waiting")).await;
    let window = window().unwrap();
    let set_online = |is_online: bool, event: &str| {
        // The browser's own property is on the prototype; one of the object's own stands before it.
        let descriptor = Object::new();
        Reflect::set(&descriptor, &"value".into(), &is_online.into()).unwrap();
        Reflect::set(&descriptor, &"configurable".into(), &true.into()).unwrap();
        Object::define_property(&window.navigator(), &"onLine".into(), &descriptor);
        window.dispatch_event(&web_sys::Event::new(event).unwrap()).unwrap();
    };
    set_online(false, "offline");
    stage.until(|stage| phase(stage).as_deref() == Some("offline")).await;
    assert_eq!(stage.text("everwire-badge-detail").as_deref(), Some("no network"));
    assert!(stage.find("everwire-badge").unwrap().get_attribute("title").unwrap().contains("offline"));
    set_online(true, "online");
    stage.until(|stage| phase(stage).as_deref() == Some("waiting")).await;
    assert!(stage.text("everwire-badge-detail").unwrap().starts_with("attempt 1 in "));
}
