use std::fmt;

use serde::Serialize;

/// The most bytes of a name: what common file systems hold.
const LONGEST: usize = 255;

/// The name of a file as others see it and save it under. It is never a path on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FileName(String);

/// Why a text is no name for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    #[error("The file has no name; give it one.")]
    Empty,
    #[error("The name is longer than {LONGEST} bytes; shorten it.")]
    Long,
    #[error("The name holds a path; send the name alone, without / and \\.")]
    Path,
    #[error("The name holds characters that cannot be seen; rename the file.")]
    Invisible,
    #[error("The name begins or ends with a space or ends with a dot, which some systems drop; rename the file.")]
    Edge,
    #[error("The name is one that some systems reserve; rename the file.")]
    Reserved,
}

impl FileName {
    pub(crate) fn parse(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > LONGEST {
            return Err(BadName::Long);
        }
        if text.contains(['/', '\\']) || text == "." || text == ".." {
            return Err(BadName::Path);
        }
        if text.chars().any(is_invisible) {
            return Err(BadName::Invisible);
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(|char: char| char.is_whitespace() || char == '.') {
            return Err(BadName::Edge);
        }
        if is_reserved(text) {
            return Err(BadName::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Control characters, and those that turn the direction of text: with them `exe.txt` is shown where `txt.exe` is meant.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The names of devices in Windows, which with any ending still name the device.
fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device).map(str::as_bytes);
        matches!(number, Some([b'1'..=b'9']))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_people_give_them_are_taken_as_they_are() {
        for name in ["a", "report (2).pdf", "Übersicht, final?.txt", ".bashrc", "data.tar.gz", "コン.txt", "COM10.txt"]
        {
            assert_eq!(FileName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_could_lead_elsewhere_or_deceive_is_refused_with_the_reason() {
        for (name, why) in [
            ("", BadName::Empty),
            ("..", BadName::Path),
            (".", BadName::Path),
            ("../../etc/passwd", BadName::Path),
            ("a\\b", BadName::Path),
            ("a\nb", BadName::Invisible),
            ("a\0", BadName::Invisible),
            ("invoice\u{202e}fdp.exe", BadName::Invisible),
            (" a", BadName::Edge),
            ("a.", BadName::Edge),
            ("a ", BadName::Edge),
            ("nul", BadName::Reserved),
            ("Com1.txt", BadName::Reserved),
            ("LPT9", BadName::Reserved),
            ("aux .c", BadName::Reserved),
        ] {
            assert_eq!(FileName::parse(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn a_name_has_at_most_255_bytes_not_characters() {
        assert!(FileName::parse(&"a".repeat(255)).is_ok());
        assert_eq!(FileName::parse(&"ä".repeat(128)), Err(BadName::Long));
    }
}
