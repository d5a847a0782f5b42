use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Message;

use crate::Clock;
use crate::connection::{Mailbox, json};
use crate::hub::{Hub, Membership};
use crate::session::Session;

/// Where everyone is who shares a position, by number.
pub(crate) type Positions = BTreeMap<u64, Position>;

/// Somebody's last position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Position {
    id: u64,
    lat: f64,
    lon: f64,
    /// Radius in metres.
    accuracy: f64,
    /// When the server heard of it.
    time: f64,
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Report {
    Position { lat: f64, lon: f64, accuracy: f64 },
    Leave,
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum News {
    Welcome { id: u64 },
    Positions { positions: Vec<Position> },
    Position(Position),
    Left { id: u64 },
}

/// `/tracker`: positions of everyone who shares, to everyone; leaving removes you.
pub(super) struct Tracker {
    membership: Membership<Positions>,
    clock: Clock,
}

impl Tracker {
    pub(super) fn new(hub: &Arc<Hub<Positions>>, clock: Clock, mailbox: &Arc<Mailbox>) -> Self {
        let membership = hub.join(mailbox, |positions, id| {
            let positions = positions.values().copied().collect();
            vec![json(&News::Welcome { id }), json(&News::Positions { positions })]
        });
        Self { membership, clock }
    }

    fn moved(&self, lat: f64, lon: f64, accuracy: f64) {
        let id = self.membership.number();
        let position = Position { id, lat, lon, accuracy, time: self.clock.now_ms() };
        self.membership.hub().gather(|positions, _| {
            positions.insert(id, position);
            Some(json(&News::Position(position)))
        });
    }

    /// Forgets the position; says so only if there was one.
    fn leave(&self) {
        let id = self.membership.number();
        self.membership.hub().update(|positions, _| positions.remove(&id).map(|_| json(&News::Left { id })));
    }
}

impl Session for Tracker {
    fn received(&mut self, message: Message) {
        let report = match &message {
            Message::Text(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        match report {
            Some(Report::Leave) => self.leave(),
            Some(Report::Position { lat, lon, accuracy }) if is_on_earth(lat, lon, accuracy) => {
                self.moved(lat, lon, accuracy);
            }
            _ => self.membership.mailbox().send_error(
                r#"send {"type":"position","lat":-90..90,"lon":-180..180,"accuracy":metres} or {"type":"leave"}"#,
            ),
        }
    }

    fn settle(&mut self) {
        self.membership.hub().send_gathered();
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.leave();
    }
}

fn is_on_earth(lat: f64, lon: f64, accuracy: f64) -> bool {
    lat.abs() <= 90.0 && lon.abs() <= 180.0 && accuracy >= 0.0 && accuracy.is_finite()
}
