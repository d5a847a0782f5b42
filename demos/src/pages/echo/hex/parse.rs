use thiserror::Error;

use crate::pages::echo::place::Place;

/// Reads bytes of two hexadecimal digits each. Blanks, line breaks, commas, colons, dashes and a `0x` may stand before any
/// byte, so that what other tools print can be pasted.
pub(in crate::pages::echo) fn parse(text: &str) -> Result<Vec<u8>, HexError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | '-'));
        rest = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")).unwrap_or(rest);
        let at = text.len() - rest.len();
        let mut characters = rest.chars();
        let Some(first) = characters.next() else { break };
        let high = digit(first).ok_or_else(|| HexError::not_a_digit(first, text, at))?;
        let second = characters.next();
        let low = second.and_then(digit).ok_or_else(|| match second {
            Some(other) if other.is_alphanumeric() => HexError::not_a_digit(other, text, at + first.len_utf8()),
            _ => HexError::HalfAByte { digit: first, place: Place::of_byte(text, at) },
        })?;
        bytes.push(high << 4 | low);
        rest = characters.as_str();
    }
    Ok(bytes)
}

fn digit(character: char) -> Option<u8> {
    character.to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Why a text is not bytes in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(in crate::pages::echo) enum HexError {
    #[error("{character:?} at {place} is not a hexadecimal digit: use 0-9 and a-f")]
    NotADigit { character: char, place: Place },
    #[error("the digit {digit:?} at {place} is incomplete: a byte takes two digits, as in 0{digit}")]
    HalfAByte { digit: char, place: Place },
}

impl HexError {
    fn not_a_digit(character: char, text: &str, at: usize) -> Self {
        Self::NotADigit { character, place: Place::of_byte(text, at) }
    }

    pub(in crate::pages::echo) fn place(&self) -> Place {
        match self {
            Self::NotADigit { place, .. } | Self::HalfAByte { place, .. } => *place,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(line: usize, column: usize) -> Place {
        Place { line, column }
    }

    #[test]
    fn the_ways_in_which_tools_print_bytes_are_understood() {
        for text in
            ["deadbeef", "DE AD BE EF", "de:ad:be:ef", "de-ad-be-ef", "0xde, 0xad,\n0xbe, 0xEF,", " dead\tbeef "]
        {
            assert_eq!(parse(text), Ok(vec![0xde, 0xad, 0xbe, 0xef]), "{text:?}");
        }
        assert_eq!(parse(" \n"), Ok(vec![]));
    }

    #[test]
    fn a_digit_that_stands_alone_is_named_with_its_place() {
        assert_eq!(parse("00 f"), Err(HexError::HalfAByte { digit: 'f', place: place(1, 4) }));
        assert_eq!(parse("00\n1 22"), Err(HexError::HalfAByte { digit: '1', place: place(2, 1) }));
    }

    #[test]
    fn a_character_that_is_no_digit_is_named_with_its_place() {
        assert_eq!(parse("00 0g"), Err(HexError::NotADigit { character: 'g', place: place(1, 5) }));
        assert_eq!(parse("00 ü"), Err(HexError::NotADigit { character: 'ü', place: place(1, 4) }));
        assert_eq!(parse("0x0x11"), Err(HexError::NotADigit { character: 'x', place: place(1, 4) }));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
