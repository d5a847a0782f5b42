//! What only a native program has: threads, a runtime that may be missing, the handshake's request, and large messages.

use core::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{net::Ipv4Addr, sync::Arc};

use everwire::{
    Address, Backoff, Cause, Ended, Event, Headers, Heartbeat, Message, OpenError, OutboxLimits, Pong, Protocols,
    SendOptions, Socket, SocketBuilder, SocketHandle, State, WhenFull,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{self, protocol::WebSocketConfig},
};

use crate::support::{TestServer, brisk, closed, dropped, eager, message, next, opened, text, within};

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

/// No other test takes a port of this address while the server is down. On 127.0.0.1 one may, also by an outgoing connection. Linux has all of
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
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    socket.on_event(move |event| match event {
        Event::Message(Message::Text(text)) if text == "panic" => panic!("on purpose"),
        event => drop(sender.send(event)),
    });
    let mut next = async |what| within(what, events.recv()).await.unwrap();
    assert!(matches!(next("it is open").await, Event::Opened(_)));
    handle.send("panic").unwrap();
    let Event::Dropped(dropped) = next("the connection was lost").await else { panic!("not dropped") };
    assert!(dropped.cause.to_string().contains("panicked: on purpose"), "{}", dropped.cause);
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

/// The lines of the request that a socket sends; `open` gets the port of the server.
async fn request(open: impl FnOnce(u16) -> SocketBuilder) -> Vec<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let _socket = open(listener.local_addr().unwrap().port()).open().unwrap();
    let (stream, _) = within("a connection came", listener.accept()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut request = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
        request.push(line);
    }
    request
}

/// The raw text of the address used to go out.
#[tokio::test]
async fn an_address_is_requested_as_by_a_browser_also_one_from_a_provider() {
    for (address, line, host) in [
        ("ws://127.0.0.1:PORT?q=ä b", "GET /?q=%C3%A4%20b HTTP/1.1", "127.0.0.1:PORT"),
        (" ws://127.1:PORT/a/../ü\t/ ", "GET /%C3%BC/ HTTP/1.1", "127.0.0.1:PORT"),
        ("http:\\\\LOCALHOST:PORT\\x", "GET /x HTTP/1.1", "localhost:PORT"),
    ] {
        let with = |text: &str, port: u16| text.replace("PORT", &port.to_string());
        for is_provided in [false, true] {
            let mut port = 0;
            let request = request(|free| {
                port = free;
                let address = with(address, port);
                if is_provided {
                    Socket::builder_with_url_provider(move |_| core::future::ready(Ok::<_, String>(address.clone())))
                } else {
                    Socket::builder(address)
                }
            });
            let request = request.await;
            assert_eq!(request[0], line);
            assert!(request.contains(&format!("Host: {}", with(host, port))), "{request:?}");
        }
    }
}

/// They used to be dropped silently.
#[tokio::test]
async fn credentials_of_an_address_are_sent() {
    let request = request(|port| Socket::builder(format!("ws://Aladdin:open%20sesame@127.0.0.1:{port}/"))).await;
    assert!(request.contains(&"authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()), "{request:?}");
    assert!(!request[..2].concat().contains("sesame"), "{request:?}");
}

#[tokio::test]
async fn credentials_of_an_address_are_not_in_the_url_of_the_socket() {
    let server = TestServer::start().await;
    let with_credentials = server.url("/echo").replacen("://", "://user:secret@", 1);
    let mut socket = Socket::open(with_credentials).unwrap();
    assert_eq!(opened(&mut socket).await.url, server.url("/echo"));
    assert_eq!(socket.handle().url(), server.url("/echo"));
}

#[tokio::test]
async fn credentials_in_the_address_and_in_a_header_are_refused() {
    let headers = Headers::new([("Authorization", "Bearer x")]).unwrap();
    let refused = Socket::builder("ws://user:secret@127.0.0.1:9/").headers(headers.clone()).open().unwrap_err();
    assert!(matches!(&refused, OpenError::Address { problem, .. } if problem.contains("leave out one")), "{refused}");
    let provide = |_| core::future::ready(Ok::<_, String>(Address::from("ws://user:secret@127.0.0.1:9/")));
    let mut socket = Socket::builder_with_url_provider(provide).headers(headers).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause;
    let Cause::ProviderFailed(problem) = cause else { panic!("{cause:?}") };
    assert!(problem.contains("leave out one") && !problem.contains("secret"), "{problem}");
}

/// A browser dials `http:` as `ws:`, and so does a native program.
#[tokio::test]
async fn an_address_for_http_opens_a_web_socket() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo").replacen("ws:", "http:", 1)).unwrap();
    assert_eq!(opened(&mut socket).await.url, server.url("/echo"));
}

const MIB: usize = 1 << 20;

/// Serves one connection, in a task of its own.
async fn serve_one<F>(serve: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let no_limit = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        serve(accept_async_with_config(stream, Some(no_limit)).await.unwrap()).await;
    });
    url
}

/// Stops reading while a write is pending, as a pipe does.
async fn echo(mut stream: WebSocketStream<TcpStream>) {
    while let Some(Ok(message)) = stream.next().await {
        if (message.is_text() || message.is_binary()) && stream.send(message).await.is_err() {
            return;
        }
    }
}

fn roomy(url: String) -> SocketBuilder {
    Socket::builder(url).outbox(OutboxLimits::default().max_bytes(128 * MIB))
}

/// Both sides write and neither reads: the client hung (the package `ws` does not).
#[tokio::test]
async fn large_messages_to_an_echo_with_backpressure_do_not_deadlock() {
    let mut socket = roomy(serve_one(echo).await).heartbeat(Heartbeat::ping().schedule(brisk())).open().unwrap();
    for number in 0..10 {
        socket.send(vec![number; 10 * MIB]).unwrap();
    }
    for number in 0..10 {
        let arrived = next(&mut socket, "the echo", |event| match event {
            Event::Message(message) => Some(message),
            Event::Dropped(dropped) => panic!("after {number}: {dropped:?}"),
            _ => None,
        });
        assert!(arrived.await == Message::Binary(vec![number; 10 * MIB]), "{number}");
    }
    within("everything was flushed", socket.flush()).await.unwrap();
    assert_eq!(socket.handle().buffered_amount(), 0);
}

/// Dropping a socket does not block. The link goes on writing as long as the server reads.
#[tokio::test]
async fn what_was_sent_before_a_drop_arrives_however_large_it_is() {
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let url = serve_one(|mut stream| async move {
        while let Some(Ok(message)) = stream.next().await {
            sender.send((message.is_close(), message.len())).unwrap();
        }
    });
    let mut socket = roomy(url.await).open().unwrap();
    opened(&mut socket).await;
    for _ in 0..2 {
        socket.send(vec![0; 20 * MIB]).unwrap();
    }
    drop(socket);
    for _ in 0..2 {
        assert_eq!(within("a message arrived", received.recv()).await, Some((false, 20 * MIB)));
    }
    assert!(matches!(within("the connection was closed", received.recv()).await, Some((true, _))));
}

/// The parts of a message are signs of life, although the application sees nothing before its last byte.
#[tokio::test]
async fn a_heartbeat_does_not_kill_a_link_on_which_a_large_message_arrives_slowly() {
    let url = serve_one(|mut stream| async move {
        let tcp = stream.get_mut();
        // All of it takes longer than the heartbeat's patience.
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        tcp.write_all(&[0x82, 30]).await.unwrap();
        for byte in 0..30 {
            pace.tick().await;
            tcp.write_all(&[byte]).await.unwrap();
        }
        echo(stream).await;
    });
    let unanswered = Heartbeat::custom(|_| "nothing answers this".into(), |_| None::<Pong>);
    let mut socket = Socket::builder(url.await).heartbeat(unanswered.schedule(brisk())).open().unwrap();
    let first = next(&mut socket, "the message arrived or the link was lost", |event| match event {
        Event::Message(message) => Some(Ok(message)),
        Event::Dropped(dropped) => Some(Err(dropped)),
        _ => None,
    });
    assert_eq!(first.await, Ok(Message::Binary((0..30).collect())));
}

/// The first byte of a client's frame and its unmasked payload.
async fn frame(tcp: &mut TcpStream) -> (u8, Vec<u8>) {
    let (first, second) = (tcp.read_u8().await.unwrap(), tcp.read_u8().await.unwrap());
    let length = match second & 0x7f {
        126 => u64::from(tcp.read_u16().await.unwrap()),
        127 => tcp.read_u64().await.unwrap(),
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    tcp.read_exact(&mut mask).await.unwrap();
    let mut payload = vec![0; length as usize];
    tcp.read_exact(&mut payload).await.unwrap();
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    (first, payload)
}

/// A server whose own heartbeat sends pings drops a client whose pongs wait behind megabytes.
#[tokio::test]
async fn a_ping_is_answered_while_a_large_message_is_on_its_way() {
    let (sender, mut pong) = tokio::sync::mpsc::unbounded_channel();
    let url = serve_one(|mut stream| async move {
        let tcp = stream.get_mut();
        let mut size = 0;
        let (first, payload) = frame(tcp).await;
        assert_eq!(first, 0x02, "the first of several frames of a binary message");
        size += payload.len();
        tcp.write_all(&[0x89, 2, b'h', b'i']).await.unwrap();
        loop {
            match frame(tcp).await {
                (0x8a, payload) => return sender.send((payload, size)).unwrap(),
                (_, payload) => size += payload.len(),
            }
        }
    });
    let socket = roomy(url.await).open().unwrap();
    socket.send(vec![0; 64 * MIB]).unwrap();
    let (payload, before) = within("the ping was answered", pong.recv()).await.unwrap();
    assert_eq!(payload, b"hi");
    assert!(before < 64 * MIB, "the pong waited for the end of the message");
}

/// Pongs are bounded: RFC 6455 lets an endpoint answer the latest ping only (section 5.5.3).
#[tokio::test]
async fn pings_from_a_server_that_does_not_read_neither_block_nor_break_the_connection() {
    let url = serve_one(|mut stream| async move {
        let tcp = stream.get_mut();
        let mut ping = vec![0x89, 125];
        ping.extend([b'x'; 125]);
        // The pongs exceed what the buffers of the system and of the client hold.
        for _ in 0..64 {
            tcp.write_all(&ping.repeat(2_000)).await.unwrap();
            tcp.write_all(b"\x81\x04more").await.unwrap();
        }
        echo(stream).await;
    });
    let mut socket = Socket::open(url.await).unwrap();
    for _ in 0..64 {
        assert_eq!(message(&mut socket).await, "more".into());
        socket.send("here").unwrap();
    }
    for _ in 0..64 {
        assert_eq!(message(&mut socket).await, "here".into());
    }
}

/// It used to close with 1006, and the client retried forever.
#[tokio::test]
async fn a_message_above_the_limit_is_named_in_the_cause_and_not_retried() {
    let (sender, mut close) = tokio::sync::mpsc::unbounded_channel();
    let url = serve_one(|mut stream| async move {
        stream.send(vec![0; 1_001].into()).await.unwrap();
        while let Some(Ok(message)) = stream.next().await {
            if let tungstenite::Message::Close(Some(frame)) = message {
                sender.send(u16::from(frame.code)).unwrap();
            }
        }
    });
    let mut socket = Socket::builder(url.await).max_message_bytes(1_000).open().unwrap();
    let Ended::Final(cause) = closed(&mut socket).await.ended else { panic!("not final") };
    assert!(matches!(cause, Cause::Closed { code: 1009, was_clean: false, .. }), "{cause:?}");
    let text = cause.to_string();
    for part in ["at least 1001 bytes", "limit is 1000", "SocketBuilder::max_message_bytes"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(within("the server received the code", close.recv()).await, Some(1009));
}

#[tokio::test]
async fn a_message_of_the_limit_passes_in_one_frame_or_in_many() {
    let url = serve_one(|mut stream| async move {
        stream.send(vec![1; 1_000].into()).await.unwrap();
        let tcp = stream.get_mut();
        for (number, first) in [(0, 0x02), (1, 0x00), (2, 0x80)] {
            tcp.write_all(&[first, 126, 1, 77]).await.unwrap();
            tcp.write_all(&[number; 333]).await.unwrap();
        }
        echo(stream).await;
    });
    let mut socket = Socket::builder(url.await).max_message_bytes(1_000).open().unwrap();
    assert_eq!(message(&mut socket).await, Message::Binary(vec![1; 1_000]));
    assert_eq!(message(&mut socket).await, Message::Binary([[0; 333], [1; 333], [2; 333]].concat()));
}

#[tokio::test]
async fn messages_above_16_mib_pass_by_default() {
    let mut socket = roomy(serve_one(echo).await).open().unwrap();
    let large = "x".repeat(64 * MIB);
    socket.send(large.as_str()).unwrap();
    assert!(message(&mut socket).await == large.into());
}

/// The driver's tasks run the application's code. A panic used to end them silently.
#[tokio::test]
async fn a_task_that_panics_is_reported_at_once_and_the_next_attempt_is_made() {
    let is_first = std::sync::atomic::AtomicBool::new(true);
    let url = serve_one(echo).await;
    let provide = move |_| {
        assert!(!is_first.swap(false, std::sync::atomic::Ordering::Relaxed), "no address yet");
        let url = url.clone();
        async move { Ok::<_, String>(url) }
    };
    // Longer than a test waits.
    let patient = Duration::from_secs(600);
    let mut socket =
        Socket::builder_with_url_provider(provide).connect_timeout(patient).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause.to_string();
    assert!(cause.contains("panicked: no address yet"), "{cause}");
    opened(&mut socket).await;
}

#[tokio::test]
async fn a_custom_heartbeat_that_panics_is_reported_each_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { echo(tokio_tungstenite::accept_async(stream).await.unwrap()).await });
        }
    });
    let wordless = Heartbeat::custom(|_| panic!("no words"), |_| None::<Pong>).schedule(brisk());
    let mut socket = Socket::builder(url).heartbeat(wordless).backoff(eager()).open().unwrap();
    for _ in 0..2 {
        opened(&mut socket).await;
        let cause = dropped(&mut socket).await.cause.to_string();
        assert!(cause.contains("panicked: no words"), "{cause}");
    }
}
