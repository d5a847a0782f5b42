use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, Instant, advance, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::endpoints::Endpoint;
use crate::session::Session;
use crate::{Config, Everwire};

/// A stream that counts how often it is written to.
struct Counting {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

struct Echo(Arc<Mailbox>);

impl Session for Echo {
    fn received(&mut self, message: Message) {
        self.0.send(message);
    }
}

/// A connection to an echo, the client at its other end, its mailbox, and how often it wrote.
async fn echo() -> (Connection<Counting>, WebSocketStream<DuplexStream>, Arc<Mailbox>, Arc<AtomicUsize>) {
    echo_with_room(1 << 20).await
}

/// The same with room for so many bytes under way.
async fn echo_with_room(
    room: usize,
) -> (Connection<Counting>, WebSocketStream<DuplexStream>, Arc<Mailbox>, Arc<AtomicUsize>) {
    let everwire = Everwire::new(Config::default());
    let limits = &everwire.config().limits;
    let (client, server) = tokio::io::duplex(room);
    let writes = Arc::new(AtomicUsize::new(0));
    let wire = Wire::new(Counting { stream: server, writes: Arc::clone(&writes) }, Bytes::new(), limits);
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    let mailbox = Arc::new(Mailbox::new(limits.backlog_bytes));
    let session = Box::new(Echo(Arc::clone(&mailbox)));
    let dialogue = Dialogue::new(everwire.clone(), Endpoint::Echo, session, Arc::clone(&mailbox), None);
    (Connection::new(wire, dialogue), client, mailbox, writes)
}

#[tokio::test]
async fn all_that_waits_in_the_mailbox_is_written_in_one_go() {
    let (connection, mut client, mailbox, writes) = echo().await;
    for number in 0..100 {
        mailbox.send(Message::text(number.to_string()));
    }
    tokio::spawn(connection.run());
    for number in 0..100 {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(number.to_string()));
    }
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn answers_to_messages_that_arrive_together_are_written_in_one_go() {
    let (connection, mut client, _, writes) = echo().await;
    for number in 0..100 {
        client.feed(Message::text(number.to_string())).await.unwrap();
    }
    client.flush().await.unwrap();
    tokio::spawn(connection.run());
    for number in 0..100 {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(number.to_string()));
    }
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn who_is_only_written_to_directly_is_not_idle() {
    let everwire = Everwire::new(Config::default());
    let idle = everwire.config().limits.idle;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = Tcp::new(listener.accept().await.unwrap().0);
    tokio::time::pause();

    let mailbox = Arc::new(Mailbox::with_direct(1000, stream.direct(&everwire, Endpoint::Echo)));
    let session = Box::new(Echo(Arc::clone(&mailbox)));
    let mut dialogue = Dialogue::new(everwire.clone(), Endpoint::Echo, session, Arc::clone(&mailbox), None);
    let second = Duration::from_secs(1);
    advance(idle - second).await;
    mailbox.send_frames(&Frames::of(&Message::text("news")), Instant::now());
    assert_eq!(mailbox.bytes(), 0, "it went around the mailbox");
    advance(2 * second).await;
    assert!(dialogue.on_alarm().is_none());
    advance(idle - 3 * second).await;
    assert!(dialogue.on_alarm().is_none());
    advance(second).await;
    assert!(matches!(dialogue.on_alarm(), Some(Ending::Close { code: 1001, .. })));
}

#[tokio::test]
async fn nobody_writes_into_the_middle_of_a_pong() {
    let (connection, mut client, mailbox, _) = echo_with_room(8).await;
    tokio::spawn(connection.run());
    client.send(Message::Ping(vec![0; 100].into())).await.unwrap();
    // The client reads nothing yet, and there is room for a few bytes of the pong.
    let under_way = async {
        while mailbox.bytes() == 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(20), under_way).await.expect("the mailbox knows of the pong");
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(vec![0; 100].into()));
    client.send(Message::text("free again")).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("free again"));
}
