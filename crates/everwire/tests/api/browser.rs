//! What only a browser has: pages that hide, sleep and return, Blobs, and memory that must not grow.

use core::{
    cell::{Cell, RefCell},
    time::Duration,
};
use std::rc::Rc;

use everwire::{Backoff, BinaryType, Cause, Heartbeat, Message, OpenError, Socket, State};
#[cfg(feature = "json")]
use everwire::{
    Channel, Client, Delivery,
    client::{ClientError, ClientState, SubscribeOptions},
};
#[cfg(feature = "json")]
use futures_util::StreamExt;
use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::EventTarget;

#[cfg(feature = "json")]
use crate::support::within;
use crate::support::{TestServer, brisk, dropped, eager, message, next, opened, text, unused_address};

/// Chromium reports it like a server that is not there, and clients that retry for ever look like one that is.
#[cfg(feature = "json")]
#[wasm_bindgen_test]
async fn a_server_that_does_not_speak_everwire_is_a_final_error() {
    let server = TestServer::start().await;
    let client = Client::builder(server.url("/broadcast")).socket(|socket| socket.backoff(eager())).connect().unwrap();
    assert_eq!(within("the client was over", client.closed()).await, ClientError::NotEverwire);
    assert_eq!(client.state(), ClientState::Closed);
}

#[cfg(feature = "json")]
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

#[wasm_bindgen_test]
async fn a_binary_message_is_a_blob_where_the_binary_type_says_so() {
    let server = TestServer::start().await;
    let mut socket = Socket::builder(server.url("/echo")).binary_type(BinaryType::Blob).open().unwrap();
    socket.send(vec![1_u8, 2, 3]).unwrap();
    let Message::Blob(blob) = message(&mut socket).await else { panic!("not a Blob") };
    assert_eq!(blob.size(), 3.0);
    socket.handle().set_binary_type(BinaryType::ArrayBuffer);
    socket.send(Message::Blob(blob)).unwrap();
    assert_eq!(message(&mut socket).await, Message::from(vec![1_u8, 2, 3]));
}

/// Every binary message goes through a Blob, with two copies more (gloo-net 0.7).
#[wasm_bindgen_test]
async fn bytes_are_not_wrapped_in_a_blob() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    let scope = js_sys::global();
    let blob = Reflect::get(&scope, &"Blob".into()).unwrap();
    Reflect::set(&scope, &"Blob".into(), &JsValue::UNDEFINED).unwrap();
    let sent = socket.send(vec![9_u8; 10]);
    Reflect::set(&scope, &"Blob".into(), &blob).unwrap();
    sent.unwrap();
    assert_eq!(message(&mut socket).await, Message::from(vec![9_u8; 10]));
}

/// Four closures are leaked for every connection (ewebsock, wasm-sockets, yew-hooks); 384 KiB for 1,500 (yawc#44).
#[wasm_bindgen_test]
async fn reconnecting_does_not_leak() {
    let server = TestServer::start().await;
    let backoff = Backoff::default().floor(Duration::ZERO);
    let mut socket = Socket::builder(server.url("/echo")).backoff(backoff).open().unwrap();
    opened(&mut socket).await;
    // Whatever is allocated once, such as the inbox's room, is allocated by the first few.
    for _ in 0..50 {
        socket.reconnect();
        opened(&mut socket).await;
    }
    let before = memory_bytes();
    for _ in 0..1_500 {
        socket.reconnect();
        opened(&mut socket).await;
    }
    let grown = memory_bytes() - before;
    assert!(grown < 64 * 1024, "{grown} bytes");
}

#[wasm_bindgen_test]
async fn dropping_sockets_frees_them() {
    let server = TestServer::start().await;
    let round = async |sockets: usize| {
        for _ in 0..sockets {
            let mut socket = Socket::open(server.url("/echo")).unwrap();
            opened(&mut socket).await;
        }
    };
    round(20).await;
    let before = memory_bytes();
    round(300).await;
    let grown = memory_bytes() - before;
    assert!(grown < 64 * 1024, "{grown} bytes");
}

/// A listener that outlives its socket calls into freed memory, or revives what was closed on purpose (phoenix#6578).
#[wasm_bindgen_test]
async fn events_of_the_page_do_not_revive_what_was_closed_or_dropped() {
    let server = TestServer::start().await;
    let mut closed = Socket::open(server.url("/echo")).unwrap();
    opened(&mut closed).await;
    closed.close().await;
    let dropped = Socket::open(server.url("/echo")).unwrap();
    let handle = dropped.handle().clone();
    drop(dropped);
    for event in ["online", "offline", "focus"] {
        dispatch(event);
    }
    assert_eq!((closed.state(), handle.state()), (State::Closed, State::Closed));
}

/// A page that returns waits out a backoff of up to a minute (convex-js#183).
#[wasm_bindgen_test]
async fn a_network_that_returns_is_not_waited_for_any_longer() {
    let server = TestServer::start().await;
    let url = server.url("/echo");
    let is_down = Rc::new(Cell::new(true));
    let network = is_down.clone();
    // The ceiling is an hour, and the draw would have to fall into its first twenty seconds for the test to prove nothing.
    let hour = Duration::from_secs(3_600);
    let backoff = eager().first(hour).max(hour).floor(Duration::ZERO);
    let provide = move |_| {
        let url = if network.get() { unused_address(0) } else { url.clone() };
        async move { Ok::<_, String>(url) }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(backoff).open().unwrap();
    dropped(&mut socket).await;
    is_down.set(false);
    dispatch("online");
    opened(&mut socket).await;
}

/// A link that died while the page was away looks open for ever (graphql-ws#289).
#[wasm_bindgen_test]
async fn a_link_that_died_unseen_is_not_trusted_after_the_page_returns() {
    let server = TestServer::start().await;
    let patient =
        brisk().after_silence(Duration::from_secs(600)).wake_deadline(Duration::from_millis(200)).without_samples();
    let mut socket = crate::support::faulty_once(server.url("/echo?fault=half-open:0"), server.url("/echo"))
        .heartbeat(Heartbeat::ping().schedule(patient))
        .backoff(eager())
        .open()
        .unwrap();
    opened(&mut socket).await;
    dispatch("focus");
    let cause = dropped(&mut socket).await.cause;
    assert!(matches!(cause, Cause::HeartbeatTimeout { .. }), "{cause:?}");
    opened(&mut socket).await;
}

#[wasm_bindgen_test]
async fn a_page_in_the_back_forward_cache_has_no_socket_and_gets_one_when_it_returns() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    if !transition("pagehide") {
        assert!(Reflect::get(&js_sys::global(), &"document".into()).unwrap().is_undefined());
        return;
    }
    let dropped = dropped(&mut socket).await;
    assert_eq!((dropped.cause, dropped.retry_in), (Cause::Suspended, None));
    assert!(matches!(socket.state(), State::Waiting { retry_in: None, .. }));
    transition("pageshow");
    assert!(opened(&mut socket).await.is_reconnect);
    socket.send("back").unwrap();
    assert_eq!(text(&mut socket).await, "back");
}

/// Freed closures that the browser still calls report themselves as uncaught errors (subxt#1288, rust-libp2p#5635).
#[wasm_bindgen_test]
async fn no_closure_is_invoked_after_being_dropped() {
    let server = TestServer::start().await;
    let errors = Rc::new(RefCell::new(Vec::new()));
    let seen = errors.clone();
    let listener = Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
        seen.borrow_mut().push(format!("{:?}", Reflect::get(&event, &"message".into())));
    });
    let scope: EventTarget = js_sys::global().unchecked_into();
    scope.add_event_listener_with_callback("error", listener.as_ref().unchecked_ref()).unwrap();
    for path in [
        "/echo",
        "/countdown?from=50&every=1",
        "/echo?fault=garbage",
        "/echo?fault=refuse:503",
        "/echo?fault=close:1011",
    ] {
        for messages in 0..3 {
            let mut socket = Socket::builder(server.url(path)).backoff(eager()).open().unwrap();
            for _ in 0..messages {
                next(&mut socket, "anything happened", Some).await;
            }
        }
    }
    // What an old socket still had to say has been said when a new one has opened and answered.
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    socket.send("done").unwrap();
    text(&mut socket).await;
    scope.remove_event_listener_with_callback("error", listener.as_ref().unchecked_ref()).unwrap();
    assert_eq!(*errors.borrow(), Vec::<String>::new());
}

#[wasm_bindgen_test]
async fn a_scope_without_web_socket_is_an_error_that_says_so() {
    let scope = js_sys::global();
    let class = Reflect::get(&scope, &"WebSocket".into()).unwrap();
    Reflect::set(&scope, &"WebSocket".into(), &JsValue::UNDEFINED).unwrap();
    let refused = Socket::open("ws://127.0.0.1:9/").map(drop);
    Reflect::set(&scope, &"WebSocket".into(), &class).unwrap();
    assert_eq!(refused, Err(OpenError::Unsupported));
}

/// The constructor takes `http:` and addresses relative to the page by now, and so does the check before it.
#[wasm_bindgen_test]
async fn addresses_may_be_written_as_the_browser_takes_them() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo").replacen("ws:", "http:", 1)).unwrap();
    assert_eq!(opened(&mut socket).await.url, server.url("/echo"));
}

#[wasm_bindgen_test]
async fn a_dropped_socket_leaves_neither_listeners_nor_timers_behind() {
    let server = TestServer::start().await;
    let counter = Counter::install();
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    assert!(counter.balance() >= 3, "a socket listens to the network and has a timer: {}", counter.balance());
    drop(socket);
    assert_eq!(counter.balance(), 0);
}

/// Counts what is registered on the global scope and the document less what is taken off again, and timers that run.
struct Counter;

impl Counter {
    fn install() -> Self {
        let script = "
            globalThis.everwireTest = { listeners: 0, timers: new Set(), undo: [] };
            const test = globalThis.everwireTest;
            const wrap = (object, name, make) => {
                const original = object[name];
                object[name] = make(original);
                test.undo.push(() => { object[name] = original; });
            };
            wrap(EventTarget.prototype, 'addEventListener', (add) => function (...rest) {
                test.listeners += 1;
                return add.apply(this, rest);
            });
            wrap(EventTarget.prototype, 'removeEventListener', (remove) => function (...rest) {
                test.listeners -= 1;
                return remove.apply(this, rest);
            });
            wrap(globalThis, 'setTimeout', (set) => (callback, ...rest) => {
                const id = set(() => { test.timers.delete(id); callback(); }, ...rest);
                test.timers.add(id);
                return id;
            });
            wrap(globalThis, 'clearTimeout', (clear) => (id) => {
                test.timers.delete(id);
                clear(id);
            });
        ";
        js_sys::Function::new_no_args(script).call0(&JsValue::UNDEFINED).unwrap();
        Self
    }

    fn balance(&self) -> i32 {
        let script = "return globalThis.everwireTest.listeners + globalThis.everwireTest.timers.size;";
        let balance = js_sys::Function::new_no_args(script).call0(&JsValue::UNDEFINED).unwrap();
        // The patience of `opened` is a timer of the test's own and is off by now.
        balance.as_f64().unwrap() as i32
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let script = "globalThis.everwireTest.undo.forEach((undo) => undo()); delete globalThis.everwireTest;";
        js_sys::Function::new_no_args(script).call0(&JsValue::UNDEFINED).unwrap();
    }
}

fn memory_bytes() -> usize {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    memory.buffer().unchecked_into::<js_sys::ArrayBuffer>().byte_length() as usize
}

fn dispatch(name: &str) {
    let scope: EventTarget = js_sys::global().unchecked_into();
    scope.dispatch_event(&web_sys::Event::new(name).unwrap()).unwrap();
}

/// Dispatches `pagehide` or `pageshow` as on the way into the cache or out of it. Returns whether there is such a thing: a worker
/// has no page.
fn transition(name: &str) -> bool {
    let class = Reflect::get(&js_sys::global(), &"PageTransitionEvent".into()).unwrap();
    let Some(class) = class.dyn_ref::<js_sys::Function>() else { return false };
    let options = js_sys::Object::new();
    Reflect::set(&options, &"persisted".into(), &JsValue::TRUE).unwrap();
    let event = Reflect::construct(class, &js_sys::Array::of2(&name.into(), &options)).unwrap();
    let scope: EventTarget = js_sys::global().unchecked_into();
    scope.dispatch_event(event.unchecked_ref()).unwrap()
}
