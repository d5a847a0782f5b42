use std::fmt;

/// The id of a file, which is also its name on disk. It is random, so that no part of a path comes from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(u128);

impl FileId {
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..))
    }

    /// Parses exactly the form that `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_canonical = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_canonical { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_parsed_in_its_displayed_form_only() {
        let id = FileId(0xab);
        let text = id.to_string();
        assert_eq!(FileId::parse(&text), Some(id));
        for bad in ["", "ab", "../../../../../../../../../etc/pw", &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(FileId::parse(bad), None, "{bad}");
        }
    }
}
