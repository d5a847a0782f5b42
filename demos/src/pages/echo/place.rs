use core::fmt;

/// Where in a text something is, counted from one in characters, as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The place of the byte at `offset`, which may be the end of the text.
    pub(super) fn of_byte(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The line of `text` that holds this place, shortened around it, and below it a caret that points at it.
    pub(super) fn point_at(self, text: &str) -> String {
        /// What fits beside the caret on a phone.
        const AROUND: usize = 18;
        let line = text.split('\n').nth(self.line - 1).unwrap_or_default();
        let from = (self.column - 1).saturating_sub(AROUND);
        let shown = line.chars().skip(from).take(2 * AROUND + 1).map(|c| if c == '\t' { ' ' } else { c });
        shown.chain(['\n']).chain(core::iter::repeat_n(' ', self.column - 1 - from)).chain(['^']).collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "Grüße\nan alle";
        let place = |needle: &str| Place::of_byte(text, text.find(needle).unwrap());
        assert_eq!(place("ße"), Place { line: 1, column: 4 });
        assert_eq!(place("alle"), Place { line: 2, column: 4 });
        assert_eq!(Place::of_byte(text, text.len()), Place { line: 2, column: 8 });
    }

    #[test]
    fn the_caret_stands_below_the_place_also_in_a_long_line() {
        let line = format!("{}X{}", "ä".repeat(100), "-".repeat(100));
        let shown = Place::of_byte(&line, line.find('X').unwrap()).point_at(&line);
        let (line, caret) = shown.split_once('\n').unwrap();
        assert_eq!(line.chars().position(|c| c == 'X'), caret.chars().position(|c| c == '^'));
        assert!(line.chars().count() < 40);
    }
}
