use alloc::{string::String, vec::Vec};

/// What a connection carries: opaque to the core but for its size, so that a payload never has to be copied or decoded
/// before somebody reads it.
pub trait Payload {
    /// The size in bytes that counts against the outbox and the high-water mark.
    fn size(&self) -> usize;
}

impl Payload for String {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Payload for Vec<u8> {
    fn size(&self) -> usize {
        self.len()
    }
}
