use alloc::vec::Vec;

use super::{Cause, Connection, Input, Network, Page, SocketId};
use crate::{
    CloseCode, Payload, Time,
    terms::{ReasonOf, TextOf},
};

/// A connection at the time when something happens; from [`Connection::at`]. Each method takes in what the [`Input`] of its name
/// says, for a driver to which making an [`Input`] of it is an expense.
#[derive(Debug)]
#[must_use = "nothing happens by itself"]
pub struct At<'a, M: Payload> {
    connection: &'a mut Connection<M>,
    now: Time,
}

impl<'a, M: Payload> At<'a, M> {
    pub(super) fn new(connection: &'a mut Connection<M>, now: Time) -> Self {
        connection.settle(now);
        Self { connection, now }
    }

    pub(super) fn happens(self, input: Input<M>) {
        match input {
            Input::Open => self.open(),
            Input::Reconnect => self.reconnect(),
            Input::Close { code, reason } => self.close(code, reason),
            Input::Flush => self.connection.flush(self.now),
            Input::Opened { socket, greeting } => self.opened(socket, greeting),
            Input::Received { socket, message } => self.connection.received(self.now, socket, message),
            Input::Pong { socket, ping, server_time } => self.pong(socket, ping, server_time),
            Input::Dropped { socket, cause, buffered } => self.dropped(socket, cause, buffered),
            Input::Buffered { socket, bytes } => self.buffered(socket, bytes),
            Input::Network(network) => self.network(network),
            Input::Page(page) => self.page(page),
            Input::Wake { wall } => self.wake(wall),
        }
    }

    /// [`Input::Open`].
    pub fn open(self) {
        self.open_after(Time::NEVER);
    }

    /// As [`Input::Open`], for a connection that takes the place of one which is over and dialled last so long ago: that dial counts
    /// for the least time between two.
    pub fn open_after(self, last_dial: Time) {
        self.connection.open(self.now, last_dial);
    }

    /// [`Input::Reconnect`].
    pub fn reconnect(self) {
        self.connection.reconnect(self.now);
    }

    /// [`Input::Close`].
    pub fn close(self, code: CloseCode, reason: ReasonOf<M>) {
        self.connection.close(self.now, code, reason);
    }

    /// [`Input::Opened`].
    pub fn opened(self, socket: SocketId, greeting: Vec<M>) {
        self.connection.opened(self.now, socket, greeting);
    }

    /// As [`Input::Received`], for a driver that keeps its messages: whether the one that arrived is for the application.
    pub fn receive(self, socket: SocketId) -> bool {
        self.connection.listen(self.now, socket)
    }

    /// [`Input::Pong`].
    pub fn pong(self, socket: SocketId, ping: Option<u64>, server_time: Option<f64>) {
        self.connection.pong(self.now, socket, ping, server_time);
    }

    /// [`Input::Dropped`].
    pub fn dropped(self, socket: SocketId, cause: Cause<TextOf<M>>, buffered: u64) {
        self.connection.dropped(self.now, socket, cause, buffered);
    }

    /// [`Input::Buffered`].
    pub fn buffered(self, socket: SocketId, bytes: u64) {
        self.connection.buffered(self.now, socket, bytes);
    }

    /// [`Input::Network`].
    pub fn network(self, network: Network) {
        self.connection.network(self.now, network);
    }

    /// [`Input::Page`].
    pub fn page(self, page: Page) {
        self.connection.page(self.now, page);
    }

    /// [`Input::Wake`].
    pub fn wake(self, wall: impl Into<Time>) {
        self.connection.wake(self.now, wall.into());
    }
}
