use core::ops::Range;

use super::window::Window;
use crate::pages::echo::log::View;

/// What the list remembers of its scrolling from one drawing to the next.
pub(super) struct Scroll {
    pub(super) window: Window,
    /// The rows that stand in the page.
    pub(super) drawn: Range<usize>,
    /// How many rows had left at the top when the list was last drawn.
    left: u64,
}

impl Scroll {
    /// The sizes are guesses until the page has been measured.
    pub(super) fn new() -> Self {
        Self { window: Window { top: 0.0, height: 0.0, row: 28.0 }, drawn: 0..0, left: 0 }
    }

    /// Prepares a drawing of what the view has become. Says whether the browser has to be scrolled: to the end while the
    /// list follows, and otherwise as far up as rows have left at the top, so that what is being read stays where it is.
    pub(super) fn prepare(&mut self, view: &View, following: bool) -> bool {
        let moved_up = view.left().saturating_sub(self.left) as f64 * self.window.row;
        self.left = view.left();
        let end = view.len() as f64 * self.window.row - self.window.height;
        self.window.top = if following { end } else { self.window.top - moved_up }.max(0.0);
        self.drawn = self.window.rows(view.len());
        following || moved_up > 0.0
    }

    /// The browser has scrolled. Says whether the end is in sight, and whether other rows have to stand in the page than do.
    pub(super) fn scrolled(&mut self, top: f64, view: &View) -> (bool, bool) {
        self.window.top = top;
        (self.window.is_at_end(view.len()), self.drawn != self.window.rows(view.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::echo::log::{Body, Limits, Line, Log, Origin};

    fn push(log: &mut Log, view: &mut View, count: usize) {
        for _ in 0..count {
            log.push(Line::new(0.0, Origin::Sent, Body::Text("x".into())));
        }
        view.catch_up(log, usize::MAX);
    }

    fn scroll() -> Scroll {
        Scroll { window: Window { top: 0.0, height: 100.0, row: 10.0 }, ..Scroll::new() }
    }

    #[test]
    fn a_list_that_follows_stays_at_its_end() {
        let (mut log, mut view) = (Log::new(Limits::default()), View::default());
        let mut scroll = scroll();
        push(&mut log, &mut view, 1_000);
        assert!(scroll.prepare(&view, true));
        assert_eq!((scroll.window.top, scroll.drawn.end), (9_900.0, 1_000));
    }

    #[test]
    fn new_lines_do_not_move_what_is_being_read() {
        let (mut log, mut view) = (Log::new(Limits::default()), View::default());
        let mut scroll = scroll();
        push(&mut log, &mut view, 1_000);
        scroll.window.top = 5_000.0;
        assert!(!scroll.prepare(&view, false));
        push(&mut log, &mut view, 1_000);
        assert!(!scroll.prepare(&view, false));
        assert_eq!(scroll.window.top, 5_000.0);
    }

    #[test]
    fn what_is_being_read_stays_in_sight_when_older_lines_are_let_go() {
        let mut log = Log::new(Limits { lines: 1_000, slack: 100, bytes: usize::MAX });
        let (mut view, mut scroll) = (View::default(), scroll());
        push(&mut log, &mut view, 1_100);
        scroll.window.top = 5_000.0;
        scroll.prepare(&view, false);
        let read = view.number(500);
        push(&mut log, &mut view, 1);
        assert!(scroll.prepare(&view, false));
        assert_eq!(view.number((scroll.window.top / scroll.window.row) as usize), read);
    }
}
