use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The limit of common file systems.
const MAX_BYTES: usize = 255;

/// The name that others see and save the file under. It is never used as a path on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName(String);

/// Why a text is refused as a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileNameError {
    #[error("The file has no name; give it one.")]
    Empty,
    #[error("The name is longer than {MAX_BYTES} bytes; shorten it.")]
    Long,
    #[error("The name is a path; send the name alone, without / and \\.")]
    Path,
    #[error("The name has invisible characters; rename the file.")]
    Invisible,
    #[error("The name has one of < > : \" | ? *, which Windows reserves; rename the file.")]
    Character,
    #[error("The name begins or ends with a space or ends with a dot, which some systems drop; rename the file.")]
    Edge,
    #[error("Some systems reserve this name; rename the file.")]
    Reserved,
}

impl FileName {
    pub(crate) fn parse(text: &str) -> Result<Self, FileNameError> {
        if text.is_empty() {
            return Err(FileNameError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(FileNameError::Long);
        }
        if text.contains(['/', '\\']) || text == "." || text == ".." {
            return Err(FileNameError::Path);
        }
        if text.chars().any(is_invisible) {
            return Err(FileNameError::Invisible);
        }
        if text.contains(['<', '>', ':', '"', '|', '?', '*']) {
            return Err(FileNameError::Character);
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(|char: char| char.is_whitespace() || char == '.') {
            return Err(FileNameError::Edge);
        }
        if is_reserved(text) {
            return Err(FileNameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Characters without a glyph. They make two names look alike, or display `txt.exe` as `exe.txt`. Variation selectors are allowed:
/// emoji in names usually have one.
fn is_invisible(char: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    matches!(char.general_category(), Control | Format | LineSeparator | ParagraphSeparator)
        || matches!(
            char,
            // The combining grapheme joiner, fillers in the place of a letter, the empty Braille pattern.
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            // Code points that Unicode reserves for such characters.
            | '\u{2065}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
        )
}

/// Device names of Windows, which refer to the device with any extension, too.
fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device).map(|rest| rest.chars().collect::<Vec<_>>());
        // Windows also takes the superscript digits 1 to 3.
        matches!(number.as_deref(), Some(['0'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}']))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$")
        || numbered("COM")
        || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_are_accepted_unchanged() {
        for name in [
            "a",
            "report (2).pdf",
            "Übersicht, final!.txt",
            ".bashrc",
            "data.tar.gz",
            "コン.txt",
            "COM10.txt",
            "COMA.txt",
            "console.log",
            "e\u{301}.txt",
            "\u{2764}\u{fe0f} us.jpg",
            "नमस्ते.txt",
        ] {
            assert_eq!(FileName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_are_paths_or_deceive_are_refused_with_the_reason() {
        for (name, why) in [
            ("", FileNameError::Empty),
            ("..", FileNameError::Path),
            (".", FileNameError::Path),
            ("../../etc/passwd", FileNameError::Path),
            ("a\\b", FileNameError::Path),
            ("a\nb", FileNameError::Invisible),
            ("a\0", FileNameError::Invisible),
            ("invoice\u{202e}fdp.exe", FileNameError::Invisible),
            ("a\u{85}b", FileNameError::Invisible),
            ("a\u{2028}b", FileNameError::Invisible),
            ("\u{3164}", FileNameError::Invisible),
            ("a\u{115f}b", FileNameError::Invisible),
            ("a\u{2800}b", FileNameError::Invisible),
            ("a<b", FileNameError::Character),
            ("final?.txt", FileNameError::Character),
            ("a.txt:stream", FileNameError::Character),
            ("\"a\"", FileNameError::Character),
            ("*", FileNameError::Character),
            (" a", FileNameError::Edge),
            ("a.", FileNameError::Edge),
            ("a ", FileNameError::Edge),
            ("nul", FileNameError::Reserved),
            ("Com1.txt", FileNameError::Reserved),
            ("LPT9", FileNameError::Reserved),
            ("aux .c", FileNameError::Reserved),
            ("com0", FileNameError::Reserved),
            ("COM\u{b9}.txt", FileNameError::Reserved),
            ("lpt\u{b3}", FileNameError::Reserved),
            ("conin$", FileNameError::Reserved),
            ("CONOUT$.log", FileNameError::Reserved),
        ] {
            assert_eq!(FileName::parse(name), Err(why), "{name:?}");
        }
    }

    /// All ranges of the category in Unicode 16; an earlier hand-written list missed some.
    #[test]
    fn every_character_of_the_format_category_is_refused() {
        let format = [
            0xad..=0xad,
            0x600..=0x605,
            0x61c..=0x61c,
            0x6dd..=0x6dd,
            0x70f..=0x70f,
            0x890..=0x891,
            0x8e2..=0x8e2,
            0x180e..=0x180e,
            0x200b..=0x200f,
            0x202a..=0x202e,
            0x2060..=0x2064,
            0x2066..=0x206f,
            0xfeff..=0xfeff,
            0xfff9..=0xfffb,
            0x110bd..=0x110bd,
            0x110cd..=0x110cd,
            0x13430..=0x1343f,
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0xe0001..=0xe0001,
            0xe0020..=0xe007f,
        ];
        let mut count = 0;
        for code in format.into_iter().flatten() {
            let name = format!("a{}b", char::from_u32(code).unwrap());
            assert_eq!(FileName::parse(&name), Err(FileNameError::Invisible), "U+{code:04X}");
            count += 1;
        }
        assert_eq!(count, 170, "the size of the category");
    }

    #[test]
    fn a_name_has_at_most_255_bytes_not_characters() {
        assert!(FileName::parse(&"a".repeat(255)).is_ok());
        assert_eq!(FileName::parse(&"ä".repeat(128)), Err(FileNameError::Long));
    }
}
