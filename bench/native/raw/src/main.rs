//! The lower bound: the cost of a server that does nothing but read and write sockets. `/broadcast` sends every message to all
//! clients, `/echo` sends it back. It knows the frames of WebSocket, but neither pings nor fragments.

use std::io::ErrorKind;
use std::net::TcpListener;

use anyhow::Result;
use bench_native_support::poller::Poller;

use connection::{Connection, Role};

mod connection;

/// The number by which the poller knows the listener.
const LISTENER: usize = usize::MAX;

/// What one read may bring.
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
    /// The frames to broadcast, gathered from all clients.
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

    /// One write to each, of everything.
    fn broadcast(&mut self) {
        if self.broadcast.is_empty() {
            return;
        }
        for number in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[number] else { continue };
            if connection.role() == Role::Broadcast && connection.write(&self.broadcast, &self.poller).is_err() {
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
