use serde::{Deserialize, Serialize};

use super::fix::Fix;
use super::identity::Identity;
use crate::map::LatLon;

/// What the page tells the server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Report {
    /// Here I am.
    Position { lat: f64, lon: f64, accuracy: f64, secret: String },
    /// Forget me; I go on watching.
    Leave { secret: String },
}

/// What the server tells the page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum News {
    Told(Told),
    /// The server did not understand what the page sent.
    Refused {
        error: String,
    },
}

/// What happened among the participants.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Told {
    /// The connection's id, which the page has no use for: it knows its participant's.
    Welcome {},
    /// Everyone who shares now; whoever is missing does not any more.
    Positions {
        positions: Vec<Position>,
    },
    Position(Position),
    Left {
        id: u64,
    },
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Position {
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) place: LatLon,
    /// Radius in metres.
    pub(super) accuracy: f64,
    /// When the server heard of it, in milliseconds since the Unix epoch by the server's clock.
    pub(super) time: f64,
}

impl Report {
    pub(super) fn position(Fix { place: LatLon { lat, lon }, accuracy }: Fix, identity: &Identity) -> Self {
        Self::Position { lat, lon, accuracy, secret: identity.secret().to_owned() }
    }

    /// The secret of the participant that it is about.
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Position { secret, .. } | Self::Leave { secret } => secret,
        }
    }

    pub(super) fn leave(identity: &Identity) -> Self {
        Self::Leave { secret: identity.secret().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> News {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reports_are_written_as_the_server_reads_them() {
        let me = Identity::new("my secret");
        let text = |report| serde_json::to_string(&report).unwrap();
        assert_eq!(
            text(Report::position(Fix { place: LatLon::new(52.5, 13.25), accuracy: 10.0 }, &me)),
            r#"{"type":"position","lat":52.5,"lon":13.25,"accuracy":10.0,"secret":"my secret"}"#
        );
        assert_eq!(text(Report::leave(&me)), r#"{"type":"leave","secret":"my secret"}"#);
    }

    #[test]
    fn every_message_of_the_server_is_understood() {
        let ann = Position { id: 3, place: LatLon::new(1.5, 2.0), accuracy: 7.0, time: 1e12 };
        let json = r#"{"type":"position","id":3,"lat":1.5,"lon":2,"accuracy":7,"time":1000000000000.0}"#;
        assert_eq!(read(json), News::Told(Told::Position(ann)));
        let all = format!(r#"{{"type":"positions","positions":[{}]}}"#, json.replace(r#""type":"position","#, ""));
        assert_eq!(read(&all), News::Told(Told::Positions { positions: vec![ann] }));
        assert_eq!(read(r#"{"type":"welcome","id":7}"#), News::Told(Told::Welcome {}));
        assert_eq!(read(r#"{"type":"left","id":7}"#), News::Told(Told::Left { id: 7 }));
        assert_eq!(read(r#"{"error":"send this"}"#), News::Refused { error: "send this".into() });
    }

    #[test]
    fn a_message_that_no_tracker_sends_is_an_error_and_not_a_guess() {
        assert!(serde_json::from_str::<News>(r#"{"type":"position","id":3}"#).is_err());
        assert!(serde_json::from_str::<News>(r#"{"hello":1}"#).is_err());
    }
}
