//! One connection, from the handshake to messages.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench_native_support::frame::{self, Frame, TEXT};
use bench_native_support::handshake;

use crate::Target;
use crate::inbox::Inbox;
use crate::message::{self, Dialect};

/// Time limit for the answer to a handshake.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) inbox: Inbox,
    dialect: Dialect,
}

/// A connection whose request for a WebSocket has been sent.
pub(crate) struct PendingHandshake {
    stream: TcpStream,
    nonce: [u8; 16],
    dialect: Dialect,
}

impl PendingHandshake {
    pub(crate) fn start(target: &Target) -> Result<Self> {
        let mut stream = connect(target.address)?;
        let nonce = fastrand::u128(..).to_ne_bytes();
        stream.write_all(handshake::request(&target.address.to_string(), &target.path, nonce).as_bytes())?;
        Ok(Self { stream, nonce, dialect: target.dialect })
    }

    /// Waits for the response.
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
        let mut inbox = Inbox::default();
        inbox.keep(&answer[end..]);
        let mut connection = Connection { stream: self.stream, inbox, dialect: self.dialect };
        connection.greet()?;
        connection.stream.set_nonblocking(true)?;
        Ok(connection)
    }
}

impl Connection {
    /// Sends these messages in one write.
    pub(crate) fn send(&mut self, numbers: impl IntoIterator<Item = u64>) -> Result<()> {
        let mut bytes = Vec::new();
        for number in numbers {
            let payload = self.dialect.encode(&message::write(number));
            frame::write_masked(&mut bytes, TEXT, &payload, fastrand::u32(..).to_ne_bytes());
        }
        let written = self.stream.write(&bytes)?;
        ensure!(written == bytes.len(), "the socket has no room for {} bytes", bytes.len());
        Ok(())
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

    fn greet(&mut self) -> Result<()> {
        for (expected, answer) in self.dialect.greetings() {
            let mut bytes = self.inbox.take();
            let frame = loop {
                if let Some(frame) = Frame::first(&bytes) {
                    break frame;
                }
                read_some(&mut self.stream, &mut bytes)?;
            };
            let greeting = &bytes[frame.payload.clone()];
            ensure!(greeting.starts_with(expected), "the server said {:?}", String::from_utf8_lossy(greeting));
            self.inbox.keep(&bytes[frame.payload.end..]);
            if let Some(answer) = answer {
                let mut bytes = Vec::new();
                frame::write_masked(&mut bytes, TEXT, answer, fastrand::u32(..).to_ne_bytes());
                self.stream.write_all(&bytes)?;
            }
        }
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
