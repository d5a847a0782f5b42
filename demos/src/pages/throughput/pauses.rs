use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use gloo_render::{AnimationFrame, request_animation_frame};

use crate::now::now;

/// For how long a page may not be drawn before it should do less, in milliseconds.
const LATE: f64 = 40.0;

/// Browsers do not draw a page that nobody sees. Such a page is not late.
const HIDDEN: f64 = 1_000.0;

/// How far back the longest pause is looked for, in milliseconds.
const SPAN: f64 = 5_000.0;

/// How long the page was not drawn in one go: what a visitor feels as stuttering. Dropping it ends the watch.
#[derive(Clone, Default)]
pub(super) struct Pauses(Rc<Inner>);

#[derive(Default)]
struct Inner {
    frame: RefCell<Option<AnimationFrame>>,
    latest: Cell<Option<f64>>,
    gaps: RefCell<Gaps>,
}

impl Pauses {
    pub(super) fn start() -> Self {
        let pauses = Self::default();
        Inner::ask(&pauses.0);
        pauses
    }

    /// Whether the next frame is overdue: what waits should let it come first.
    pub(super) fn is_late(&self, now: f64) -> bool {
        self.0.latest.get().is_some_and(|latest| (LATE..HIDDEN).contains(&(now - latest)))
    }

    /// The longest time between two frames of the last seconds, in milliseconds.
    pub(super) fn longest(&self) -> Option<f64> {
        self.0.gaps.borrow().longest()
    }
}

impl Inner {
    fn ask(inner: &Rc<Self>) {
        let weak = Rc::downgrade(inner);
        let frame = request_animation_frame(move |_| {
            if let Some(inner) = weak.upgrade() {
                let now = now();
                if let Some(before) = inner.latest.replace(Some(now)) {
                    inner.gaps.borrow_mut().push(now, now - before);
                }
                Self::ask(&inner);
            }
        });
        inner.frame.replace(Some(frame));
    }
}

/// Gaps between frames, of which only those matter that no later one exceeds.
#[derive(Default)]
struct Gaps(VecDeque<(f64, f64)>);

impl Gaps {
    fn push(&mut self, now: f64, gap: f64) {
        while self.0.back().is_some_and(|(_, shorter)| *shorter <= gap) {
            self.0.pop_back();
        }
        self.0.push_back((now, gap));
        while self.0.front().is_some_and(|(at, _)| now - at > SPAN) {
            self.0.pop_front();
        }
    }

    fn longest(&self) -> Option<f64> {
        self.0.front().map(|(_, gap)| *gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_remembered_for_a_while() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.longest(), None);
        [(0.0, 16.0), (100.0, 80.0), (120.0, 16.0), (150.0, 30.0), (5_100.0, 17.0)]
            .into_iter()
            .for_each(|(now, gap)| gaps.push(now, gap));
        assert_eq!(gaps.longest(), Some(80.0));
        gaps.push(5_120.0, 16.0);
        assert_eq!(gaps.longest(), Some(30.0));
        (0..10_000).for_each(|frame| gaps.push(6_000.0 + f64::from(frame), 16.0));
        assert_eq!((gaps.longest(), gaps.0.len()), (Some(16.0), 1));
    }
}
