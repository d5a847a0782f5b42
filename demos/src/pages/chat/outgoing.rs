//! What the visitor wrote and the server has not confirmed.

use std::rc::Rc;

use everwire::client::PublishError;
use everwire_companion_api::chat::Message;

/// A message of the visitor that is not confirmed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::pages) struct Unconfirmed {
    pub(in crate::pages) message: Message,
    /// When it was written, in milliseconds since the Unix epoch by this machine's clock.
    pub(super) time: f64,
    /// The position of the room then: the message is after it, if it was stored.
    pub(super) after: u64,
    pub(in crate::pages) fate: Fate,
}

/// What is known of a message that is not confirmed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::pages) enum Fate {
    /// It waits for the connection or for the server's answer.
    Pending,
    /// The session was lost after it was sent. The history of the room shows whether it was stored.
    Looking,
    /// It is not stored, for this reason.
    Failed(String),
}

/// The messages that are not confirmed, in the order in which they were written.
#[derive(Debug, Default)]
pub(in crate::pages) struct Outgoing {
    messages: Vec<Rc<Unconfirmed>>,
}

impl Outgoing {
    pub(in crate::pages) fn messages(&self) -> &[Rc<Unconfirmed>] {
        &self.messages
    }

    pub(in crate::pages) fn push(&mut self, message: Message, time: f64, after: u64) {
        self.messages.push(Rc::new(Unconfirmed { message, time, after, fate: Fate::Pending }));
    }

    pub(super) fn find(&self, id: &str) -> Option<&Rc<Unconfirmed>> {
        self.messages.iter().find(|unconfirmed| unconfirmed.message.id == id)
    }

    /// A message of the room is confirmed if it is one of these. Returns whether it was.
    ///
    /// The ids say so: others learn one only when it is stored, and a server that has lost its keys takes the visitor for someone else.
    pub(super) fn confirm(&mut self, message: &Message) -> bool {
        self.remove(&message.id).is_some()
    }

    /// Nothing of this is on its way any more, and the positions are of another history.
    pub(super) fn interrupt(&mut self, reason: &str) {
        for unconfirmed in &mut self.messages {
            let unconfirmed = Rc::make_mut(unconfirmed);
            unconfirmed.after = 0;
            if !matches!(unconfirmed.fate, Fate::Failed(_)) {
                unconfirmed.fate = Fate::Failed(reason.to_owned());
            }
        }
    }

    /// Removes a message: it is confirmed, or the visitor does not want it any more.
    pub(super) fn remove(&mut self, id: &str) -> Option<Rc<Unconfirmed>> {
        let index = self.messages.iter().position(|unconfirmed| unconfirmed.message.id == id)?;
        Some(self.messages.remove(index))
    }

    /// Nothing, where the message has been confirmed meanwhile.
    pub(super) fn set_fate(&mut self, id: &str, fate: Fate) {
        if let Some(unconfirmed) = self.messages.iter_mut().find(|unconfirmed| unconfirmed.message.id == id) {
            Rc::make_mut(unconfirmed).fate = fate;
        }
    }

    /// The visitor wants a failed message sent once more: with the same id, and as the latest.
    pub(super) fn send_again(&mut self, id: &str, time: f64) -> Option<Message> {
        let mut unconfirmed = self.remove(id)?;
        let changed = Rc::make_mut(&mut unconfirmed);
        (changed.fate, changed.time) = (Fate::Pending, time);
        let message = changed.message.clone();
        self.messages.push(unconfirmed);
        Some(message)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.messages.iter().any(|unconfirmed| !matches!(unconfirmed.fate, Fate::Failed(_)))
    }
}

/// What a writer has to know of a message that was not published.
pub(super) fn fate_of(error: PublishError) -> Fate {
    Fate::Failed(match error {
        PublishError::Unknown => return Fate::Looking,
        PublishError::Expired => "It could not be sent for a long time.".to_owned(),
        PublishError::Refused { reason, .. } if !reason.is_empty() => format!("The server refused it: {reason}."),
        PublishError::Refused { code, .. } => format!("The server refused it ({code})."),
        PublishError::TooLarge { .. } => "It is too large.".to_owned(),
        PublishError::Full => "Too many messages wait for the connection.".to_owned(),
        PublishError::Closed => "The connection ended before it was sent.".to_owned(),
        error => format!("{error}."),
    })
}

/// The visitor switched to another server meanwhile.
pub(super) const SWITCHED: &str = "You switched to another server before it was confirmed. The one before may have it.";
/// The room's history does not have it.
pub(super) const NOT_THERE: &str = "The connection was lost while it was sent, and it did not arrive.";
/// The room's history could not be looked through.
pub(super) const MAY_BE_THERE: &str =
    "The connection was lost while it was sent. It may have arrived: look before you send it again.";

#[cfg(test)]
mod tests {
    use everwire::client::ErrorCode;

    use super::super::timeline::tests::message;
    use super::*;

    #[test]
    fn a_message_that_is_sent_again_keeps_its_id_and_is_the_latest() {
        let mut outgoing = Outgoing::default();
        outgoing.push(message("me", "a"), 1.0, 0);
        outgoing.push(message("me", "b"), 2.0, 0);
        outgoing.set_fate("a", Fate::Failed(String::new()));
        assert_eq!(outgoing.send_again("a", 3.0).map(|message| message.id).as_deref(), Some("a"));
        let now: Vec<_> = outgoing.messages().iter().map(|message| (&*message.message.id, message.time)).collect();
        assert_eq!(now, [("b", 2.0), ("a", 3.0)]);
    }

    #[test]
    fn a_failure_that_comes_after_the_confirmation_changes_nothing() {
        let mut outgoing = Outgoing::default();
        outgoing.push(message("me", "a"), 1.0, 0);
        assert!(outgoing.remove("a").is_some());
        outgoing.set_fate("a", Fate::Looking);
        assert!(outgoing.messages().is_empty() && outgoing.send_again("a", 2.0).is_none());
    }

    #[test]
    fn what_was_interrupted_says_so_and_what_had_failed_keeps_its_reason() {
        let mut outgoing = Outgoing::default();
        ["a", "b", "c"].into_iter().for_each(|id| outgoing.push(message("me", id), 1.0, 7));
        outgoing.set_fate("b", Fate::Looking);
        outgoing.set_fate("c", Fate::Failed("too large".to_owned()));
        outgoing.interrupt(SWITCHED);
        let fates: Vec<_> = outgoing.messages().iter().map(|unconfirmed| unconfirmed.fate.clone()).collect();
        assert_eq!(fates, [SWITCHED, SWITCHED, "too large"].map(|reason| Fate::Failed(reason.to_owned())));
        assert!(!outgoing.is_waiting() && outgoing.messages().iter().all(|unconfirmed| unconfirmed.after == 0));
    }

    #[test]
    fn a_refusal_is_explained_in_the_servers_words() {
        let refused =
            |reason: &str| fate_of(PublishError::Refused { code: ErrorCode::Denied, reason: reason.to_owned() });
        assert_eq!(refused("at most 4 bytes"), Fate::Failed("The server refused it: at most 4 bytes.".to_owned()));
        assert_eq!(refused(""), Fate::Failed("The server refused it (denied).".to_owned()));
        assert_eq!(fate_of(PublishError::Unknown), Fate::Looking);
    }

    #[test]
    fn what_has_failed_does_not_wait() {
        let mut outgoing = Outgoing::default();
        outgoing.push(message("me", "a"), 1.0, 0);
        assert!(outgoing.is_waiting());
        outgoing.set_fate("a", Fate::Failed(String::new()));
        assert!(!outgoing.is_waiting());
    }
}
