//! Messages that do not fit into the buffers between two programs, and pings among them.

use core::{future::Future, time::Duration};

use everwire::{Cause, Ended, Event, Heartbeat, Message, OutboxLimits, Pong, Socket, SocketBuilder};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{self, protocol::WebSocketConfig},
};

use crate::tools::{brisk, closed, dropped, eager, message, next, opened, within};

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
