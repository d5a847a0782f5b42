//! Who is typing.

use everwire_companion_api::chat::Author;

/// How long a notice holds, in milliseconds. It has no end of its own, so that one that is lost does no harm.
const HOLDS: f64 = 6_000.0;

/// The time between two notices of one who goes on typing, in milliseconds.
const EVERY: f64 = 3_000.0;

/// When a notice that could not be sent is of no use any more, in milliseconds.
pub(super) const OF_USE: u64 = 3_000;

/// Those who are typing in a room.
#[derive(Debug, Default)]
pub(super) struct Typists {
    /// The latest notice of each, and until when it holds.
    notices: Vec<(Author, f64)>,
}

impl Typists {
    pub(super) fn notice(&mut self, author: Author, now: f64) {
        self.stopped(&author.id);
        self.notices.push((author, now + HOLDS));
    }

    /// A message came, which is what was typed.
    pub(super) fn stopped(&mut self, author: &str) {
        self.notices.retain(|(other, _)| other.id != author);
    }

    /// In how many milliseconds the first of them ends.
    pub(super) fn next_end(&self, now: f64) -> Option<f64> {
        self.notices.iter().map(|(_, until)| until - now).reduce(f64::min).map(|ms| ms.max(0.0))
    }

    /// Removes those that hold no longer.
    pub(super) fn expire(&mut self, now: f64) {
        self.notices.retain(|(_, until)| *until > now);
    }

    /// Who is typing, in words.
    pub(super) fn text(&self) -> Option<String> {
        let names: Vec<_> = self.notices.iter().map(|(author, _)| author.name.as_str()).collect();
        match names[..] {
            [] => None,
            [one] => Some(format!("{one} is typing…")),
            [one, other] => Some(format!("{one} and {other} are typing…")),
            _ => Some("Several people are typing…".to_owned()),
        }
    }
}

/// When the visitor's own notices are sent.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    next: f64,
}

impl Throttle {
    /// The visitor has typed. Returns whether a notice is to be sent now.
    pub(super) fn typed(&mut self, now: f64) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + EVERY;
        }
        is_due
    }

    /// The message was sent, or is empty again: the next letter begins another one.
    pub(super) fn rest(&mut self) {
        self.next = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(id: &str) -> Author {
        Author { id: id.to_owned(), name: id.to_uppercase() }
    }

    #[test]
    fn a_notice_ends_by_itself_unless_it_is_repeated() {
        let mut typists = Typists::default();
        typists.notice(author("ada"), 0.0);
        typists.notice(author("bob"), 1_000.0);
        assert_eq!(typists.text().as_deref(), Some("ADA and BOB are typing…"));
        typists.notice(author("ada"), 3_000.0);
        assert_eq!(typists.next_end(3_000.0), Some(HOLDS - 2_000.0));
        typists.expire(1_000.0 + HOLDS);
        assert_eq!(typists.text().as_deref(), Some("ADA is typing…"));
        typists.expire(3_000.0 + HOLDS);
        assert_eq!((typists.text(), typists.next_end(10_000.0)), (None, None));
    }

    #[test]
    fn a_message_ends_the_typing_of_its_author() {
        let mut typists = Typists::default();
        ["ada", "bob", "eve"].into_iter().for_each(|id| typists.notice(author(id), 0.0));
        assert_eq!(typists.text().as_deref(), Some("Several people are typing…"));
        typists.stopped("bob");
        assert_eq!(typists.text().as_deref(), Some("ADA and EVE are typing…"));
    }

    #[test]
    fn one_who_types_on_sends_a_notice_every_few_seconds_and_the_others_see_no_pause() {
        let mut throttle = Throttle::default();
        let sent: Vec<_> = (0..100).map(|step| f64::from(step) * 100.0).filter(|now| throttle.typed(*now)).collect();
        assert_eq!(sent, [0.0, EVERY, 2.0 * EVERY, 3.0 * EVERY]);
        const { assert!(EVERY + 2_000.0 < HOLDS, "also where the network is slow") };
    }

    #[test]
    fn the_first_letter_after_a_message_is_noticed_at_once() {
        let mut throttle = Throttle::default();
        assert!(throttle.typed(0.0) && !throttle.typed(10.0));
        throttle.rest();
        assert!(throttle.typed(20.0));
    }
}
