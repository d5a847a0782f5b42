use alloc::{string::String, vec::Vec};

use crate::{Terms, Words};

/// What a connection carries: opaque to the core but for its size, so that a payload never has to be copied or decoded
/// before somebody reads it.
pub trait Payload {
    /// The terms in which a connection that carries it is talked of; [`Words`] for most.
    type Terms: Terms;

    /// The size in bytes that counts against the outbox and the high-water mark.
    fn size(&self) -> usize;
}

impl Payload for String {
    type Terms = Words;

    fn size(&self) -> usize {
        self.len()
    }
}

impl Payload for Vec<u8> {
    type Terms = Words;

    fn size(&self) -> usize {
        self.len()
    }
}
