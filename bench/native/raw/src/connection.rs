//! One client.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};
use bench_native_support::frame::{self, Frame};
use bench_native_support::handshake;
use bench_native_support::poller::Poller;

/// What a client is served, by the path of its request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its request is not complete.
    New,
    Broadcast,
    Echo,
}

pub(crate) struct Connection {
    stream: TcpStream,
    number: usize,
    role: Role,
    /// The start of an incomplete request or frame.
    input: Vec<u8>,
    /// Bytes that the socket had no room for.
    backlog: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, number: usize) -> Self {
        Self { stream, number, role: Role::New, input: Vec::new(), backlog: Vec::new() }
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// Reads once: the poller reports the socket again if there is more. Frames to broadcast are appended to `broadcast`.
    pub(crate) fn serve(&mut self, buffer: &mut [u8], broadcast: &mut Vec<u8>, poller: &Poller) -> Result<()> {
        if !self.backlog.is_empty() {
            let backlog = std::mem::take(&mut self.backlog);
            self.write(&backlog, poller)?;
            if self.backlog.is_empty() {
                poller.watch_room(&self.stream, self.number, false)?;
            }
        }
        let length = match self.stream.read(buffer) {
            Ok(0) => bail!("the client has gone"),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut input = std::mem::take(&mut self.input);
        let bytes = if input.is_empty() {
            &mut buffer[..length]
        } else {
            input.extend_from_slice(&buffer[..length]);
            &mut input[..]
        };
        let used = match self.role {
            Role::New => self.shake_hands(bytes, poller)?,
            Role::Broadcast => unwrap(bytes, broadcast)?,
            Role::Echo => {
                let mut echo = Vec::with_capacity(bytes.len());
                let used = unwrap(bytes, &mut echo)?;
                self.write(&echo, poller)?;
                used
            }
        };
        if used < bytes.len() {
            self.input = bytes[used..].to_vec();
        }
        Ok(())
    }

    /// Writes once; bytes without room wait in the backlog.
    pub(crate) fn write(&mut self, bytes: &[u8], poller: &Poller) -> Result<()> {
        if !self.backlog.is_empty() {
            self.backlog.extend_from_slice(bytes);
            return Ok(());
        }
        let written = match self.stream.write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error.into()),
        };
        if written < bytes.len() {
            self.backlog.extend_from_slice(&bytes[written..]);
            poller.watch_room(&self.stream, self.number, true)?;
        }
        Ok(())
    }

    fn shake_hands(&mut self, bytes: &[u8], poller: &Poller) -> Result<usize> {
        let Some(end) = handshake::end_of_head(bytes) else { return Ok(0) };
        let head = str::from_utf8(&bytes[..end])?;
        self.role = match handshake::path(head) {
            Some("/broadcast") => Role::Broadcast,
            Some("/echo") => Role::Echo,
            _ => bail!("there is nothing at this path"),
        };
        let response = handshake::response(head).context("this is no WebSocket")?;
        self.write(response.as_bytes(), poller)?;
        Ok(end)
    }
}

/// Appends the frames in these bytes as a server sends them. Returns the length of the complete ones.
fn unwrap(bytes: &mut [u8], out: &mut Vec<u8>) -> Result<usize> {
    let mut used = 0;
    while let Some(found) = Frame::first(&bytes[used..]) {
        ensure!(found.is_message(), "the client sends no more messages");
        let payload = &mut bytes[used..][found.payload.clone()];
        frame::mask(payload, found.mask.context("a client has to mask")?);
        frame::write(out, found.opcode, payload);
        used += found.payload.end;
    }
    Ok(used)
}
