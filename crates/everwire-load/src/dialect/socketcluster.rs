//! SocketCluster protocol 2, as socketcluster-server speaks it from version 15 on.

use std::borrow::Cow;

use serde::Deserialize;

/// The channel that is published to.
const CHANNEL: &str = "load";

pub(super) enum Packet<'a> {
    /// The server's heartbeat: an empty message.
    Ping,
    /// A call has been answered without a payload.
    Answered,
    /// The answer to an echo, or what was published.
    Payload(Cow<'a, str>),
    Refused(String),
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
        return Packet::Refused(message.unwrap_or_else(|| "SocketCluster refused a call".to_owned()));
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
