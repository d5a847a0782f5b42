use std::sync::Arc;
use std::task::{Context, Poll};

use everwire_companion_api::tracker::{ClientMessage, Secret, ServerMessage};
use everwire_server::{Connection, Handler, Membership, Message};

use crate::protocol::{SendJson, json};
use crate::tracker::{Holder, Participants, Place, Tracker, id_of};

/// `/tracker`: sends all positions to all clients. A participant that leaves is removed.
pub(super) struct TrackerHandler {
    tracker: Arc<Tracker>,
    membership: Membership<Participants>,
    /// The participant that this connection reports for. It is only one, or each new secret would leave a position behind.
    id: u64,
}

impl TrackerHandler {
    pub(super) fn new(tracker: &Arc<Tracker>, connection: &Connection) -> Self {
        let membership = tracker
            .group()
            .join(connection, |participants, id| vec![json(&ServerMessage::Welcome { id }), participants.positions()]);
        let id = membership.number();
        Self { tracker: Arc::clone(tracker), membership, id }
    }

    fn holder(&self) -> Holder {
        Holder::Connection(self.membership.number())
    }

    /// Reports for the participant of `secret` from now on.
    fn identify(&mut self, secret: Option<Secret>) {
        let Some(id) = secret.map(|secret| id_of(&secret)).filter(|id| *id != self.id) else { return };
        self.tracker.remove_held(self.id, &self.holder());
        self.id = id;
        self.membership.connection().send(json(&ServerMessage::Welcome { id }));
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
                // Whichever connection holds it: this one has proven the secret.
                self.tracker.remove(self.id);
                return;
            }
            Some(ClientMessage::Position { lat, lon, accuracy, secret }) => {
                if let Some(place) = Place::new(lat, lon, accuracy) {
                    self.identify(secret);
                    self.tracker.moved(self.id, place, self.holder());
                    return;
                }
            }
            None => {}
        }
        self.membership.connection().send_error(
            r#"send {"type":"position","lat":-90..90,"lon":-180..180,"accuracy":metres} or {"type":"leave"}; with "secret":"16 to 128 characters" you keep your id over a reconnect"#,
        );
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
        self.tracker.remove_held(self.id, &self.holder());
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::Clock;
    use everwire_server::testing::Recorder;

    use super::*;

    fn join(tracker: &Arc<Tracker>) -> (TrackerHandler, Recorder) {
        let recorder = Recorder::new();
        (TrackerHandler::new(tracker, recorder.connection()), recorder)
    }

    #[test]
    fn the_end_of_a_replaced_connection_removes_no_participant() {
        let tracker = Arc::new(Tracker::new(Clock::from_fn(|| 0.0)));
        let here = r#"{"type":"position","lat":1,"lon":2,"accuracy":3,"secret":"0123456789abcdef"}"#;
        let (mut lost, _) = join(&tracker);
        lost.on_message(Message::text(here));
        let (mut replacement, recorder) = join(&tracker);
        replacement.on_message(Message::text(here));
        replacement.on_batch_end();
        recorder.messages();
        drop(lost);
        assert_eq!(recorder.messages(), [], "no participant is reported to have left");
        let (late, recorder) = join(&tracker);
        assert!(recorder.messages()[1].as_text().unwrap().contains(r#""lat":1"#), "the participant is gone");
        drop((replacement, late));
        let (_late, recorder) = join(&tracker);
        assert!(!recorder.messages()[1].as_text().unwrap().contains(r#""lat":1"#), "a ghost is left");
    }
}
