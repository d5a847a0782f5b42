//! The content of the load's messages: a header that says whose the message is and when it was due, and padding.

use core::fmt;
use core::ops::Range;

/// The first characters of a payload, all of them ASCII hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PayloadHeader {
    /// A random number of the run, so that two runs against one server do not count each other's messages.
    pub(crate) run: u32,
    /// The number of the connection that sends.
    pub(crate) client: u32,
    /// The sequence number of the message on that connection.
    pub(crate) number: u32,
    /// Whether the message counts; messages of the warm-up do not. The header carries this, since an answer to the warm-up may
    /// arrive long after it.
    pub(crate) is_counted: bool,
    /// When the message was due, in microseconds since the Unix epoch: 15 hexadecimal digits last for 36,000 years.
    pub(crate) due: u64,
}

impl PayloadHeader {
    /// The encoded length, which is the shortest payload.
    pub(crate) const LENGTH: usize = 40;

    /// Encodes the header and pads it to this many bytes.
    pub(crate) fn payload(&self, bytes: usize) -> String {
        let mut payload = self.to_string();
        payload.extend(core::iter::repeat_n('x', bytes.saturating_sub(Self::LENGTH)));
        payload
    }

    /// Finds the header of a run within a message that a dialect has wrapped.
    pub(crate) fn find(text: &str, run: u32) -> Option<Self> {
        let start = text.find(&format!("{run:08x}"))?;
        Self::parse(text.get(start..)?)
    }

    /// Parses the header at the start of a payload.
    pub(crate) fn parse(payload: &str) -> Option<Self> {
        let hex =
            |range: Range<usize>| payload.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = |range: Range<usize>| u32::from_str_radix(hex(range)?, 16).ok();
        let is_counted = match hex(24..25)? {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let due = u64::from_str_radix(hex(25..40)?, 16).ok()?;
        Some(Self { run: number(0..8)?, client: number(8..16)?, number: number(16..24)?, is_counted, due })
    }
}

impl fmt::Display for PayloadHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, client, number, is_counted, due } = self;
        let is_counted = u8::from(*is_counted);
        write!(formatter, "{run:08x}{client:08x}{number:08x}{is_counted}{due:015x}")
    }
}

/// The set of sequence numbers that have been received. Its memory grows with the gaps and not with the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceSet {
    /// One above the highest number.
    next: u32,
    /// The missing numbers below, in ascending order.
    gaps: Vec<Range<u32>>,
}

impl SequenceSet {
    /// Adds a number. Returns whether it was missing.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        if number >= self.next {
            if number > self.next {
                self.gaps.push(self.next..number);
            }
            self.next = number.saturating_add(1);
            return true;
        }
        let Some(index) = self.gaps.iter().position(|gap| gap.contains(&number)) else { return false };
        let gap = self.gaps.remove(index);
        let rest = [gap.start..number, number + 1..gap.end];
        self.gaps.splice(index..index, rest.into_iter().filter(|gap| !gap.is_empty()));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const HEADER: PayloadHeader =
        PayloadHeader { run: 0xfeed, client: 7, number: u32::MAX, is_counted: true, due: 1_795_219_200_123_456 };

    #[test]
    fn a_payload_has_the_requested_length_and_is_parsed_back() {
        for bytes in [PayloadHeader::LENGTH, 64, 5000] {
            let payload = HEADER.payload(bytes);
            assert_eq!(payload.len(), bytes);
            assert_eq!(PayloadHeader::parse(&payload), Some(HEADER));
        }
        let warm_up = PayloadHeader { is_counted: false, ..HEADER };
        assert_eq!(PayloadHeader::parse(&warm_up.payload(64)), Some(warm_up));
    }

    #[test]
    fn a_header_is_found_within_a_wrapped_message() {
        let text = format!(r#"42["echo","{}"]"#, HEADER.payload(64));
        assert_eq!(PayloadHeader::find(&text, HEADER.run), Some(HEADER));
        assert_eq!(PayloadHeader::find(&text, HEADER.run + 1), None);
    }

    #[test]
    fn other_text_is_not_a_header() {
        for text in [
            "",
            "hello",
            r#"{"pong":7,"server_time":1795219200123.456,"x":1}"#,
            &"+".repeat(64),
            &"f".repeat(40),
            &"é".repeat(40),
        ] {
            assert_eq!(PayloadHeader::parse(text), None, "{text}");
        }
    }

    impl SequenceSet {
        /// How many numbers are in the set.
        fn count(&self) -> u64 {
            let missing: u64 = self.gaps.iter().map(|gap| u64::from(gap.end - gap.start)).sum();
            u64::from(self.next) - missing
        }
    }

    #[test]
    fn numbers_in_order_leave_no_gaps() {
        let mut seen = SequenceSet::default();
        assert!((0..1000).all(|number| seen.insert(number)));
        assert_eq!((seen.count(), seen.gaps.len()), (1000, 0));
    }

    #[test]
    fn a_late_number_is_new_once() {
        let mut seen = SequenceSet::default();
        assert!(seen.insert(0) && seen.insert(9));
        assert_eq!(seen.count(), 2);
        assert!(seen.insert(5) && !seen.insert(5) && !seen.insert(9) && !seen.insert(0));
        assert_eq!(seen.gaps, [1..5, 6..9]);
    }

    #[test]
    fn in_any_order_each_number_is_new_exactly_once() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut seen, mut model) = (SequenceSet::default(), HashSet::new());
        for _ in 0..5000 {
            let number = random.u32(0..500);
            assert_eq!(seen.insert(number), model.insert(number));
            assert_eq!(seen.count(), model.len() as u64);
        }
    }
}
