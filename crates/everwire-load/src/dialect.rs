//! The protocols that servers speak over a WebSocket: what a dialect adds to the address, its handshake, and how it wraps a payload.

use core::fmt;
use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use url::Url;

/// The protocol of a server, over its WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Bare messages; an echo sends them back as they are
    Plain,
    /// Engine.IO 4: the events "echo" and "publish" carry the messages, "subscribe" subscribes
    #[value(name = "socket.io")]
    #[serde(rename = "socket.io")]
    SocketIo,
    /// SocketCluster: the procedure "echo", and the channel "load"
    Socketcluster,
}

impl fmt::Display for Dialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "plain",
            Self::SocketIo => "socket.io",
            Self::Socketcluster => "socketcluster",
        })
    }
}

impl Dialect {
    /// The address to connect to: socket.io and SocketCluster have default paths, and socket.io names its protocol in the query.
    pub(crate) fn complete_url(self, mut url: Url) -> Url {
        let is_bare = url.path() == "/";
        match self {
            Self::Plain => {}
            Self::SocketIo => {
                if is_bare {
                    url.set_path("/socket.io/");
                }
                for (name, value) in [("EIO", "4"), ("transport", "websocket")] {
                    if url.query_pairs().all(|(present, _)| present != name) {
                        url.query_pairs_mut().append_pair(name, value);
                    }
                }
            }
            Self::Socketcluster if is_bare => url.set_path("/socketcluster/"),
            Self::Socketcluster => {}
        }
        url
    }
}

/// The address for output, without user and password.
pub(crate) fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Neither can fail for an address with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends messages that the server answers.
    Pinger,
    /// Sends messages that the server passes on to all subscribers.
    Publisher,
    /// Sends nothing, and receives what is published.
    Subscriber,
}

/// What a message of the server means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    /// What to send back.
    pub(crate) reply: Option<String>,
    /// The payload of an answer or a delivery.
    pub(crate) payload: Option<Cow<'a, str>>,
    /// The server rejected a single call; the connection continues.
    pub(crate) call_error: Option<String>,
    /// The server rejected the client as a whole; retrying would fail the same way.
    pub(crate) rejection: Option<String>,
    /// The message is not part of the dialect.
    pub(crate) is_unexpected: bool,
}

/// The state of one connection in its dialect, without I/O.
#[derive(Debug)]
pub(crate) struct DialectSession {
    dialect: Dialect,
    role: Role,
    is_ready: bool,
    calls: u64,
}

impl DialectSession {
    pub(crate) fn new(dialect: Dialect, role: Role) -> Self {
        Self { dialect, role, is_ready: false, calls: 0 }
    }

    /// The WebSocket has opened, or reopened. Returns the first message to send.
    pub(crate) fn open(&mut self) -> Option<String> {
        self.is_ready = self.dialect == Dialect::Plain;
        match self.dialect {
            Dialect::Plain | Dialect::SocketIo => None,
            Dialect::Socketcluster => Some(socketcluster::handshake(self.call())),
        }
    }

    /// The WebSocket has closed.
    pub(crate) fn close(&mut self) {
        self.is_ready = false;
    }

    /// Whether the handshake is complete, so that messages may be sent.
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

    /// Wraps a payload of letters and digits, which need no escaping.
    pub(crate) fn wrap(&mut self, payload: String) -> String {
        match (self.dialect, self.role) {
            (Dialect::Plain, _) => payload,
            (Dialect::SocketIo, Role::Publisher) => socket_io::event("publish", Some(&payload)),
            (Dialect::SocketIo, _) => socket_io::event("echo", Some(&payload)),
            (Dialect::Socketcluster, Role::Publisher) => socketcluster::publish(&payload),
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
                let subscribes = self.role == Role::Subscriber;
                received.reply = subscribes.then(|| socket_io::event("subscribe", None));
            }
            Packet::Event(payload) => received.payload = Some(payload),
            Packet::Rejected(reason) => received.rejection = Some(reason),
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
                let subscribes = self.role == Role::Subscriber;
                received.reply = subscribes.then(|| socketcluster::subscribe(self.call()));
            }
            Packet::Payload(payload) => received.payload = Some(payload),
            // The calls are the handshake, a subscriber's subscription, and echoes. Only a rejected echo leaves a usable
            // connection.
            Packet::Rejected(reason) if self.is_ready && self.role != Role::Subscriber => {
                received.call_error = Some(reason);
            }
            Packet::Rejected(reason) => received.rejection = Some(reason),
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

/// Engine.IO protocol 4 and Socket.IO protocol 5, as socket.io 4 speaks them over a WebSocket.
mod socket_io {
    use std::borrow::Cow;

    use serde::Deserialize;

    /// Connects to the default namespace.
    pub(super) const CONNECT: &str = "40";
    /// Answers the server's heartbeat.
    pub(super) const PONG: &str = "3";

    pub(super) enum Packet<'a> {
        /// The transport is open.
        Open,
        Ping,
        /// The namespace is open.
        Connected,
        /// The text argument of an event.
        Event(Cow<'a, str>),
        Rejected(String),
        Other,
    }

    #[derive(Deserialize)]
    struct Event<'a>(serde::de::IgnoredAny, #[serde(borrow)] Cow<'a, str>);

    #[derive(Deserialize)]
    struct Problem {
        message: String,
    }

    pub(super) fn read(text: &str) -> Packet<'_> {
        if text == "2" {
            return Packet::Ping;
        }
        if text.starts_with("0{") {
            return Packet::Open;
        }
        if let Some(event) = text.strip_prefix("42") {
            return serde_json::from_str(event).map_or(Packet::Other, |Event(_, payload)| Packet::Event(payload));
        }
        if let Some(problem) = text.strip_prefix("44") {
            let message = serde_json::from_str(problem).map(|Problem { message }| message);
            return Packet::Rejected(message.unwrap_or_else(|_| "socket.io rejected the namespace".to_owned()));
        }
        if text == "41" {
            return Packet::Rejected("socket.io has left the namespace".to_owned());
        }
        if text.starts_with("40") { Packet::Connected } else { Packet::Other }
    }

    /// An event with a payload of letters and digits, which need no escaping.
    pub(super) fn event(name: &str, payload: Option<&str>) -> String {
        match payload {
            Some(payload) => format!("42[\"{name}\",\"{payload}\"]"),
            None => format!("42[\"{name}\"]"),
        }
    }
}

/// SocketCluster protocol 2, as socketcluster-server speaks it from version 15 on.
mod socketcluster {
    use std::borrow::Cow;

    use serde::Deserialize;

    /// The channel of the publishers and subscribers.
    const CHANNEL: &str = "load";

    pub(super) enum Packet<'a> {
        /// The server's heartbeat: an empty message.
        Ping,
        /// The answer to a call, without a payload.
        Answered,
        /// The answer to an echo, or a published message.
        Payload(Cow<'a, str>),
        Rejected(String),
        Other,
    }

    #[derive(Deserialize)]
    struct Envelope<'a> {
        event: Option<&'a str>,
        rid: Option<u64>,
        #[serde(borrow)]
        data: Option<Data<'a>>,
        error: Option<Problem>,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Data<'a> {
        Text(#[serde(borrow)] Cow<'a, str>),
        Published {
            #[serde(borrow)]
            data: Cow<'a, str>,
        },
        Other(serde::de::IgnoredAny),
    }

    #[derive(Deserialize)]
    struct Problem {
        message: Option<String>,
    }

    pub(super) fn read(text: &str) -> Packet<'_> {
        if text.is_empty() {
            return Packet::Ping;
        }
        let Ok(Envelope { event, rid, data, error }) = serde_json::from_str(text) else { return Packet::Other };
        if let Some(Problem { message }) = error {
            return Packet::Rejected(message.unwrap_or_else(|| "SocketCluster rejected a call".to_owned()));
        }
        match (event, rid, data) {
            (_, Some(_), Some(Data::Text(payload))) => Packet::Payload(payload),
            (Some("#publish"), None, Some(Data::Published { data })) => Packet::Payload(data),
            (_, Some(_), _) => Packet::Answered,
            _ => Packet::Other,
        }
    }

    pub(super) fn handshake(call: u64) -> String {
        format!(r##"{{"event":"#handshake","data":{{"authToken":null}},"cid":{call}}}"##)
    }

    pub(super) fn subscribe(call: u64) -> String {
        format!(r##"{{"event":"#subscribe","data":{{"channel":"{CHANNEL}"}},"cid":{call}}}"##)
    }

    pub(super) fn publish(payload: &str) -> String {
        format!(r##"{{"event":"#publish","data":{{"channel":"{CHANNEL}","data":"{payload}"}}}}"##)
    }

    pub(super) fn echo(payload: &str, call: u64) -> String {
        format!(r#"{{"event":"echo","data":"{payload}","cid":{call}}}"#)
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
    fn a_plain_connection_is_ready_at_once_and_does_not_wrap_payloads() {
        let mut session = DialectSession::new(Dialect::Plain, Role::Pinger);
        assert_eq!(session.open(), None);
        assert!(session.is_ready());
        assert_eq!(session.wrap("abc".into()), "abc");
        assert_eq!(session.receive("abc"), payload("abc"));
    }

    // The samples are messages of socket.io 4.8.
    #[test]
    fn socket_io_is_ready_after_two_handshakes_and_its_pings_are_answered() {
        let mut session = DialectSession::new(Dialect::SocketIo, Role::Pinger);
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
        let mut session = DialectSession::new(Dialect::SocketIo, Role::Subscriber);
        session.open();
        assert_eq!(session.receive(r#"40{"sid":"x"}"#), reply(r#"42["subscribe"]"#));
        assert_eq!(session.receive(r#"42["publish","abc"]"#), payload("abc"));
        let mut session = DialectSession::new(Dialect::SocketIo, Role::Publisher);
        assert_eq!(session.wrap("abc".into()), r#"42["publish","abc"]"#);
    }

    #[test]
    fn a_namespace_that_socket_io_rejects_is_a_rejection() {
        let mut session = DialectSession::new(Dialect::SocketIo, Role::Pinger);
        let received = session.receive(r#"44{"message":"Not authorized"}"#);
        assert_eq!(received.rejection.as_deref(), Some("Not authorized"));
        assert!(!session.is_ready());
    }

    // The samples are messages of socketcluster-server 20.
    #[test]
    fn socketcluster_is_ready_after_its_handshake_and_its_pings_are_answered() {
        let mut session = DialectSession::new(Dialect::Socketcluster, Role::Pinger);
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
        let mut session = DialectSession::new(Dialect::Socketcluster, Role::Subscriber);
        session.open();
        let subscribe = r##"{"event":"#subscribe","data":{"channel":"load"},"cid":2}"##;
        assert_eq!(session.receive(r#"{"rid":1,"data":{"id":"x"}}"#), reply(subscribe));
        assert_eq!(session.receive(r#"{"rid":2}"#), Received::default());
        let published = r##"{"event":"#publish","data":{"channel":"load","data":"abc"}}"##;
        assert_eq!(session.receive(published), payload("abc"));
        let mut session = DialectSession::new(Dialect::Socketcluster, Role::Publisher);
        assert_eq!(session.wrap("abc".into()), published);
    }

    #[test]
    fn a_handshake_that_socketcluster_rejects_is_a_rejection() {
        let mut session = DialectSession::new(Dialect::Socketcluster, Role::Pinger);
        session.open();
        let received =
            session.receive(r#"{"rid":1,"error":{"name":"SilentMiddlewareBlockedError","message":"no entry"}}"#);
        assert_eq!(received.rejection.as_deref(), Some("no entry"));
    }

    #[test]
    fn a_rejected_echo_of_socketcluster_is_a_call_error_and_a_rejected_subscription_is_a_rejection() {
        for (role, ends) in [(Role::Pinger, false), (Role::Subscriber, true)] {
            let mut session = DialectSession::new(Dialect::Socketcluster, role);
            session.open();
            session.receive(r#"{"rid":1,"data":{"id":"x"}}"#);
            let received =
                session.receive(r#"{"rid":2,"error":{"name":"SilentMiddlewareBlockedError","message":"not now"}}"#);
            let reason = Some("not now".to_owned());
            let (call_error, rejection) = if ends { (None, reason) } else { (reason, None) };
            assert_eq!(received, Received { call_error, rejection, ..Received::default() });
            assert!(session.is_ready());
        }
    }

    #[test]
    fn a_namespace_that_socket_io_leaves_is_a_rejection() {
        let mut session = DialectSession::new(Dialect::SocketIo, Role::Pinger);
        session.open();
        session.receive(r#"40{"sid":"x"}"#);
        assert_eq!(session.receive("41").rejection.as_deref(), Some("socket.io has left the namespace"));
    }

    #[test]
    fn garbage_is_only_unexpected_in_every_dialect() {
        for dialect in [Dialect::SocketIo, Dialect::Socketcluster] {
            let mut session = DialectSession::new(dialect, Role::Pinger);
            for text in ["7", "{", "42", "42[", "null", "[]", "4é", r#"{"rid":{}}"#, r#"{"event":7}"#] {
                assert_eq!(session.receive(text), Received { is_unexpected: true, ..Received::default() }, "{text}");
                assert!(!session.is_ready(), "{text}");
            }
        }
    }

    fn completed(dialect: Dialect, url: &str) -> String {
        dialect.complete_url(Url::parse(url).unwrap()).to_string()
    }

    #[test]
    fn a_dialect_adds_its_defaults_to_the_address() {
        assert_eq!(completed(Dialect::Plain, "ws://h/echo"), "ws://h/echo");
        assert_eq!(completed(Dialect::SocketIo, "ws://h:3000"), "ws://h:3000/socket.io/?EIO=4&transport=websocket");
        assert_eq!(completed(Dialect::Socketcluster, "ws://h:8000"), "ws://h:8000/socketcluster/");
    }

    #[test]
    fn a_dialect_keeps_what_the_address_specifies() {
        let url = "ws://h/chat/?EIO=4&token=x";
        assert_eq!(completed(Dialect::SocketIo, url), format!("{url}&transport=websocket"));
        assert_eq!(completed(Dialect::Socketcluster, "ws://h/live"), "ws://h/live");
    }
}
