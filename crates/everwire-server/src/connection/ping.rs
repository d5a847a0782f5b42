use serde::Serialize;

use crate::message::Message;

/// Answer to a client's heartbeat.
#[derive(Debug, Serialize)]
pub(crate) struct Pong {
    pong: i64,
    /// Milliseconds since the Unix epoch, from which the client estimates the offset between the clocks.
    server_time: f64,
}

impl Pong {
    /// The answer to `text`, if it is a ping: exactly `{"ping":ID}` with an integer, as the client writes it.
    pub(crate) fn to(text: &str, now_ms: impl FnOnce() -> f64) -> Option<Self> {
        let id = text.strip_prefix(r#"{"ping":"#)?.strip_suffix('}')?;
        Some(Self { pong: id.parse().ok()?, server_time: now_ms() })
    }
}

impl From<Pong> for Message {
    fn from(pong: Pong) -> Self {
        Self::text(serde_json::to_string(&pong).expect("structs with string keys always have a JSON form"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_is_answered_with_its_id_and_the_time() {
        let pong = Pong::to(r#"{"ping":42}"#, || 1234.5).unwrap();
        assert_eq!(serde_json::to_string(&pong).unwrap(), r#"{"pong":42,"server_time":1234.5}"#);
    }

    #[test]
    fn what_only_resembles_a_ping_is_a_message_like_any_other() {
        for text in
            [r#"{"ping":}"#, r#"{"ping":1.5}"#, r#"{"ping":"1"}"#, r#"{ "ping":1}"#, r#"{"ping":1,"x":2}"#, "ping", ""]
        {
            assert!(Pong::to(text, || 0.0).is_none(), "{text}");
        }
    }
}
