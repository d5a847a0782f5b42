use alloc::string::String;

use everwire_core::Payload;

/// A message that JavaScript holds.
pub(crate) struct Body {
    /// Bytes; UTF-16 units of a text that was sent at once, whose bytes are only known by copying it.
    pub(crate) size: u32,
    /// The name that JavaScript knows it by.
    pub(crate) key: u32,
}

impl Payload for Body {
    fn size(&self) -> usize {
        self.size as usize
    }
}

/// The core compares the keys of messages and never reads them, so a number's bytes will do.
pub(crate) fn name(latest: u32) -> String {
    latest.to_le_bytes().map(char::from).iter().collect()
}
