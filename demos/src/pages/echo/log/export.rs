use serde::Serialize;

use super::super::hex;
use super::{Body, Line, Origin, Transmission};

/// One line as one line of JSON, with a line break at its end. Times are milliseconds since the Unix epoch; a binary payload
/// stands in hexadecimal digits. A message that waited in the outbox has the time when it left; one that is still there or was
/// discarded says so.
pub(in crate::pages::echo) fn export(line: &Line) -> String {
    let exported = Exported {
        time: line.time,
        direction: match line.origin {
            Origin::Sent => "sent",
            Origin::Received => "received",
            Origin::Connection => "connection",
        },
        state: match line.transmission {
            Transmission::AtOnce | Transmission::Later(_) => None,
            Transmission::Queued => Some("queued"),
            Transmission::Never => Some("discarded"),
        },
        transmitted: match line.transmission {
            Transmission::Later(at) => Some(at),
            _ => None,
        },
        size: line.size(),
        round_trip_ms: line.round_trip.map(|round_trip| round_trip.as_secs_f64() * 1e3),
        body: match &line.body {
            Body::Text(text) => ExportedBody::Text(text),
            Body::Binary(bytes) => ExportedBody::Binary(hex::compact(bytes)),
            Body::Event(_, text) => ExportedBody::Event(text),
        },
    };
    // Strings and finite numbers can always be written; a time that is none becomes null.
    let mut json = serde_json::to_string(&exported).unwrap_or_default();
    json.push('\n');
    json
}

#[derive(Serialize)]
struct Exported<'line> {
    time: f64,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transmitted: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_ms: Option<f64>,
    #[serde(flatten)]
    body: ExportedBody<'line>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum ExportedBody<'line> {
    Text(&'line str),
    Binary(String),
    Event(&'line str),
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::Tone;
    use super::*;

    fn line(origin: Origin, body: Body) -> Line {
        Line::new(1_700_000_000_123.5, origin, body)
    }

    fn exported(line: &Line) -> Value {
        serde_json::from_str(&export(line)).unwrap()
    }

    #[test]
    fn each_kind_of_line_says_what_it_is() {
        let mut reply = line(Origin::Received, Body::Text("hi".into()));
        reply.round_trip = Some(Duration::from_micros(1_500));
        let time = 1_700_000_000_123.5;
        assert_eq!(
            exported(&reply),
            json!({"time": time, "direction": "received", "size": 2, "round_trip_ms": 1.5, "text": "hi"})
        );
        assert_eq!(
            exported(&line(Origin::Sent, Body::Binary([0xca, 0xfe].into()))),
            json!({"time": time, "direction": "sent", "size": 2, "binary": "cafe"})
        );
        assert_eq!(
            exported(&line(Origin::Connection, Body::Event(Tone::Good, "Opened".into()))),
            json!({"time": time, "direction": "connection", "event": "Opened"})
        );
    }

    #[test]
    fn a_message_is_not_exported_as_sent_before_it_was() {
        let exported = |transmission| {
            let mut line = line(Origin::Sent, Body::Text("hi".into()));
            line.transmission = transmission;
            let value = exported(&line);
            (value["state"].clone(), value["transmitted"].clone())
        };
        assert_eq!(exported(Transmission::AtOnce), (json!(null), json!(null)));
        assert_eq!(exported(Transmission::Queued), (json!("queued"), json!(null)));
        assert_eq!(exported(Transmission::Later(1.5)), (json!(null), json!(1.5)));
        assert_eq!(exported(Transmission::Never), (json!("discarded"), json!(null)));
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_whatever_was_in_the_message(text: String) {
            let json = export(&line(Origin::Sent, Body::Text(text.as_str().into())));
            prop_assert_eq!(json.matches(['\n', '\r']).count(), 1);
            let value: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(value["text"].as_str(), Some(text.as_str()));
        }
    }
}
