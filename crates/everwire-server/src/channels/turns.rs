use std::mem::replace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// Connections of a worker that are attached before others get their turn: about a millisecond.
const TURNS_OF_WORKER: usize = 16;

/// Attaches a few connections at a time. When thousands of clients say `hello` together, all of them are ready at once, and the messages of
/// others would wait until their sessions are resumed and their history is sent.
#[derive(Debug)]
pub(super) struct Turns {
    free: Semaphore,
    /// Whether a task gives back the turns that were taken. It ends when none is.
    has_task: Mutex<bool>,
}

impl Turns {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { free: Semaphore::new(TURNS_OF_WORKER), has_task: Mutex::default() })
    }

    /// Waits for a turn.
    pub(super) async fn take(self: &Arc<Self>) {
        // The semaphore is never closed.
        if let Ok(turn) = self.free.acquire().await {
            turn.forget();
        }
        if replace(&mut *self.has_task(), true) {
            return;
        }
        let turns = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                yield_now().await;
                if !turns.give_back() {
                    return;
                }
            }
        });
    }

    /// Gives back the turns that were taken. Returns whether there were any.
    fn give_back(&self) -> bool {
        let turns = TURNS_OF_WORKER * Handle::current().metrics().num_workers();
        // Under the lock, so that a turn that is taken from now on finds either this task or none.
        let mut has_task = self.has_task();
        let taken = turns.saturating_sub(self.free.available_permits());
        self.free.add_permits(taken);
        *has_task = taken > 0;
        *has_task
    }

    fn has_task(&self) -> MutexGuard<'_, bool> {
        self.has_task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
