//! What a message says: whose it is, and when it was due.

use core::fmt;
use core::ops::Range;

/// The first characters of a payload, all of them ASCII. The rest is padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Drawn for each run, so that two at a time do not take each other's messages for their own.
    pub(crate) run: u32,
    /// The number of the connection that sends.
    pub(crate) client: u32,
    /// The number of the message among those of the connection.
    pub(crate) number: u32,
    /// Whether it counts; what is sent to warm the server up does not.
    pub(crate) is_counted: bool,
    /// When it was due, in microseconds since the Unix epoch: 15 hexadecimal digits last for 36,000 years.
    pub(crate) due: u64,
}

impl Stamp {
    /// How long it is when written: the shortest payload.
    pub(crate) const LENGTH: usize = 40;

    /// Writes it and fills up to so many bytes.
    pub(crate) fn payload(&self, bytes: usize) -> String {
        let mut payload = self.to_string();
        payload.extend(core::iter::repeat_n('x', bytes.saturating_sub(Self::LENGTH)));
        payload
    }

    /// Finds that of a run in what a dialect has wrapped around it.
    pub(crate) fn within(text: &str, run: u32) -> Option<Self> {
        let start = text.find(&format!("{run:08x}"))?;
        Self::read(text.get(start..)?)
    }

    /// Reads it from the start of a payload.
    pub(crate) fn read(payload: &str) -> Option<Self> {
        let part =
            |range: Range<usize>| payload.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let short = |range: Range<usize>| u32::from_str_radix(part(range)?, 16).ok();
        let is_counted = match part(24..25)? {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let due = u64::from_str_radix(part(25..40)?, 16).ok()?;
        Some(Self { run: short(0..8)?, client: short(8..16)?, number: short(16..24)?, is_counted, due })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, client, number, is_counted, due } = self;
        let is_counted = u8::from(*is_counted);
        write!(formatter, "{run:08x}{client:08x}{number:08x}{is_counted}{due:015x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp =
        Stamp { run: 0xfeed, client: 7, number: u32::MAX, is_counted: true, due: 1_795_219_200_123_456 };

    #[test]
    fn a_payload_has_the_length_asked_for_and_is_read_back() {
        for bytes in [Stamp::LENGTH, 64, 5000] {
            let payload = STAMP.payload(bytes);
            assert_eq!(payload.len(), bytes);
            assert_eq!(Stamp::read(&payload), Some(STAMP));
        }
        let warm_up = Stamp { is_counted: false, ..STAMP };
        assert_eq!(Stamp::read(&warm_up.payload(64)), Some(warm_up));
    }

    #[test]
    fn it_is_found_in_what_a_dialect_wraps_around_it() {
        let text = format!(r#"42["echo","{}"]"#, STAMP.payload(64));
        assert_eq!(Stamp::within(&text, STAMP.run), Some(STAMP));
        assert_eq!(Stamp::within(&text, STAMP.run + 1), None);
    }

    #[test]
    fn what_others_say_is_not_a_stamp() {
        for text in [
            "",
            "hello",
            r#"{"pong":7,"server_time":1795219200123.456,"x":1}"#,
            &"+".repeat(64),
            &"f".repeat(40),
            &"é".repeat(40),
        ] {
            assert_eq!(Stamp::read(text), None, "{text}");
        }
    }
}
