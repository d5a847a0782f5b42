//! The lower bound: the cost of a server that does nothing but read and write sockets. `/broadcast` sends every message to all
//! clients, `/echo` sends it back. It knows WebSocket frames, but neither pings nor fragments.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result, bail, ensure};
use bench_native_support::frame::{self, Frame};
use bench_native_support::{Poller, handshake};

/// The poller's number for the listener.
const LISTENER: usize = usize::MAX;

/// The size of a read.
const READ: usize = 64 * 1024;

fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("listening on http://{}", listener.local_addr()?);
    let poller = Poller::new()?;
    poller.add(&listener, LISTENER)?;
    Server { listener, poller, connections: Vec::new(), free: Vec::new(), broadcast: Vec::new() }.run()
}

struct Server {
    listener: TcpListener,
    poller: Poller,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// The frames to broadcast, from all clients.
    broadcast: Vec<u8>,
}

impl Server {
    fn run(mut self) -> Result<()> {
        let mut buffer = vec![0; READ];
        let mut ready = Vec::new();
        loop {
            ready.clear();
            ready.extend(self.poller.ready(None)?);
            for &number in &ready {
                if number == LISTENER {
                    self.accept()?;
                } else {
                    self.serve(number, &mut buffer);
                }
            }
            self.broadcast();
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let number = self.free.pop().unwrap_or(self.connections.len());
            self.poller.add(&stream, number)?;
            if number == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[number] = Some(Connection::new(stream, number));
        }
    }

    fn serve(&mut self, number: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[number] else { return };
        if connection.serve(buffer, &mut self.broadcast, &self.poller).is_err() {
            self.drop(number);
        }
    }

    /// Writes all frames to each client at once.
    fn broadcast(&mut self) {
        if self.broadcast.is_empty() {
            return;
        }
        for number in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[number] else { continue };
            if connection.role == Role::Broadcast && connection.write(&self.broadcast, &self.poller).is_err() {
                self.drop(number);
            }
        }
        self.broadcast.clear();
    }

    fn drop(&mut self, number: usize) {
        self.connections[number] = None;
        self.free.push(number);
    }
}

/// What a client gets, by the path of its request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Its request is incomplete.
    New,
    Broadcast,
    Echo,
}

/// One client.
struct Connection {
    stream: TcpStream,
    number: usize,
    role: Role,
    /// The start of an incomplete request or frame.
    input: Vec<u8>,
    /// Bytes that the socket had no room for.
    backlog: Vec<u8>,
}

impl Connection {
    fn new(stream: TcpStream, number: usize) -> Self {
        Self { stream, number, role: Role::New, input: Vec::new(), backlog: Vec::new() }
    }

    /// Reads once: the poller reports the socket again if there is more. Appends frames to broadcast to `broadcast`.
    fn serve(&mut self, buffer: &mut [u8], broadcast: &mut Vec<u8>, poller: &Poller) -> Result<()> {
        if !self.backlog.is_empty() {
            let backlog = std::mem::take(&mut self.backlog);
            self.write(&backlog, poller)?;
            if self.backlog.is_empty() {
                poller.set_write_interest(&self.stream, self.number, false)?;
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
            Role::Broadcast => unmask_frames(bytes, broadcast)?,
            Role::Echo => {
                let mut echo = Vec::with_capacity(bytes.len());
                let used = unmask_frames(bytes, &mut echo)?;
                self.write(&echo, poller)?;
                used
            }
        };
        if used < bytes.len() {
            self.input = bytes[used..].to_vec();
        }
        Ok(())
    }

    /// Writes once; bytes that the socket has no room for wait in the backlog.
    fn write(&mut self, bytes: &[u8], poller: &Poller) -> Result<()> {
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
            poller.set_write_interest(&self.stream, self.number, true)?;
        }
        Ok(())
    }

    fn shake_hands(&mut self, bytes: &[u8], poller: &Poller) -> Result<usize> {
        let Some(end) = handshake::end_of_head(bytes) else { return Ok(0) };
        let head = str::from_utf8(&bytes[..end])?;
        self.role = match handshake::path(head) {
            Some("/broadcast") => Role::Broadcast,
            Some("/echo") => Role::Echo,
            _ => bail!("unknown path"),
        };
        let response = handshake::response(head).context("not a WebSocket request")?;
        self.write(response.as_bytes(), poller)?;
        Ok(end)
    }
}

/// Appends the complete frames in these bytes without their mask, as a server sends them. Returns their length.
fn unmask_frames(bytes: &mut [u8], out: &mut Vec<u8>) -> Result<usize> {
    let mut used = 0;
    while let Some(found) = Frame::first(&bytes[used..]) {
        ensure!(found.is_message(), "the client sent a frame that is not a message");
        let payload = &mut bytes[used..][found.payload.clone()];
        frame::mask(payload, found.mask.context("a client must mask its frames")?);
        frame::write(out, found.opcode, payload);
        used += found.payload.end;
    }
    Ok(used)
}
