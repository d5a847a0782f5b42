use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, Instant, Sleep, advance, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::protocol::CloseAction;
use super::*;
use crate::everwire::Everwire;
use crate::limits::ConnectionLimits;
use crate::message::Message as OwnMessage;
use crate::metrics::DropReason;
use crate::time::GRACE;

/// A stream that counts writes.
struct WriteCounter {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for WriteCounter {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WriteCounter {
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

struct EchoHandler(Arc<OutboundQueue>);

impl Handler for EchoHandler {
    fn on_message(&mut self, message: OwnMessage) {
        self.0.send(&message);
    }
}

/// Delays each message.
struct Delay {
    time: Duration,
    held: VecDeque<(Instant, EncodedMessage)>,
}

impl Delay {
    fn new(ms: u64) -> Self {
        Self { time: Duration::from_millis(ms), held: VecDeque::new() }
    }
}

impl Interceptor for Delay {
    fn send(&mut self, message: EncodedMessage, now: Instant) {
        self.held.push_back((now + self.time, message));
    }

    fn next(&mut self, now: Instant) -> Option<EncodedMessage> {
        self.held.pop_front_if(|(at, _)| *at <= now).map(|(_, message)| message)
    }

    fn deadline(&self) -> Option<Instant> {
        self.held.front().map(|(at, _)| *at)
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(|(_, message)| message.bytes()).sum()
    }
}

fn environment() -> Arc<Environment> {
    Everwire::default().environment("/echo", ConnectionLimits::default(), false)
}

fn transport<S>(stream: S) -> FramedTransport<S> {
    let (everwire, limits) = (Everwire::default(), ConnectionLimits::default());
    FramedTransport::new(stream, Bytes::new(), limits.message_bytes, everwire.charge(None))
}

/// The protocol handler of an echo.
fn protocol(environment: &Arc<Environment>, outbound: &Arc<OutboundQueue>, delay: Option<Delay>) -> ProtocolHandler {
    let handler = Box::new(EchoHandler(Arc::clone(outbound)));
    let interceptor = delay.map(|delay| Box::new(delay) as Box<dyn Interceptor>);
    ProtocolHandler::new(Arc::clone(environment), handler, Arc::clone(outbound), interceptor)
}

fn text(text: impl Into<String>) -> OwnMessage {
    OwnMessage::text(text.into())
}

/// A connection to an echo over TCP, its client, and its outbound queue, which writes directly.
async fn echo_over_tcp(limit: usize) -> (ConnectionTask<Tcp>, WebSocketStream<TcpStream>, Arc<OutboundQueue>) {
    let environment = environment();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = Tcp::new(listener.accept().await.unwrap().0);
    let outbound = Arc::new(OutboundQueue::with_direct(limit, stream.direct_writer(&environment.metrics)));
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    (ConnectionTask::new(transport(stream), protocol(&environment, &outbound, None)), client, outbound)
}

/// A connection to an echo, its client, its outbound queue, and the number of writes.
async fn echo() -> (ConnectionTask<WriteCounter>, WebSocketStream<DuplexStream>, Arc<OutboundQueue>, Arc<AtomicUsize>) {
    echo_over(1 << 20, None).await
}

/// The same with room for so many bytes in transit, and with delayed messages.
async fn echo_over(
    room: usize,
    delay: Option<Delay>,
) -> (ConnectionTask<WriteCounter>, WebSocketStream<DuplexStream>, Arc<OutboundQueue>, Arc<AtomicUsize>) {
    let environment = environment();
    let (client, server) = tokio::io::duplex(room);
    let writes = Arc::new(AtomicUsize::new(0));
    let transport = transport(WriteCounter { stream: server, writes: Arc::clone(&writes) });
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    let outbound = Arc::new(OutboundQueue::new(environment.limits.backlog_bytes));
    let protocol = protocol(&environment, &outbound, delay);
    (ConnectionTask::new(transport, protocol), client, outbound, writes)
}

#[tokio::test]
async fn the_whole_outbound_queue_is_written_at_once() {
    let (connection, mut client, outbound, writes) = echo().await;
    for number in 0..100 {
        outbound.send(&text(number.to_string()));
    }
    tokio::spawn(connection.run(()));
    for number in 0..100 {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(number.to_string()));
    }
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn answers_to_messages_that_arrive_together_are_written_at_once() {
    let (connection, mut client, _, writes) = echo().await;
    for number in 0..100 {
        client.feed(Message::text(number.to_string())).await.unwrap();
    }
    client.flush().await.unwrap();
    tokio::spawn(connection.run(()));
    for number in 0..100 {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(number.to_string()));
    }
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}

/// More messages than a batch has, the rest of which has been read already when the batch ends.
#[tokio::test(start_paused = true)]
async fn every_message_of_one_read_is_answered() {
    const COUNT: usize = 130;
    for length in 0..20 {
        let (connection, mut client, ..) = echo().await;
        for _ in 0..COUNT {
            client.feed(Message::text("x".repeat(length))).await.unwrap();
        }
        client.flush().await.unwrap();
        tokio::spawn(connection.run(()));
        for number in 1..=COUNT {
            let answer = timeout(Duration::from_secs(1), client.next()).await;
            assert!(answer.is_ok(), "answer {number} to texts of {length} bytes is missing");
        }
    }
}

/// A fragment of a message.
fn fragment(opcode: Data, payload: &'static str, is_final: bool) -> Message {
    Message::Frame(Frame::message(payload, OpCode::Data(opcode), is_final))
}

/// RFC 6455 section 5.4 allows control frames between fragments; cases 5.6 to 5.8 and 10 of Autobahn test it.
#[tokio::test]
async fn pongs_and_answers_are_written_in_the_order_of_their_requests() {
    for delay in [None, Some(Delay::new(0))] {
        let (connection, mut client, ..) = echo_over(1 << 20, delay).await;
        for message in [
            Message::text("whole"),
            Message::Ping("1".into()),
            fragment(Data::Text, "in ", false),
            Message::Ping("2".into()),
            fragment(Data::Continue, "two ", false),
            Message::Ping("3".into()),
            Message::Ping("4".into()),
            fragment(Data::Continue, "parts", true),
            Message::Ping("5".into()),
        ] {
            client.feed(message).await.unwrap();
        }
        client.flush().await.unwrap();
        tokio::spawn(connection.run(()));
        let pong = |payload: &'static str| Message::Pong(payload.into());
        let (whole, parts) = (Message::text("whole"), Message::text("in two parts"));
        for answer in [whole, pong("1"), pong("2"), pong("3"), pong("4"), parts, pong("5")] {
            let next = timeout(Duration::from_secs(20), client.next()).await.expect("an answer");
            assert_eq!(next.unwrap().unwrap(), answer);
        }
    }
}

/// A stopped process has given its peer nothing to read.
#[tokio::test(start_paused = true)]
async fn a_reader_is_not_slow_because_the_process_was_stopped() {
    let (mut connection, _client, outbound, _) = echo_over(8, None).await;
    outbound.send(&text("more than there is room for"));
    let write = connection.protocol.environment.limits.write;
    let mut timer = pin!(sleep_until(connection.protocol.deadline()));
    let mut poll = async || poll_fn(|cx| Poll::Ready(connection.poll_close(cx, timer.as_mut()))).await;
    assert!(poll().await.is_pending());
    advance(10 * write).await;
    assert!(poll().await.is_pending());
    advance(write).await;
    assert!(poll().await.is_pending(), "the grace has not passed");
    advance(GRACE).await;
    assert!(matches!(poll().await, Poll::Ready(CloseAction::Close { code: 1013, .. })));
}

#[tokio::test(start_paused = true)]
async fn every_message_is_answered_with_an_interceptor_as_well() {
    let (connection, mut client, ..) = echo_over(1 << 20, Some(Delay::new(50))).await;
    tokio::spawn(connection.run(()));
    client.send(Message::Ping("alone".into())).await.unwrap();
    let pong = timeout(Duration::from_secs(1), client.next()).await.expect("a pong");
    assert_eq!(pong.unwrap().unwrap(), Message::Pong("alone".into()));
    let pair = ["one", "two"].map(Message::text);
    for message in pair.clone() {
        client.feed(message).await.unwrap();
    }
    client.flush().await.unwrap();
    for message in pair {
        let answer = timeout(Duration::from_secs(1), client.next()).await.expect("an answer");
        assert_eq!(answer.unwrap().unwrap(), message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_in_time_is_not_idle_and_one_that_does_not_is_closed_with_a_reason() {
    let (connection, mut client, ..) = echo().await;
    let idle = connection.protocol.environment.limits.idle;
    tokio::spawn(connection.run(()));
    for _ in 0..3 {
        sleep(idle - Duration::from_secs(1)).await;
        client.send(Message::text("still here")).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("still here"));
    }
    let start = Instant::now();
    let Message::Close(Some(frame)) = client.next().await.unwrap().unwrap() else { panic!("a close frame") };
    assert_eq!((frame.code, start.elapsed()), (1001.into(), idle + GRACE));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_arrived_in_time_but_was_read_late_counts() {
    let (mut connection, mut client, ..) = echo().await;
    let mut timer = pin!(sleep_until(connection.protocol.deadline()));
    client.send(Message::text("still here")).await.unwrap();
    // As where the machine has stood still: the connection runs for the first time when it is late.
    sleep(2 * connection.protocol.environment.limits.idle).await;
    let action = poll_fn(|cx| Poll::Ready(connection.poll_close(cx, timer.as_mut()))).await;
    assert!(action.is_pending(), "{action:?}");
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("still here"));
}

#[tokio::test]
async fn a_client_that_is_only_written_to_directly_is_not_idle() {
    let (connection, _client, outbound) = echo_over_tcp(1000).await;
    tokio::time::pause();
    let mut protocol = protocol(&connection.protocol.environment, &outbound, None);
    let idle = protocol.environment.limits.idle;
    let second = Duration::from_secs(1);
    advance(idle - second).await;
    outbound.send_frames(&Frames::of(&text("news")), Instant::now());
    assert_eq!(outbound.bytes(), 0, "it was written directly");
    advance(2 * second).await;
    assert!(protocol.on_timer().is_none());
    advance(idle - 3 * second).await;
    assert!(protocol.on_timer().is_none());
    advance(second).await;
    assert!(protocol.on_timer().is_none(), "the grace has not passed");
    advance(GRACE).await;
    assert!(matches!(protocol.on_timer(), Some(CloseAction::Close { code: 1001, .. })));
}

#[tokio::test]
async fn a_direct_write_does_not_interrupt_a_pong() {
    let (connection, mut client, outbound, _) = echo_over(8, None).await;
    tokio::spawn(connection.run(()));
    client.send(Message::Ping(vec![0; 100].into())).await.unwrap();
    // The client reads nothing yet, and there is room for a few bytes of the pong.
    let under_way = async {
        while outbound.bytes() == 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(20), under_way).await.expect("the pong is in the outbound queue");
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(vec![0; 100].into()));
    client.send(Message::text("free again")).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("free again"));
}

/// How often another task runs until the client has read so many messages.
async fn polls_of_another_task_until(client: &mut WebSocketStream<DuplexStream>, messages: usize) -> usize {
    let polls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&polls);
    let other = tokio::spawn(async move {
        loop {
            counting.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..messages {
        client.next().await.unwrap().unwrap();
    }
    other.abort();
    polls.load(Ordering::Relaxed)
}

#[tokio::test]
async fn other_tasks_run_while_much_is_written() {
    let (connection, mut client, outbound, _) = echo_over(16 << 20, None).await;
    (0..50).for_each(|_| outbound.send(&OwnMessage::binary(vec![0; 64 << 10])));
    tokio::spawn(connection.run(()));
    let polls = polls_of_another_task_until(&mut client, 50).await;
    assert!(polls >= 20, "{polls} polls during 3 MB");
}

#[tokio::test]
async fn other_tasks_run_while_much_is_read() {
    let (connection, mut client, ..) = echo_over(16 << 20, None).await;
    for _ in 0..10_000 {
        client.feed(Message::text("short")).await.unwrap();
    }
    client.flush().await.unwrap();
    tokio::spawn(connection.run(()));
    let polls = polls_of_another_task_until(&mut client, 10_000).await;
    assert!(polls >= 15, "{polls} polls during 10,000 messages");
}

/// A stream that accepts writes at once and needs a second to flush them.
struct Slow {
    stream: DuplexStream,
    flushed: Pin<Box<Sleep>>,
}

impl AsyncRead for Slow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.flushed = Box::pin(sleep(Duration::from_secs(1)));
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed.as_mut().poll(cx).map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_has_caught_up_is_not_slow() {
    let environment = environment();
    let limits = &environment.limits;
    let (mut client, server) = tokio::io::duplex(1 << 10);
    let stream = Slow { stream: server, flushed: Box::pin(sleep(Duration::ZERO)) };
    let outbound = Arc::new(OutboundQueue::new(limits.backlog_bytes));
    let protocol = protocol(&environment, &outbound, None);
    outbound.send(&text("a"));
    let running = tokio::spawn(ConnectionTask::new(transport(stream), protocol).run(()));
    client.read_exact(&mut [0; 3]).await.unwrap();
    sleep(limits.write + Duration::from_secs(2)).await;
    assert_eq!(environment.metrics.drops(DropReason::SlowReader), 0);
    assert!(!running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_with_an_interceptor_is_detected_in_time() {
    let (connection, _client, outbound, _) = echo_over(8, Some(Delay::new(1))).await;
    let environment = Arc::clone(&connection.protocol.environment);
    (0..10).for_each(|_| outbound.send(&text("more than there is room for")));
    let start = Instant::now();
    connection.run(()).await;
    assert_eq!(environment.metrics.drops(DropReason::SlowReader), 1);
    let limits = &environment.limits;
    assert!(start.elapsed() >= limits.write && start.elapsed() < limits.write + 2 * limits.close);
}

#[tokio::test(start_paused = true)]
async fn messages_that_an_interceptor_delays_count_as_backlog() {
    let (connection, _client, outbound, _) = echo_over(1 << 20, Some(Delay::new(60000))).await;
    let environment = Arc::clone(&connection.protocol.environment);
    let most = environment.limits.backlog_bytes;
    let running = tokio::spawn(connection.run(()));
    let start = Instant::now();
    while !running.is_finished() && start.elapsed() < Duration::from_secs(50) {
        outbound.send(&OwnMessage::binary(vec![0; most / 4]));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(environment.metrics.drops(DropReason::SlowReader), 1);
}

#[tokio::test]
async fn a_partly_written_message_is_completed_before_a_slow_reader_is_closed() {
    let (connection, mut client, outbound) = echo_over_tcp(1000).await;
    let message = OwnMessage::binary(vec![7; 8 << 20]);
    for _ in 0..3 {
        outbound.send_frames(&Frames::of(&message), Instant::now());
    }
    assert_eq!(outbound.bytes(), 0, "the outbound queue has overflowed");
    tokio::spawn(connection.run(()));
    assert!(client.next().await.unwrap().unwrap().into_data() == message.as_bytes());
    let Message::Close(Some(frame)) = client.next().await.unwrap().unwrap() else { panic!("a close frame") };
    assert_eq!(frame.code, 1013.into());
}

/// With another thread that sends, and a socket that takes some messages in parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_writes_keep_their_order_among_queued_messages() {
    let (connection, mut client, outbound) = echo_over_tcp(1 << 30).await;
    tokio::spawn(connection.run(()));
    let numbered = |number: usize| format!("{number} {}", "x".repeat(number * 997 % 100_000));
    let speaking = std::thread::spawn(move || {
        for number in 0..1_000 {
            match number % 7 {
                0 => outbound.send(&text(numbered(number))),
                _ => {
                    outbound.send_frames(&Frames::of(&text(numbered(number))), Instant::now());
                }
            }
        }
    });
    for number in 0..1_000 {
        let message = timeout(Duration::from_secs(20), client.next()).await.expect("a message in time");
        assert!(message.unwrap().unwrap().to_text().unwrap() == numbered(number), "message {number}");
    }
    speaking.join().unwrap();
}
