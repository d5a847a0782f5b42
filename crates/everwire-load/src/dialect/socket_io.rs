//! Engine.IO protocol 4 and Socket.IO protocol 5, as socket.io 4 speaks them over a WebSocket.

use std::borrow::Cow;

use serde::Deserialize;

/// Asks for the default namespace.
pub(super) const CONNECT: &str = "40";
/// Answers the server's heartbeat.
pub(super) const PONG: &str = "3";

pub(super) enum Packet<'a> {
    /// The transport is open.
    Open,
    Ping,
    /// The namespace is open.
    Connected,
    /// The text that an event carries.
    Event(Cow<'a, str>),
    Refused(String),
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
        return Packet::Refused(message.unwrap_or_else(|_| "socket.io refused the namespace".to_owned()));
    }
    if text == "41" {
        return Packet::Refused("socket.io has left the namespace".to_owned());
    }
    if text.starts_with("40") { Packet::Connected } else { Packet::Other }
}

/// An event, with a payload of letters and digits, which need no escape.
pub(super) fn event(name: &str, payload: Option<&str>) -> String {
    match payload {
        Some(payload) => format!("42[\"{name}\",\"{payload}\"]"),
        None => format!("42[\"{name}\"]"),
    }
}
