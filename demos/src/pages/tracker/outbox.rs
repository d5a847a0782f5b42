use std::collections::VecDeque;

use everwire_companion_api::tracker::{ClientMessage, Secret};

/// The reports that the server does not have yet. They are sent one after another, and of those that wait only the latest of each
/// participant: an outdated position, or one before a stop, never leaves the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outbox {
    /// Sent, or handed to a client that is not connected.
    sending: Option<ClientMessage>,
    waiting: VecDeque<ClientMessage>,
}

impl Outbox {
    /// Adds a report. Returns whether the one that is under way must be withdrawn, since it was not sent yet and this one replaces it.
    pub(super) fn push(&mut self, message: ClientMessage, is_connected: bool) -> bool {
        let is_replaced = |other: &ClientMessage| secret_of(other) == secret_of(&message);
        self.waiting.retain(|other| !is_replaced(other));
        let withdrawn = !is_connected && self.sending.as_ref().is_some_and(is_replaced);
        if withdrawn {
            self.sending = None;
        }
        // A stop stays when the visitor starts again, since that is another participant.
        self.waiting.push_back(message);
        withdrawn
    }

    /// The next report to send, once the one before has its answer.
    pub(super) fn next(&mut self) -> Option<ClientMessage> {
        if self.sending.is_none() {
            self.sending = self.waiting.pop_front();
        }
        self.sending.clone()
    }

    /// The report has its answer.
    pub(super) fn answered(&mut self) {
        self.sending = None;
    }

    /// It cannot be known whether the server has taken the report: it is sent again, unless a later one waits.
    pub(super) fn undecided(&mut self) {
        let Some(message) = self.sending.take() else { return };
        if !self.waiting.iter().any(|other| secret_of(other) == secret_of(&message)) {
            self.waiting.push_front(message);
        }
    }
}

fn secret_of(message: &ClientMessage) -> Option<&Secret> {
    let (ClientMessage::Position { secret, .. } | ClientMessage::Leave { secret }) = message;
    secret.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Option<Secret> {
        Secret::try_from(format!("the secret of {name}, that is long enough")).ok()
    }

    fn at(name: &str, lat: f64) -> ClientMessage {
        ClientMessage::Position { lat, lon: 0.0, accuracy: 1.0, secret: secret(name) }
    }

    fn leave(name: &str) -> ClientMessage {
        ClientMessage::Leave { secret: secret(name) }
    }

    /// Everything that is sent once the server answers.
    fn sent(mut outbox: Outbox) -> Vec<ClientMessage> {
        std::iter::from_fn(|| {
            let next = outbox.next();
            outbox.answered();
            next
        })
        .collect()
    }

    #[test]
    fn of_positions_without_a_connection_only_the_latest_is_sent() {
        let mut outbox = Outbox::default();
        assert!(!outbox.push(at("ann", 1.0), false));
        outbox.next();
        assert!(outbox.push(at("ann", 2.0), false), "the first was handed to the client");
        outbox.next();
        outbox.push(at("ann", 3.0), false);
        assert_eq!(sent(outbox), [at("ann", 3.0)]);
    }

    #[test]
    fn while_an_answer_is_under_way_only_the_latest_position_waits() {
        let mut outbox = Outbox::default();
        outbox.push(at("ann", 1.0), true);
        assert_eq!(outbox.next(), Some(at("ann", 1.0)));
        assert!(!outbox.push(at("ann", 2.0), true));
        assert!(!outbox.push(at("ann", 3.0), true));
        assert_eq!(sent(outbox), [at("ann", 1.0), at("ann", 3.0)]);
    }

    #[test]
    fn a_stop_replaces_the_position_before_it_and_stays_when_the_visitor_starts_again() {
        let mut outbox = Outbox::default();
        outbox.push(at("ann", 1.0), false);
        outbox.push(leave("ann"), false);
        outbox.push(at("ann as another", 2.0), false);
        outbox.push(at("ann as another", 3.0), false);
        assert_eq!(sent(outbox), [leave("ann"), at("ann as another", 3.0)]);
    }

    #[test]
    fn what_may_be_lost_is_sent_again_unless_it_is_outdated() {
        let mut outbox = Outbox::default();
        outbox.push(leave("ann"), true);
        outbox.next();
        outbox.undecided();
        assert_eq!(sent(outbox.clone()), [leave("ann")]);
        outbox.next();
        outbox.push(at("ann", 1.0), true);
        outbox.undecided();
        assert_eq!(sent(outbox), [at("ann", 1.0)]);
    }
}
