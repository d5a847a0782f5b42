use std::pin::pin;
use std::task::Context;

use tokio::task::yield_now;

/// Reads of one turn: of each come up to 128 messages.
const READS: usize = 4;
/// Bytes written in one turn, which is longer by a part of the last write.
const BYTES: usize = 128 << 10;

/// How much a connection does before others get their turn: some 100 µs of work, so that an echo among hundreds of busy
/// connections waits for milliseconds. tokio's own limit counts operations, of which each may be a large one, and knows
/// nothing of writes that find room.
#[derive(Debug)]
pub(super) struct Turn {
    reads: usize,
    bytes: usize,
}

impl Default for Turn {
    fn default() -> Self {
        Self { reads: READS, bytes: BYTES }
    }
}

impl Turn {
    pub(super) fn read(&mut self) {
        self.reads = self.reads.saturating_sub(1);
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_over(&self) -> bool {
        self.reads == 0 || self.bytes == 0
    }

    /// Has the task polled again after others that are ready, and after the runtime has asked its sockets.
    pub(super) fn pass_on(cx: &mut Context<'_>) {
        // Pending at first, with the waker in the runtime's list of those that yield.
        let _ = pin!(yield_now()).poll(cx);
    }
}
