use std::collections::BTreeMap;
use std::task::{Context, Poll};

use everwire_companion_api::tracker::{ClientMessage, Position, Secret, ServerMessage, participant_id};
use everwire_server::{Clock, Connection, Group, Handler, Membership, Message};
use sha2::{Digest, Sha256};

use crate::protocol::{SendJson, json};

/// The participants by id.
pub(crate) type Positions = BTreeMap<u64, Participant>;

/// A client that shares its position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Participant {
    position: Position,
    /// The number of the connection that reported last. Only the end of that connection removes the participant: a connection that
    /// was lost and replaced ends later, by a timeout.
    holder: u64,
}

/// `/tracker`: sends all positions to all clients. A participant that leaves is removed.
pub(super) struct TrackerHandler {
    membership: Membership<Positions>,
    clock: Clock,
    /// The participant that this connection reports for. It is only one, or each new secret would leave a position behind.
    id: u64,
}

impl TrackerHandler {
    pub(super) fn new(group: &Group<Positions>, clock: Clock, connection: &Connection) -> Self {
        let membership = group.join(connection, |participants, id| {
            let positions = participants.values().map(|participant| participant.position).collect();
            vec![json(&ServerMessage::Welcome { id }), json(&ServerMessage::Positions { positions })]
        });
        let id = membership.number();
        Self { membership, clock, id }
    }

    /// Reports for the participant of `secret` from now on.
    fn identify(&mut self, secret: Option<Secret>) {
        let Some(id) = secret.map(|secret| id_of(&secret)).filter(|id| *id != self.id) else { return };
        self.remove_if_held();
        self.id = id;
        self.membership.connection().send(json(&ServerMessage::Welcome { id }));
    }

    fn moved(&self, lat: f64, lon: f64, accuracy: f64) {
        let (id, holder) = (self.id, self.membership.number());
        let position = Position { id, lat, lon, accuracy, time: self.clock.now_ms() };
        self.membership.group().enqueue(|participants, _| {
            participants.insert(id, Participant { position, holder });
            Some(json(&ServerMessage::Position(position)))
        });
    }

    /// Removes the participant, whichever connection holds it. This one has proven the secret.
    fn leave(&self) {
        self.remove_if(|_| true);
    }

    /// Removes the participant unless another connection has reported for it since.
    fn remove_if_held(&self) {
        let number = self.membership.number();
        self.remove_if(|participant| participant.holder == number);
    }

    fn remove_if(&self, condition: impl FnOnce(&Participant) -> bool) {
        let id = self.id;
        self.membership.group().update(|participants, _| {
            participants.get(&id).filter(|participant| condition(participant))?;
            participants.remove(&id);
            Some(json(&ServerMessage::Left { id }))
        });
    }
}

impl Handler for TrackerHandler {
    fn on_message(&mut self, message: Message) {
        let report = match &message {
            Message::Text(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        match report {
            Some(ClientMessage::Leave { secret }) => {
                self.identify(secret);
                self.leave();
            }
            Some(ClientMessage::Position { lat, lon, accuracy, secret }) if is_on_earth(lat, lon, accuracy) => {
                self.identify(secret);
                self.moved(lat, lon, accuracy);
            }
            _ => self.membership.connection().send_error(
                r#"send {"type":"position","lat":-90..90,"lon":-180..180,"accuracy":metres} or {"type":"leave"}; with "secret":"16 to 128 characters" you keep your id over a reconnect"#,
            ),
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

impl Drop for TrackerHandler {
    fn drop(&mut self) {
        self.remove_if_held();
    }
}

fn id_of(secret: &Secret) -> u64 {
    participant_id(&Sha256::digest(secret.as_str()).into())
}

fn is_on_earth(lat: f64, lon: f64, accuracy: f64) -> bool {
    lat.abs() <= 90.0 && lon.abs() <= 180.0 && accuracy >= 0.0 && accuracy.is_finite()
}

#[cfg(test)]
mod tests {
    use everwire_server::testing::Recorder;

    use super::*;

    fn join(group: &Group<Positions>) -> (TrackerHandler, Recorder) {
        let recorder = Recorder::new();
        (TrackerHandler::new(group, Clock::from_fn(|| 0.0), recorder.connection()), recorder)
    }

    #[test]
    fn the_end_of_a_replaced_connection_removes_no_participant() {
        let group = Group::new(Positions::default());
        let here = r#"{"type":"position","lat":1,"lon":2,"accuracy":3,"secret":"0123456789abcdef"}"#;
        let (mut lost, _) = join(&group);
        lost.on_message(Message::text(here));
        let (mut replacement, recorder) = join(&group);
        replacement.on_message(Message::text(here));
        replacement.on_batch_end();
        recorder.messages();
        drop(lost);
        assert_eq!(recorder.messages(), [], "no participant is reported to have left");
        let (late, recorder) = join(&group);
        assert!(recorder.messages()[1].as_text().unwrap().contains(r#""lat":1"#), "the participant is gone");
        drop((replacement, late));
        let (_late, recorder) = join(&group);
        assert!(!recorder.messages()[1].as_text().unwrap().contains(r#""lat":1"#), "a ghost is left");
    }
}
