use everwire_core::Payload;

use crate::numbers::Numbers;

/// A message that JavaScript holds.
pub(crate) struct Body {
    /// Bytes; UTF-16 units of a text that was sent at once, whose bytes are only known by copying it.
    pub(crate) size: u32,
    /// The name that JavaScript knows it by.
    pub(crate) key: u32,
}

impl Payload for Body {
    type Terms = Numbers;

    fn size(&self) -> usize {
        self.size as usize
    }
}
