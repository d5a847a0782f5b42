use super::super::hex;
use super::{Body, Line};

/// What a visitor looks for in the log: in texts without regard to case, in binary messages as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Search {
    /// In lower case.
    text: String,
    bytes: Option<Vec<u8>>,
}

impl Search {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_lowercase(), bytes: hex::parse(text).ok().filter(|bytes| !bytes.is_empty()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn finds(&self, line: &Line) -> bool {
        if self.is_empty() {
            return true;
        }
        match &line.body {
            Body::Text(text) | Body::Event(_, text) => contains(text, &self.text),
            Body::Binary(bytes) => {
                self.bytes.as_ref().is_some_and(|wanted| bytes.windows(wanted.len()).any(|window| window == wanted))
            }
        }
    }
}

/// Whether `lower`, which is in lower case, occurs in `text`. ASCII, which is most of what is searched, costs no allocation.
fn contains(text: &str, lower: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(lower);
    }
    let Some((&first, rest)) = lower.as_bytes().split_first() else { return true };
    let text = text.as_bytes();
    let starts = 0..(text.len() + 1).saturating_sub(lower.len());
    text[starts].iter().enumerate().any(|(at, byte)| {
        byte.to_ascii_lowercase() == first && text[at + 1..at + lower.len()].eq_ignore_ascii_case(rest)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Origin;
    use super::*;

    fn finds(search: &str, body: Body) -> bool {
        Search::new(search).finds(&Line::new(0.0, Origin::Sent, body))
    }

    #[test]
    fn case_does_not_matter() {
        assert!(finds("GRÜSSE", Body::Text("viele Grüsse".into())));
        assert!(finds("hello", Body::Text("Say HELLO!".into())));
        assert!(!finds("hello", Body::Text("hell".into())));
    }

    #[test]
    fn bytes_are_found_by_their_digits_on_byte_borders() {
        let bytes = Body::Binary([0x12, 0x34, 0x56].into());
        assert!(finds("34 56", bytes.clone()) && finds("0x3456", bytes.clone()));
        assert!(!finds("2345", bytes.clone()) && !finds("hello", bytes));
    }

    proptest! {
        #[test]
        fn the_short_cut_for_ascii_finds_what_lower_casing_finds(text in "[a-cA-C ]{0,30}", wanted in "[a-cA-C]{0,3}") {
            prop_assert_eq!(contains(&text, &wanted.to_lowercase()), text.to_lowercase().contains(&wanted.to_lowercase()));
        }
    }
}
