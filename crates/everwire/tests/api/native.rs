//! What only a native program has: threads, and a runtime that may be missing.

use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::sync::Arc;

use everwire::{
    Backoff, Event, Headers, Message, OpenError, OutboxLimits, Protocols, SendOptions, Socket, SocketHandle, State,
    WhenFull,
};
use tokio::io::AsyncBufReadExt;

use crate::{
    server::TestServer,
    tools::{dropped, eager, opened, text, within},
};

/// A fix of a leak made a stream `!Send` elsewhere (yawc#46, tokio-tungstenite-wasm#11).
#[test]
fn sockets_can_move_between_threads() {
    fn movable<T: Send + Sync>() {}
    movable::<Socket>();
    movable::<SocketHandle>();
    #[cfg(feature = "json")]
    movable::<everwire::JsonSocket<u8, u8>>();
}

#[test]
fn a_socket_outside_of_a_runtime_is_an_error_that_says_so() {
    assert_eq!(Socket::open("ws://127.0.0.1:9/").unwrap_err(), OpenError::NoRuntime);
}

/// Nobody takes a port here while the server is away. On 127.0.0.1 another test may, also by dialling out of it. Linux has all of
/// 127.0.0.0/8.
const OF_ONE_SERVER: [u8; 4] = if cfg!(target_os = "linux") { [127, 0, 0, 8] } else { [127, 0, 0, 1] };

#[tokio::test]
async fn a_server_that_was_restarted_is_found_again_and_what_was_queued_arrives() {
    let server = TestServer::start_at((OF_ONE_SERVER, 0).into()).await;
    let address = server.address();
    let mut socket = Socket::builder(server.url("/echo")).backoff(eager()).open().unwrap();
    opened(&mut socket).await;
    server.stop().await;
    dropped(&mut socket).await;
    socket.send("for the next one").unwrap();
    let _server = TestServer::start_at(address).await;
    assert!(opened(&mut socket).await.is_reconnect);
    assert_eq!(text(&mut socket).await, "for the next one");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_comes_from_the_address_that_was_chosen() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let _socket = Socket::builder(url).local_address([127, 0, 0, 7].into()).open().unwrap();
    let (_, client) = listener.accept().await.unwrap();
    assert_eq!(client.ip(), std::net::IpAddr::from([127, 0, 0, 7]));
}

#[tokio::test]
async fn the_request_carries_the_headers_that_were_given() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let headers = Headers::new([("Authorization", "Bearer x"), ("X-Tag", "1"), ("X-Tag", "2")]).unwrap();
    let protocols = Protocols::new(["chat"]).unwrap();
    let _socket = Socket::builder(url).headers(headers).protocols(protocols).open().unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut lines = tokio::io::BufReader::new(stream).lines();
    let mut request = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
        request.push(line.to_ascii_lowercase());
    }
    let of = |name: &str| request.iter().filter(|line| line.starts_with(name)).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("authorization"), ["authorization: bearer x"]);
    assert_eq!(of("x-tag"), ["x-tag: 1", "x-tag: 2"]);
    assert_eq!(of("sec-websocket-protocol"), ["sec-websocket-protocol: chat"]);
}

#[tokio::test]
async fn an_address_that_is_not_of_this_machine_fails_the_attempt() {
    let server = TestServer::start().await;
    let mut socket = Socket::builder(server.url("/echo")).local_address([192, 0, 2, 1].into()).open().unwrap();
    let problem = dropped(&mut socket).await.cause.to_string();
    assert!(problem.contains("IO error"), "{problem}");
}

#[tokio::test]
async fn a_message_may_be_larger_than_the_read_buffer() {
    let server = TestServer::start().await;
    let builder = Socket::builder(server.url("/echo")).read_buffer(256).local_address([127, 0, 0, 1].into());
    let mut socket = builder.open().unwrap();
    let large = "x".repeat(50_000);
    socket.send(large.as_str()).unwrap();
    opened(&mut socket).await;
    assert_eq!(text(&mut socket).await, large);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_threads_may_send_at_once() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let handle = socket.handle().clone();
            tokio::task::spawn_blocking(move || {
                for n in 0..250 {
                    handle.send(format!("{sender} {n}")).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..1_000 {
        let text = text(&mut socket).await;
        let (sender, n) = text.split_once(' ').unwrap();
        let expected = &mut next[sender.parse::<usize>().unwrap()];
        assert_eq!(n.parse::<usize>().unwrap(), *expected);
        *expected += 1;
    }
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(socket.state(), State::Open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_threads_send_overtakes_the_on_open_messages() {
    const CONNECTIONS: usize = 40;
    let server = TestServer::start().await;
    let outbox = OutboxLimits::default().max_messages(16).when_full(WhenFull::DropOldest);
    let mut socket = Socket::builder(server.url("/echo"))
        .on_open_messages(|_| vec!["first".into(), "second".into()])
        .backoff(Backoff::default().floor(Duration::ZERO))
        .outbox(outbox)
        .open()
        .unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = [true, false]
        .into_iter()
        .map(|priority| {
            let (handle, is_over) = (socket.handle().clone(), is_over.clone());
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    // Slower once there is a backlog, so that the echoes keep up.
                    if handle.buffered_amount() > 1_000 {
                        std::thread::yield_now();
                    } else {
                        handle.send_with("from a thread", SendOptions::default().priority(priority)).unwrap();
                    }
                }
            })
        })
        .collect();
    for _ in 0..CONNECTIONS {
        opened(&mut socket).await;
        assert_eq!((text(&mut socket).await, text(&mut socket).await), ("first".to_owned(), "second".to_owned()));
        socket.reconnect();
    }
    is_over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[tokio::test]
async fn a_panic_in_a_callback_drops_the_connection_and_the_callback_goes_on() {
    let server = TestServer::start().await;
    let mut socket = Socket::builder(server.url("/echo")).backoff(eager()).open().unwrap();
    let handle = socket.handle().clone();
    let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
    socket.on_event(move |event| match event {
        Event::Message(Message::Text(text)) if text == "panic" => panic!("asked for"),
        event => drop(told.send(event)),
    });
    let mut next = async |what| within(what, events.recv()).await.unwrap();
    assert!(matches!(next("it is open").await, Event::Opened(_)));
    handle.send("panic").unwrap();
    let Event::Dropped(dropped) = next("the connection was lost").await else { panic!("not dropped") };
    assert!(dropped.cause.to_string().contains("panicked: asked for"), "{}", dropped.cause);
    assert!(matches!(next("it is open again").await, Event::Opened(_)));
    handle.send("goes on").unwrap();
    assert_eq!(next("the echo").await, Event::Message("goes on".into()));
}

#[cfg(not(feature = "rustls-own-roots"))]
#[tokio::test]
async fn an_address_that_needs_tls_is_an_error_that_names_the_feature() {
    let OpenError::Address { problem, .. } = Socket::open("wss://example.org/").unwrap_err() else { panic!("taken") };
    assert!(problem.contains("feature `rustls`"), "{problem}");
}
