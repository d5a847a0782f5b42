use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that a client may send ahead of their acknowledgement.
pub(crate) const WINDOW: u64 = 4 << 20;
/// What a queued job costs beside its bytes. Chunks of less than a kilobyte therefore fill the window sooner.
pub(super) const OVERHEAD: u64 = 128;
const ALLOWANCE: u64 = WINDOW + WINDOW / 8;

/// Bytes that a client may send ahead in chunks of this size. Where the limit of a message makes them small, it is what they
/// cost in the queue that bounds them.
pub(super) fn window_for(chunk: u64) -> u64 {
    WINDOW.min(ALLOWANCE / (chunk + OVERHEAD) * chunk)
}

/// Decides what gets into the queue of an upload, before its task sees it.
#[derive(Debug, Default)]
pub(super) struct FlowControlWindow {
    /// What waits to be written.
    waiting: AtomicU64,
    /// The turn that the upload takes its bytes from.
    turn: AtomicU64,
}

/// The client has sent more than the window lets it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WindowExceeded;

impl FlowControlWindow {
    /// Makes room for a job, if there is any.
    pub(super) fn reserve(&self, cost: u64) -> Result<(), WindowExceeded> {
        if self.waiting.fetch_add(cost, Ordering::Relaxed) + cost > ALLOWANCE {
            self.waiting.fetch_sub(cost, Ordering::Relaxed);
            return Err(WindowExceeded);
        }
        Ok(())
    }

    /// Jobs have been done.
    pub(super) fn release(&self, cost: u64) {
        self.waiting.fetch_sub(cost, Ordering::Relaxed);
    }

    /// From now on this turn counts. The task says so before the client does anything with it.
    pub(super) fn start_turn(&self, turn: u64) {
        self.turn.store(turn, Ordering::Release);
    }

    /// Whether a later turn counts: what comes of this one would only take room from it.
    pub(super) fn is_over(&self, turn: u64) -> bool {
        turn < self.turn.load(Ordering::Acquire)
    }
}
