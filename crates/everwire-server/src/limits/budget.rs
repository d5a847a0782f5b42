use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// In what measure the budget is charged. Less than one is free: what each connection needs for itself, and most messages,
/// cost nobody an access to memory that all workers share.
const PAGE: usize = 4 << 10;

/// What all connections together may hold of unfinished messages and unsent answers. Who waits for room gets it in turn.
#[derive(Debug)]
pub(crate) struct Budget {
    pages: usize,
    free: Arc<Semaphore>,
}

/// One holder's part of the budget; dropping it gives it back.
pub(crate) struct Charge {
    budget: Arc<Budget>,
    pages: usize,
    waiting: Option<Waiting>,
}

type Waiting = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + Sync>>;

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        let pages = (bytes / PAGE).min(u32::MAX as usize);
        Arc::new(Self { pages, free: Arc::new(Semaphore::new(pages)) })
    }

    /// A holder that holds nothing yet.
    pub(crate) fn charge(self: &Arc<Self>) -> Charge {
        Charge { budget: Arc::clone(self), pages: 0, waiting: None }
    }
}

impl Charge {
    /// Charges for so many bytes instead of what was held before. Where there is no room for more, it waits for its turn:
    /// see [`poll_room`](Self::poll_room).
    pub(crate) fn request(&mut self, bytes: usize) {
        // What can never fit gets all there is.
        let Some(more) = self.growth((bytes / PAGE).min(self.budget.pages)) else { return };
        match Arc::clone(&self.budget.free).try_acquire_many_owned(more) {
            Ok(permit) => self.take(permit),
            Err(_) => self.waiting = Some(Box::pin(Arc::clone(&self.budget.free).acquire_many_owned(more))),
        }
    }

    /// Ready when there is room for what was requested.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(()) };
        let permit = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        // The semaphore is never closed.
        permit.into_iter().for_each(|permit| self.take(permit));
        Poll::Ready(())
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Charges for so many bytes, of which there may be no room for all. Says whether there was.
    pub(crate) fn force(&mut self, bytes: usize) -> bool {
        let pages = bytes / PAGE;
        if let Some(more) = self.growth(pages) {
            self.pages += self.budget.free.forget_permits(more as usize);
        }
        self.pages == pages
    }

    /// How many pages there are to add; gives back what is too much.
    fn growth(&mut self, pages: usize) -> Option<u32> {
        self.waiting = None;
        if pages <= self.pages {
            self.budget.free.add_permits(self.pages - pages);
            self.pages = pages;
            return None;
        }
        u32::try_from(pages - self.pages).ok()
    }

    fn take(&mut self, permit: OwnedSemaphorePermit) {
        self.pages += permit.num_permits();
        permit.forget();
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.growth(0);
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge").field("pages", &self.pages).field("is_waiting", &self.is_waiting()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn has_room(charge: &mut Charge) -> bool {
        charge.poll_room(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn who_finds_no_room_gets_it_when_others_give_it_back() {
        let budget = Budget::new(100 * PAGE);
        let (mut one, mut other) = (budget.charge(), budget.charge());
        one.request(60 * PAGE);
        other.request(50 * PAGE);
        assert!(has_room(&mut one) && !has_room(&mut other));
        one.request(50 * PAGE);
        assert!(has_room(&mut other));
        drop(one);
        assert!(other.force(100 * PAGE) && !other.force(101 * PAGE));
    }

    #[test]
    fn who_leaves_while_it_waits_takes_nothing() {
        let budget = Budget::new(100 * PAGE);
        let (mut one, mut other, mut third) = (budget.charge(), budget.charge(), budget.charge());
        one.request(100 * PAGE);
        other.request(100 * PAGE);
        third.request(PAGE);
        assert!(!has_room(&mut other) && !has_room(&mut third));
        drop((one, other));
        assert!(has_room(&mut third));
        drop(third);
        assert_eq!(budget.free.available_permits(), 100);
    }

    #[test]
    fn a_little_is_free_and_what_can_never_fit_gets_all() {
        let budget = Budget::new(2 * PAGE);
        let mut little = budget.charge();
        assert!(little.force(PAGE - 1));
        let mut much = budget.charge();
        much.request(100 * PAGE);
        assert!(has_room(&mut much));
        little.request(PAGE);
        assert!(!has_room(&mut little));
    }
}
