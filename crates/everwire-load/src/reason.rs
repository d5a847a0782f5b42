/// The longest reason that is shown in full, in characters.
const LENGTH: usize = 200;

/// Text of a server that is safe to print: it cannot move the cursor, reverse the writing direction or fill the screen.
pub(crate) fn harmless(reason: &str) -> String {
    let shown = |c: char| if c.is_control() || turns_writing(c) { char::REPLACEMENT_CHARACTER } else { c };
    let mut harmless: String = reason.chars().take(LENGTH).map(shown).collect();
    if reason.chars().nth(LENGTH).is_some() {
        harmless.push('…');
    }
    harmless
}

/// Marks of direction, and separators of lines.
fn turns_writing(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_cannot_control_a_terminal() {
        assert_eq!(harmless("\x1b[2Jno\r\nentry\u{9b}\u{202e}\u{7}"), "�[2Jno��entry���");
        assert_eq!(harmless("1006: Zugriff verweigert – é"), "1006: Zugriff verweigert – é");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(harmless(&"é".repeat(LENGTH)), "é".repeat(LENGTH));
        assert_eq!(harmless(&"é".repeat(10_000)), format!("{}…", "é".repeat(LENGTH)));
    }
}
