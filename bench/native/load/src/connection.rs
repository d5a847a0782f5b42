//! One connection, from the handshake to messages.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench_native_support::frame::{self, Frame, TEXT};
use bench_native_support::handshake;

use crate::Target;
use crate::dialect::{Dialect, Opening};
use crate::inbox::Inbox;
use crate::message;

/// Time limit for the answer to a handshake.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) inbox: Inbox,
    /// When it began to connect.
    pub(crate) opened: Instant,
    /// When each publish was sent that is not acknowledged.
    unanswered: VecDeque<Instant>,
    dialect: Dialect,
    opening: Opening,
    channel: String,
    /// The publishes so far.
    published: u64,
}

/// A connection whose request for a WebSocket has been sent.
pub(crate) struct PendingHandshake {
    stream: TcpStream,
    opened: Instant,
    nonce: [u8; 16],
    dialect: Dialect,
    opening: Opening,
    channel: String,
}

impl PendingHandshake {
    /// `channel` is what the connection publishes to.
    pub(crate) fn start(target: &Target, channel: String, opening: Opening) -> Result<Self> {
        let opened = Instant::now();
        let mut stream = connect(target.address)?;
        let nonce = fastrand::u128(..).to_ne_bytes();
        let protocol = (target.dialect == Dialect::Everwire).then_some("everwire.v1");
        let request = handshake::request(&target.address.to_string(), &target.path, protocol, nonce);
        stream.write_all(request.as_bytes())?;
        Ok(Self { stream, opened, nonce, dialect: target.dialect, opening, channel })
    }

    /// Waits for the response, and sends what the connection begins with.
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
            Opening::Resume { resumable, next, .. } => Inbox::resuming(resumable.clone(), *next),
            _ => Inbox::default(),
        };
        inbox.keep(&answer[end..]);
        let Self { stream, opened, dialect, opening, channel, .. } = self;
        let unanswered = VecDeque::new();
        let mut connection = Connection { stream, inbox, opened, unanswered, dialect, opening, channel, published: 0 };
        connection.greet()?;
        Ok(connection)
    }
}

impl Connection {
    /// Opens a connection, and waits until the server has greeted it.
    pub(crate) fn open(target: &Target, channel: String, opening: Opening) -> Result<Self> {
        let mut connection = PendingHandshake::start(target, channel, opening)?.finish()?;
        connection.wait_for_welcome()?;
        Ok(connection)
    }

    /// Publishes these messages in one write.
    pub(crate) fn send(&mut self, numbers: impl IntoIterator<Item = u64>) -> Result<()> {
        let messages: Vec<_> = numbers.into_iter().map(message::write).collect();
        let payloads = self.dialect.publish(&self.channel, &messages, &mut self.published);
        self.write(&payloads)
    }

    /// Publishes as many messages in one write, and notes when.
    pub(crate) fn send_acknowledged(&mut self, count: usize) -> Result<()> {
        let messages: Vec<_> = (self.published..).take(count).map(message::write).collect();
        let payloads = self.dialect.publish_acknowledged(&self.channel, &messages, &mut self.published);
        self.unanswered.extend(std::iter::repeat_n(Instant::now(), count));
        self.write(&payloads)
    }

    /// When each publish was sent that has been acknowledged since the last call.
    pub(crate) fn take_answered(&mut self) -> Vec<Instant> {
        let waiting = self.published - self.inbox.acknowledged();
        let answered = self.unanswered.len().saturating_sub(waiting as usize);
        self.unanswered.drain(..answered).collect()
    }

    /// Reads once, as much as the buffer holds. Returns the number of messages.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) => anyhow::bail!("the server has closed a connection"),
            Ok(length) => self.inbox.receive(&buffer[..length], self.dialect),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the server has greeted it, while reads block. Socket.IO sends what a resumed client has missed before that.
    pub(crate) fn wait_for_welcome(&mut self) -> Result<()> {
        let mut buffer = [0; 1024];
        while !self.is_welcome() {
            self.receive(&mut buffer)?;
        }
        Ok(())
    }

    fn is_welcome(&self) -> bool {
        match (self.dialect, &self.opening) {
            (Dialect::Plain, _) => true,
            (Dialect::Everwire, Opening::Subscribe { .. } | Opening::Resume { .. }) => self.inbox.is_subscribed(),
            _ => self.inbox.is_attached(),
        }
    }

    fn greet(&mut self) -> Result<()> {
        match self.dialect {
            Dialect::Plain => Ok(()),
            Dialect::Everwire => self.write(&[Dialect::hello(&self.opening).into_bytes()]),
            Dialect::SocketIo => {
                self.read_open_packet()?;
                self.write(&[Dialect::connect(&self.opening).into_bytes()])
            }
        }?;
        // What came with the head of the response is whole by now.
        let kept = self.inbox.take();
        self.inbox.receive(&kept, self.dialect).map(drop)
    }

    /// The first packet of Engine.IO.
    fn read_open_packet(&mut self) -> Result<()> {
        let mut bytes = self.inbox.take();
        let frame = loop {
            if let Some(frame) = Frame::first(&bytes) {
                break frame;
            }
            read_some(&mut self.stream, &mut bytes)?;
        };
        let packet = &bytes[frame.payload.clone()];
        ensure!(packet.starts_with(b"0{"), "the server said {:?}", String::from_utf8_lossy(packet));
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
    ensure!(length > 0, "the server closed a connection in the handshake");
    bytes.extend_from_slice(&buffer[..length]);
    Ok(())
}
