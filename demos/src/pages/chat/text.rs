//! The text of a message: its links, whether it is emoji alone, and how long it may be.

use everwire_companion_api::chat::TEXT_CHARS;
use linkify::{LinkFinder, LinkKind};
use unicode_properties::UnicodeEmoji;

/// From how many characters before the limit on a writer is shown how many are left.
const NEAR: usize = 400;

/// The most emoji of a message that is drawn large.
const LARGE_EMOJI: usize = 6;

const ZERO_WIDTH_JOINER: char = '\u{200D}';
const VARIATION_SELECTOR: char = '\u{FE0F}';
const KEYCAP: char = '\u{20E3}';

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    /// An address with the scheme http or https.
    Link(&'a str),
}

/// The parts of a text, whose links are made of its own words alone.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let part = |span: linkify::Span<'_>| {
        let (start, end) = (span.start(), span.end());
        let words = &text[start..end];
        if span.kind().is_some() && is_web_address(words) { Part::Link(words) } else { Part::Text(words) }
    };
    finder.spans(text).map(part).collect()
}

/// Any other scheme could run a script or start a program.
fn is_web_address(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Whether a text is a few emoji and nothing else.
pub(super) fn is_emoji_alone(text: &str) -> bool {
    let mut emoji = 0_usize;
    let mut flag_letters = 0_usize;
    let mut is_joined = false;
    let mut chars = text.chars().filter(|char| !char.is_whitespace()).peekable();
    while let Some(char) = chars.next() {
        match char {
            ZERO_WIDTH_JOINER => {
                is_joined = true;
                continue;
            }
            VARIATION_SELECTOR | KEYCAP => {}
            // A keycap; the digit alone is a digit.
            '0'..='9' | '#' | '*' => {
                let mut following = chars.clone();
                let is_keycap = following.next_if_eq(&VARIATION_SELECTOR).is_some() && following.next() == Some(KEYCAP);
                if !is_keycap {
                    return false;
                }
                emoji += 1;
            }
            // Two of them are a flag.
            '\u{1F1E6}'..='\u{1F1FF}' => flag_letters += 1,
            // Skin tones and the letters of a region's flag belong to the emoji before them.
            '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0020}'..='\u{E007F}' if emoji > 0 => {}
            char if char.is_emoji_char() && !char.is_ascii() => emoji += usize::from(!is_joined),
            _ => return false,
        }
        is_joined = false;
    }
    (1..=LARGE_EMOJI).contains(&(emoji + flag_letters.div_ceil(2)))
}

/// Whether a text can be sent, and what its writer has to know of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) is_blank: bool,
    chars: usize,
}

impl Length {
    pub(super) fn of(text: &str) -> Self {
        Self { is_blank: text.trim().is_empty(), chars: text.trim().chars().count() }
    }

    pub(super) fn can_be_sent(self) -> bool {
        !self.is_blank && !self.is_too_long()
    }

    pub(super) fn is_too_long(self) -> bool {
        self.chars > TEXT_CHARS
    }

    /// How much is left, where that is little.
    pub(super) fn note(self) -> Option<String> {
        let many = |count: usize| format!("{count} character{}", if count == 1 { "" } else { "s" });
        match self.chars {
            chars if chars > TEXT_CHARS => Some(format!("{} too many", many(chars - TEXT_CHARS))),
            chars if chars > TEXT_CHARS - NEAR => Some(format!("{} left", many(TEXT_CHARS - chars))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<&str> {
        let link = |part| if let Part::Link(url) = part { Some(url) } else { None };
        parts(text).into_iter().filter_map(link).collect()
    }

    #[test]
    fn addresses_become_links_without_the_punctuation_around_them() {
        assert_eq!(links("see https://example.org/a?b=c#d."), ["https://example.org/a?b=c#d"]);
        assert_eq!(
            links("(http://example.org/a_(b)), then <HTTPS://EXAMPLE.ORG>"),
            ["http://example.org/a_(b)", "HTTPS://EXAMPLE.ORG"]
        );
        assert_eq!(links("https://a.example, https://b.example"), ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn only_web_addresses_become_links() {
        for text in [
            "javascript://example.org/%0aalert(1)",
            "data:text/html,x",
            "ftp://example.org",
            "file:///etc/passwd",
            "example.org",
            "a@example.org",
            "https://",
        ] {
            assert_eq!(links(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn no_character_of_a_text_is_lost_or_changed() {
        for text in [
            "",
            "plain",
            "a https://example.org\nb",
            "<b>&amp;</b> http://x.example/<script>",
            "שלום https://example.org 👋🏽",
        ] {
            let whole: String = parts(text)
                .into_iter()
                .map(|part| match part {
                    Part::Text(text) | Part::Link(text) => text,
                })
                .collect();
            assert_eq!(whole, text);
        }
    }

    #[test]
    fn a_few_emoji_alone_are_recognized() {
        for text in ["👍", "🎉 🎉\n🎉", "❤️", "👋🏽", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇩🇪🇫🇷", "1️⃣", "😀😀😀😀😀😀"]
        {
            assert!(is_emoji_alone(text), "{text}");
        }
        for text in ["", " ", "12", "#1", "👍 ok", "©2026", "😀😀😀😀😀😀😀", "\u{200D}", "1\u{20E3}x"]
        {
            assert!(!is_emoji_alone(text), "{text}");
        }
    }

    #[test]
    fn what_is_left_is_said_only_near_the_limit() {
        let note = |chars: usize| Length::of(&"ä".repeat(chars)).note();
        assert_eq!(note(TEXT_CHARS - NEAR), None);
        assert_eq!(note(TEXT_CHARS - 1).as_deref(), Some("1 character left"));
        assert_eq!(note(TEXT_CHARS + 2).as_deref(), Some("2 characters too many"));
        assert!(
            Length::of(&"ä".repeat(TEXT_CHARS)).can_be_sent() && !Length::of(&"ä".repeat(TEXT_CHARS + 1)).can_be_sent()
        );
        assert!(!Length::of(" \n ").can_be_sent());
    }
}
