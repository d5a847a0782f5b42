//! The protocols that servers speak over a WebSocket: how a connection is greeted, and how a payload is wrapped.
//!
//! # Layout
//! - [`Session`]: one connection's part in it, without I/O
//! - [`address`]: what a dialect adds to a URL
//! - [`socket_io`], [`socketcluster`]: the wire formats

pub(crate) mod address;
mod socket_io;
mod socketcluster;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What a server speaks over its WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Bare messages; an echo sends them back as they are
    Plain,
    /// Engine.IO 4: the events "echo" and "publish" carry the messages, "subscribe" asks for what is published
    #[value(name = "socket.io")]
    #[serde(rename = "socket.io")]
    SocketIo,
    /// SocketCluster: the procedure "echo", and the channel "load"
    Socketcluster,
}

impl core::fmt::Display for Dialect {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "plain",
            Self::SocketIo => "socket.io",
            Self::Socketcluster => "socketcluster",
        })
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To send and be answered.
    Ping,
    /// To send to all who subscribe.
    Publish,
    /// To receive what is published.
    Subscribe,
}

/// The result of a message from the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    /// What to answer.
    pub(crate) reply: Option<String>,
    /// A message for the application.
    pub(crate) payload: Option<Cow<'a, str>>,
    /// Why the server did not do what it was asked, with which the connection goes on.
    pub(crate) complaint: Option<String>,
    /// Why the server does not want to go on.
    pub(crate) refusal: Option<String>,
    /// It was nothing that the dialect has an answer for.
    pub(crate) is_unexpected: bool,
}

/// The state of one connection in its dialect.
#[derive(Debug)]
pub(crate) struct Session {
    dialect: Dialect,
    purpose: Purpose,
    is_ready: bool,
    calls: u64,
}

impl Session {
    pub(crate) fn new(dialect: Dialect, purpose: Purpose) -> Self {
        Self { dialect, purpose, is_ready: false, calls: 0 }
    }

    /// The WebSocket has opened, perhaps again: what to send first.
    pub(crate) fn open(&mut self) -> Option<String> {
        self.is_ready = self.dialect == Dialect::Plain;
        match self.dialect {
            Dialect::Plain | Dialect::SocketIo => None,
            Dialect::Socketcluster => Some(socketcluster::handshake(self.call())),
        }
    }

    /// The WebSocket has gone.
    pub(crate) fn close(&mut self) {
        self.is_ready = false;
    }

    /// Whether messages may be sent and will be received.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(crate) fn receive<'a>(&mut self, text: &'a str) -> Received<'a> {
        match self.dialect {
            Dialect::Plain => Received { payload: Some(Cow::Borrowed(text)), ..Received::default() },
            Dialect::SocketIo => self.receive_socket_io(text),
            Dialect::Socketcluster => self.receive_socketcluster(text),
        }
    }

    /// Wraps a payload, all of whose characters are letters and digits.
    pub(crate) fn wrap(&mut self, payload: String) -> String {
        match (self.dialect, self.purpose) {
            (Dialect::Plain, _) => payload,
            (Dialect::SocketIo, Purpose::Publish) => socket_io::event("publish", Some(&payload)),
            (Dialect::SocketIo, _) => socket_io::event("echo", Some(&payload)),
            (Dialect::Socketcluster, Purpose::Publish) => socketcluster::publish(&payload),
            (Dialect::Socketcluster, _) => socketcluster::echo(&payload, self.call()),
        }
    }

    fn receive_socket_io<'a>(&mut self, text: &'a str) -> Received<'a> {
        use socket_io::Packet;
        let mut received = Received::default();
        match socket_io::read(text) {
            Packet::Open => received.reply = Some(socket_io::CONNECT.to_owned()),
            Packet::Ping => received.reply = Some(socket_io::PONG.to_owned()),
            Packet::Connected => {
                self.is_ready = true;
                let subscribes = self.purpose == Purpose::Subscribe;
                received.reply = subscribes.then(|| socket_io::event("subscribe", None));
            }
            Packet::Event(payload) => received.payload = Some(payload),
            Packet::Refused(reason) => received.refusal = Some(reason),
            Packet::Other => received.is_unexpected = true,
        }
        received
    }

    fn receive_socketcluster<'a>(&mut self, text: &'a str) -> Received<'a> {
        use socketcluster::Packet;
        let mut received = Received::default();
        match socketcluster::read(text) {
            Packet::Ping => received.reply = Some(String::new()),
            Packet::Answered if !self.is_ready => {
                self.is_ready = true;
                let subscribes = self.purpose == Purpose::Subscribe;
                received.reply = subscribes.then(|| socketcluster::subscribe(self.call()));
            }
            Packet::Payload(payload) => received.payload = Some(payload),
            // Of calls there are the handshake, a subscriber's only other one, and echoes: one that is refused says nothing of
            // those that follow.
            Packet::Refused(reason) if self.is_ready && self.purpose != Purpose::Subscribe => {
                received.complaint = Some(reason);
            }
            Packet::Refused(reason) => received.refusal = Some(reason),
            Packet::Answered => {}
            Packet::Other => received.is_unexpected = true,
        }
        received
    }

    fn call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Received<'static> {
        Received { reply: Some(text.to_owned()), ..Received::default() }
    }

    fn payload(text: &str) -> Received<'_> {
        Received { payload: Some(Cow::Borrowed(text)), ..Received::default() }
    }

    #[test]
    fn a_plain_connection_is_ready_at_once_and_payloads_are_bare() {
        let mut session = Session::new(Dialect::Plain, Purpose::Ping);
        assert_eq!(session.open(), None);
        assert!(session.is_ready());
        assert_eq!(session.wrap("abc".into()), "abc");
        assert_eq!(session.receive("abc"), payload("abc"));
    }

    // The wire samples are what socket.io 4.8 sends and takes.
    #[test]
    fn socket_io_is_ready_after_two_handshakes_and_its_pings_are_answered() {
        let mut session = Session::new(Dialect::SocketIo, Purpose::Ping);
        assert_eq!(session.open(), None);
        let open = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(session.receive(open), reply("40"));
        assert!(!session.is_ready());
        assert_eq!(session.receive(r#"40{"sid":"wZX3oN0bSVIhsaknAAAI"}"#), Received::default());
        assert!(session.is_ready());
        assert_eq!(session.wrap("abc".into()), r#"42["echo","abc"]"#);
        assert_eq!(session.receive(r#"42["echo","abc"]"#), payload("abc"));
        assert_eq!(session.receive("2"), reply("3"));
        session.close();
        assert!(!session.is_ready());
    }

    #[test]
    fn socket_io_subscribers_join_and_publishers_publish() {
        let mut session = Session::new(Dialect::SocketIo, Purpose::Subscribe);
        session.open();
        assert_eq!(session.receive(r#"40{"sid":"x"}"#), reply(r#"42["subscribe"]"#));
        assert_eq!(session.receive(r#"42["publish","abc"]"#), payload("abc"));
        let mut session = Session::new(Dialect::SocketIo, Purpose::Publish);
        assert_eq!(session.wrap("abc".into()), r#"42["publish","abc"]"#);
    }

    #[test]
    fn a_namespace_that_socket_io_refuses_is_told() {
        let mut session = Session::new(Dialect::SocketIo, Purpose::Ping);
        let received = session.receive(r#"44{"message":"Not authorized"}"#);
        assert_eq!(received.refusal.as_deref(), Some("Not authorized"));
        assert!(!session.is_ready());
    }

    // The wire samples are what socketcluster-server 20 sends and takes.
    #[test]
    fn socketcluster_is_ready_after_its_handshake_and_its_pings_are_answered() {
        let mut session = Session::new(Dialect::Socketcluster, Purpose::Ping);
        assert_eq!(session.open().as_deref(), Some(r##"{"event":"#handshake","data":{"authToken":null},"cid":1}"##));
        assert!(!session.is_ready());
        let answer = r#"{"rid":1,"data":{"id":"3YvyOFnYLdCRnBS8AAAA","pingTimeout":20000,"isAuthenticated":false}}"#;
        assert_eq!(session.receive(answer), Received::default());
        assert!(session.is_ready());
        assert_eq!(session.wrap("abc".into()), r#"{"event":"echo","data":"abc","cid":2}"#);
        assert_eq!(session.receive(r#"{"rid":2,"data":"abc"}"#), payload("abc"));
        assert_eq!(session.receive(""), reply(""));
    }

    #[test]
    fn socketcluster_subscribers_subscribe_and_publishers_publish() {
        let mut session = Session::new(Dialect::Socketcluster, Purpose::Subscribe);
        session.open();
        let subscribe = r##"{"event":"#subscribe","data":{"channel":"load"},"cid":2}"##;
        assert_eq!(session.receive(r#"{"rid":1,"data":{"id":"x"}}"#), reply(subscribe));
        assert_eq!(session.receive(r#"{"rid":2}"#), Received::default());
        let published = r##"{"event":"#publish","data":{"channel":"load","data":"abc"}}"##;
        assert_eq!(session.receive(published), payload("abc"));
        let mut session = Session::new(Dialect::Socketcluster, Purpose::Publish);
        assert_eq!(session.wrap("abc".into()), published);
    }

    #[test]
    fn what_socketcluster_refuses_is_told() {
        let mut session = Session::new(Dialect::Socketcluster, Purpose::Ping);
        session.open();
        let received =
            session.receive(r#"{"rid":1,"error":{"name":"SilentMiddlewareBlockedError","message":"no entry"}}"#);
        assert_eq!(received.refusal.as_deref(), Some("no entry"));
    }

    #[test]
    fn an_echo_that_socketcluster_refuses_does_not_end_the_connection_and_a_subscription_does() {
        for (purpose, ends) in [(Purpose::Ping, false), (Purpose::Subscribe, true)] {
            let mut session = Session::new(Dialect::Socketcluster, purpose);
            session.open();
            session.receive(r#"{"rid":1,"data":{"id":"x"}}"#);
            let received =
                session.receive(r#"{"rid":2,"error":{"name":"SilentMiddlewareBlockedError","message":"not now"}}"#);
            let reason = Some("not now".to_owned());
            let (complaint, refusal) = if ends { (None, reason) } else { (reason, None) };
            assert_eq!(received, Received { complaint, refusal, ..Received::default() });
            assert!(session.is_ready());
        }
    }

    #[test]
    fn a_namespace_that_socket_io_leaves_is_a_refusal() {
        let mut session = Session::new(Dialect::SocketIo, Purpose::Ping);
        session.open();
        session.receive(r#"40{"sid":"x"}"#);
        assert_eq!(session.receive("41").refusal.as_deref(), Some("socket.io has left the namespace"));
    }

    #[test]
    fn garbage_is_nothing_but_unexpected_in_every_dialect() {
        for dialect in [Dialect::SocketIo, Dialect::Socketcluster] {
            let mut session = Session::new(dialect, Purpose::Ping);
            for text in ["7", "{", "42", "42[", "null", "[]", "4é", r#"{"rid":{}}"#, r#"{"event":7}"#] {
                assert_eq!(session.receive(text), Received { is_unexpected: true, ..Received::default() }, "{text}");
                assert!(!session.is_ready(), "{text}");
            }
        }
    }
}
