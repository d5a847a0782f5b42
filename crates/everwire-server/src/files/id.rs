use std::fmt;

/// A file's address, and its name on disk: drawn by lot, so that nothing of what a client says becomes a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(u128);

impl FileId {
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..))
    }

    /// Reads exactly what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_written_so = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_written_so { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
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
    fn an_id_is_read_as_it_is_written_and_not_otherwise() {
        let id = FileId(0xab);
        let text = id.to_string();
        assert_eq!(FileId::parse(&text), Some(id));
        for bad in ["", "ab", "../../../../../../../../../etc/pw", &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(FileId::parse(bad), None, "{bad}");
        }
    }
}
