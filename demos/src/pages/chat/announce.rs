//! What a screen reader says of new messages: not each of a flood.

/// The least time between two announcements, in milliseconds.
const APART: f64 = 4_000.0;

/// The most characters of a text that are read out.
const MOST: usize = 200;

/// Collects messages for the next announcement.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    waiting: usize,
    latest: Option<(String, String)>,
    next: f64,
}

impl Announcer {
    /// A message of someone else came while the room is seen.
    pub(super) fn hear(&mut self, name: &str, text: &str) {
        self.waiting += 1;
        self.latest = Some((name.to_owned(), text.chars().take(MOST).collect()));
    }

    /// In how many milliseconds there is something to say.
    pub(super) fn due(&self, now: f64) -> Option<f64> {
        (self.waiting > 0).then(|| (self.next - now).max(0.0))
    }

    /// What is to be said now.
    pub(super) fn say(&mut self, now: f64) -> Option<String> {
        let (name, text) = self.latest.take()?;
        self.next = now + APART;
        Some(match core::mem::take(&mut self.waiting) {
            1 => format!("{name}: {text}"),
            count => format!("{count} new messages. {name}: {text}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_announced_at_once_and_a_flood_every_few_seconds() {
        let mut announcer = Announcer::default();
        assert_eq!(announcer.due(0.0), None);
        announcer.hear("Ada", "hello");
        assert_eq!((announcer.due(0.0), announcer.say(0.0).as_deref()), (Some(0.0), Some("Ada: hello")));
        for number in 1..=3 {
            announcer.hear("Bob", &number.to_string());
        }
        assert_eq!(announcer.due(1_000.0), Some(APART - 1_000.0));
        assert_eq!(announcer.say(APART).as_deref(), Some("3 new messages. Bob: 3"));
        assert_eq!((announcer.due(APART), announcer.say(APART)), (None, None));
    }
}
