//! One connection, from the handshake to messages, the check of what it receives, and many connections that are read as they become
//! ready.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bench_native_support::frame::{self, Frame, TEXT};
use bench_native_support::{Poller, handshake};

use crate::Target;
use crate::dialect::{self, Dialect, Opening, Received, ResumeState};

/// Time limit for the answer to a handshake; and without data for this long, missing messages count as lost.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The number of concurrent handshakes. A listener queues at least 128 that it has not accepted.
const CONCURRENT_HANDSHAKES: usize = 64;
/// How long to wait for data before checking the time.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) inbox: Inbox,
    /// When the connection attempt began.
    pub(crate) opened: Instant,
    /// The send times of the publishes that are not acknowledged.
    unacknowledged: VecDeque<Instant>,
    dialect: Dialect,
    opening: Opening,
    channel: String,
    /// The number of publishes so far.
    published: u64,
}

/// A connection that has sent its handshake request.
pub(crate) struct PendingHandshake {
    stream: TcpStream,
    opened: Instant,
    nonce: [u8; 16],
    dialect: Dialect,
    opening: Opening,
    channel: String,
}

impl PendingHandshake {
    /// The connection will publish to `channel`.
    pub(crate) fn start(target: &Target, channel: String, opening: Opening) -> Result<Self> {
        let opened = Instant::now();
        let mut stream = connect(target.address)?;
        let nonce = fastrand::u128(..).to_ne_bytes();
        let protocol = (target.dialect == Dialect::Everwire).then_some("everwire.v1");
        let request = handshake::request(&target.address.to_string(), &target.path, protocol, nonce);
        stream.write_all(request.as_bytes())?;
        Ok(Self { stream, opened, nonce, dialect: target.dialect, opening, channel })
    }

    /// Waits for the response, and sends the first messages of the dialect.
    pub(crate) fn finish(mut self) -> Result<Connection> {
        let mut answer = Vec::new();
        let end = loop {
            if let Some(end) = handshake::end_of_head(&answer) {
                break end;
            }
            read_some(&mut self.stream, &mut answer)?;
        };
        let head = String::from_utf8_lossy(&answer[..end]);
        ensure!(handshake::accepts(&head, self.nonce), "the server refused the handshake:\n{head}");
        let mut inbox = match &self.opening {
            Opening::Resume { state, next, .. } => Inbox::resuming(state.clone(), *next),
            _ => Inbox::default(),
        };
        inbox.keep(&answer[end..]);
        let Self { stream, opened, dialect, opening, channel, .. } = self;
        let unacknowledged = VecDeque::new();
        let mut connection =
            Connection { stream, inbox, opened, unacknowledged, dialect, opening, channel, published: 0 };
        connection.start_session()?;
        Ok(connection)
    }
}

impl Connection {
    /// Opens a connection, and waits until the handshake of the dialect is complete.
    pub(crate) fn open(target: &Target, channel: String, opening: Opening) -> Result<Self> {
        let mut connection = PendingHandshake::start(target, channel, opening)?.finish()?;
        connection.wait_until_ready()?;
        Ok(connection)
    }

    /// Publishes these messages in one write.
    pub(crate) fn send(&mut self, numbers: impl IntoIterator<Item = u64>) -> Result<()> {
        let messages: Vec<_> = numbers.into_iter().map(dialect::write_message).collect();
        let payloads = self.dialect.publish(&self.channel, &messages, &mut self.published);
        self.write(&payloads)
    }

    /// Publishes this many messages in one write, and records the time.
    pub(crate) fn send_acknowledged(&mut self, count: usize) -> Result<()> {
        let messages: Vec<_> = (self.published..).take(count).map(dialect::write_message).collect();
        let payloads = self.dialect.publish_acknowledged(&self.channel, &messages, &mut self.published);
        self.unacknowledged.extend(std::iter::repeat_n(Instant::now(), count));
        self.write(&payloads)
    }

    /// The send times of the publishes that were acknowledged since the last call.
    pub(crate) fn take_acknowledged(&mut self) -> Vec<Instant> {
        let waiting = self.published - self.inbox.acknowledged();
        let acknowledged = self.unacknowledged.len().saturating_sub(waiting as usize);
        self.unacknowledged.drain(..acknowledged).collect()
    }

    /// Reads once, up to the size of the buffer. Returns the number of messages.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) => bail!("the server has closed a connection"),
            Ok(length) => self.inbox.receive(&buffer[..length], self.dialect),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the handshake of the dialect is complete, with blocking reads. Socket.IO sends missed messages before that.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let mut buffer = [0; 1024];
        while !self.is_ready() {
            self.receive(&mut buffer)?;
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        match (self.dialect, &self.opening) {
            (Dialect::Plain, _) => true,
            (Dialect::Everwire, Opening::Subscribe { .. } | Opening::Resume { .. }) => self.inbox.is_subscribed(),
            _ => self.inbox.is_attached(),
        }
    }

    fn start_session(&mut self) -> Result<()> {
        match self.dialect {
            Dialect::Plain => Ok(()),
            Dialect::Everwire => self.write(&[Dialect::hello(&self.opening).into_bytes()]),
            Dialect::SocketIo => {
                self.read_open_packet()?;
                self.write(&[Dialect::connect(&self.opening).into_bytes()])
            }
        }?;
        // Handles the frames that arrived together with the response, which a read would not return again.
        let kept = self.inbox.take();
        self.inbox.receive(&kept, self.dialect).map(drop)
    }

    /// Reads the first packet of Engine.IO.
    fn read_open_packet(&mut self) -> Result<()> {
        let mut bytes = self.inbox.take();
        let frame = loop {
            if let Some(frame) = Frame::first(&bytes) {
                break frame;
            }
            read_some(&mut self.stream, &mut bytes)?;
        };
        let packet = &bytes[frame.payload.clone()];
        ensure!(packet.starts_with(b"0{"), "the server sent {:?}", String::from_utf8_lossy(packet));
        self.inbox.keep(&bytes[frame.payload.end..]);
        Ok(())
    }

    fn write(&mut self, payloads: &[Vec<u8>]) -> Result<()> {
        let mut bytes = Vec::new();
        for payload in payloads {
            frame::write_masked(&mut bytes, TEXT, payload, fastrand::u32(..).to_ne_bytes());
        }
        let written = self.stream.write(&bytes)?;
        ensure!(written == bytes.len(), "the socket has no room for {} bytes", bytes.len());
        Ok(())
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).context("the server does not answer a handshake")?;
    ensure!(length > 0, "the server closed a connection during the handshake");
    bytes.extend_from_slice(&buffer[..length]);
    Ok(())
}

/// Checks and counts what one connection receives: messages must arrive once and in order.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The start of an incomplete frame.
    partial: Vec<u8>,
    /// The number that the next message must have. The first one may have any number, since a connection subscribes some time after
    /// its handshake.
    next: Option<u64>,
    /// The number of acknowledged publishes; they are acknowledged in order.
    acknowledged: u64,
    is_attached: bool,
    is_subscribed: bool,
    resume_state: ResumeState,
}

impl Inbox {
    /// For a connection that resumes a session, and whose first message must have the number `next`.
    pub(crate) fn resuming(resume_state: ResumeState, next: u64) -> Self {
        Self { resume_state, next: Some(next), ..Self::default() }
    }

    /// The number after that of the last message; `None` before the first.
    pub(crate) const fn next(&self) -> Option<u64> {
        self.next
    }

    pub(crate) const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) const fn is_attached(&self) -> bool {
        self.is_attached
    }

    pub(crate) const fn is_subscribed(&self) -> bool {
        self.is_subscribed
    }

    /// The session and the position after the last message.
    pub(crate) const fn resume_state(&self) -> &ResumeState {
        &self.resume_state
    }

    /// Keeps bytes that arrived together with the handshake.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
    }

    /// Takes the kept bytes or the start of a frame.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }

    /// Counts the messages that end in these bytes. A lost, repeated, early or changed message is an error, and so is any other frame.
    pub(crate) fn receive(&mut self, bytes: &[u8], dialect: Dialect) -> Result<usize> {
        if self.partial.is_empty() {
            let (count, used) = self.count(bytes, dialect)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(count);
        }
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(bytes);
        let (count, used) = self.count(&whole, dialect)?;
        whole.drain(..used);
        self.partial = whole;
        Ok(count)
    }

    /// The number of complete messages in these bytes, and their length.
    fn count(&mut self, bytes: &[u8], dialect: Dialect) -> Result<(usize, usize)> {
        let (mut count, mut used) = (0, 0);
        let mut last_position: &[u8] = &[];
        while let Some(frame) = Frame::first(&bytes[used..]) {
            ensure!(frame.is_message() && frame.mask.is_none(), "the server sent {frame:?}, which is not a message");
            let payload = &bytes[used..][frame.payload.clone()];
            dialect.read(payload, |received| {
                match received {
                    Received::Message { message, position } => {
                        self.check(message)?;
                        last_position = position;
                        count += 1;
                    }
                    Received::Ack(seq) => {
                        let expected = self.acknowledged + 1;
                        ensure!(seq == expected, "publish {seq} was acknowledged instead of {expected}");
                        self.acknowledged = seq;
                    }
                    Received::Welcome { session, secret } => {
                        self.is_attached = true;
                        self.resume_state.session = String::from_utf8(session.to_vec())?;
                        if let Some(secret) = secret {
                            self.resume_state.secret = String::from_utf8(secret.to_vec())?;
                        }
                    }
                    Received::Subscribed { position } => {
                        self.is_subscribed = true;
                        last_position = position;
                    }
                    Received::Other => {}
                }
                Ok(())
            })?;
            used += frame.payload.end;
        }
        if !last_position.is_empty() {
            self.resume_state.position.clear();
            self.resume_state.position.push_str(std::str::from_utf8(last_position)?);
        }
        Ok((count, used))
    }

    fn check(&mut self, received: &[u8]) -> Result<()> {
        let number = dialect::read_message(received);
        let number = number.with_context(|| format!("the server sent {:?}", String::from_utf8_lossy(received)))?;
        let expected = self.next.unwrap_or(number);
        ensure!(number == expected, "message {number} arrived instead of {expected}");
        self.next = Some(number + 1);
        Ok(())
    }
}

/// The initial state of connections, if the server has sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A session without a subscription.
    Attached,
    /// A session with a subscription.
    Subscribed,
}

/// Many connections.
pub(crate) struct Clients {
    pub(crate) connections: Vec<Connection>,
    poller: Poller,
    buffer: Vec<u8>,
    ready: Vec<usize>,
}

impl Clients {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { connections: Vec::new(), poller: Poller::new()?, buffer: vec![0; 64 * 1024], ready: Vec::new() })
    }

    pub(crate) fn connect(target: &Target, count: usize, start: Start) -> Result<Self> {
        let mut clients = Self::new()?;
        clients.grow(target, count, start)?;
        Ok(clients)
    }

    /// Opens this many more connections, which use the channels of the target in turn.
    pub(crate) fn grow(&mut self, target: &Target, count: usize, start: Start) -> Result<()> {
        let end = self.connections.len() + count;
        while self.connections.len() < end {
            let first = self.connections.len();
            let batch = first..end.min(first + CONCURRENT_HANDSHAKES);
            let pending = batch.map(|number| {
                let channel = target.channel(number);
                let opening = match start {
                    Start::Attached => Opening::Attach,
                    Start::Subscribed => Opening::Subscribe { channel: channel.clone() },
                };
                PendingHandshake::start(target, channel, opening)
            });
            for handshake in pending.collect::<Result<Vec<_>>>()? {
                let mut connection = handshake.finish()?;
                connection.wait_until_ready()?;
                self.add(connection)?;
            }
        }
        Ok(())
    }

    /// Adds a connection, and makes its reads non-blocking.
    pub(crate) fn add(&mut self, connection: Connection) -> Result<()> {
        connection.stream.set_nonblocking(true)?;
        self.poller.add(&connection.stream, self.connections.len())?;
        self.connections.push(connection);
        Ok(())
    }

    /// Receives until `done` returns true. It is passed each connection that was read and the number of its new messages.
    pub(crate) fn receive(&mut self, mut done: impl FnMut(&mut Connection, usize) -> Result<bool>) -> Result<()> {
        let mut last = Instant::now();
        loop {
            if self.receive_ready(&mut done)? {
                return Ok(());
            }
            if !self.ready.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > TIMEOUT {
                bail!("a message was lost: nothing has arrived for {TIMEOUT:?}");
            }
        }
    }

    /// Receives what is ready. Returns whether `done` returned true for any connection.
    pub(crate) fn receive_ready(&mut self, done: impl FnMut(&mut Connection, usize) -> Result<bool>) -> Result<bool> {
        self.receive_ready_within(POLL_INTERVAL, done)
    }

    /// Like [`receive_ready`](Self::receive_ready), and waits at most this long for data.
    pub(crate) fn receive_ready_within(
        &mut self,
        timeout: Duration,
        mut done: impl FnMut(&mut Connection, usize) -> Result<bool>,
    ) -> Result<bool> {
        self.ready.clear();
        self.ready.extend(self.poller.ready(Some(timeout))?);
        let mut is_done = false;
        for &number in &self.ready {
            let connection = &mut self.connections[number];
            let count = connection.receive(&mut self.buffer)?;
            is_done |= done(connection, count)?;
        }
        Ok(is_done)
    }
}

#[cfg(test)]
mod tests {
    use bench_native_support::frame::{self, BINARY, TEXT};

    use super::*;

    fn frames(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in numbers {
            frame::write(&mut bytes, if number % 2 == 0 { TEXT } else { BINARY }, &dialect::write_message(number));
        }
        bytes
    }

    #[test]
    fn messages_are_counted_once_wherever_the_bytes_are_cut() {
        let bytes = frames(3..8);
        for size in 1..=bytes.len() {
            let mut inbox = Inbox::default();
            let counts = bytes.chunks(size).map(|chunk| inbox.receive(chunk, Dialect::Plain).unwrap());
            assert_eq!(counts.sum::<usize>(), 5, "in pieces of {size}");
            assert_eq!(inbox.next(), Some(8));
        }
    }

    #[test]
    fn a_message_that_is_lost_repeated_or_early_is_an_error() {
        for numbers in [[1, 3], [1, 1], [2, 1]] {
            assert!(Inbox::default().receive(&frames(numbers), Dialect::Plain).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn other_frames_are_errors() {
        let ping = [0x89, 0];
        let mut masked = Vec::new();
        frame::write_masked(&mut masked, TEXT, &dialect::write_message(0), [1; 4]);
        let mut other = Vec::new();
        frame::write(&mut other, TEXT, b"hello");
        for bytes in [&ping[..], &masked, &other] {
            assert!(Inbox::default().receive(bytes, Dialect::Plain).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn messages_of_socket_io_are_decoded() {
        let mut bytes = Vec::new();
        let payload = Dialect::SocketIo.publish("", &[dialect::write_message(5)], &mut 0).concat();
        frame::write(&mut bytes, TEXT, &payload);
        assert_eq!(Inbox::default().receive(&bytes, Dialect::SocketIo).unwrap(), 1);
        assert!(Inbox::default().receive(&bytes, Dialect::Plain).is_err());
    }

    #[test]
    fn the_state_to_resume_a_session_of_everwire_is_kept() {
        let mut bytes = Vec::new();
        let message = String::from_utf8(dialect::write_message(5).to_vec()).unwrap();
        let message = format!("msg fan 9f.2.3\n{message}");
        for payload in ["welcome abc generation=1 secret=def", "subscribed fan 9f.1.2", &message] {
            frame::write(&mut bytes, TEXT, payload.as_bytes());
        }
        let mut inbox = Inbox::default();
        assert_eq!(inbox.receive(&bytes, Dialect::Everwire).unwrap(), 1);
        let ResumeState { session, secret, position } = inbox.resume_state();
        assert_eq!([session, secret, position], ["abc", "def", "9f.2.3"]);
        assert!(inbox.is_attached() && inbox.is_subscribed());
    }

    #[test]
    fn a_publish_that_is_acknowledged_twice_or_early_is_an_error() {
        for (acks, expected) in [(&[1, 2][..], true), (&[1, 1], false), (&[2], false)] {
            let mut bytes = Vec::new();
            acks.iter().for_each(|seq| frame::write(&mut bytes, TEXT, format!("ack {seq} 9f.1.2").as_bytes()));
            assert_eq!(Inbox::default().receive(&bytes, Dialect::Everwire).is_ok(), expected, "{acks:?}");
        }
    }
}
