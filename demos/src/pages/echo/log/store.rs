use std::collections::VecDeque;

use super::{Line, Transmission};

/// The latest lines. A line's number counts from the first line ever and is never given to another.
#[derive(Debug)]
pub(in crate::pages::echo) struct Log {
    limits: Limits,
    lines: VecDeque<Line>,
    /// The number of the oldest line that is kept.
    first: u64,
    weight: usize,
    let_go: u64,
}

/// How much a log keeps.
#[derive(Debug, Clone, Copy)]
pub(in crate::pages::echo) struct Limits {
    /// When there are more lines than this and `slack` together, so many of the oldest go that this is left: in bulk, so that
    /// a reader who has scrolled back is moved seldom.
    pub(in crate::pages::echo) lines: usize,
    pub(in crate::pages::echo) slack: usize,
    /// The most bytes; a tenth of them goes at once.
    pub(in crate::pages::echo) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lines: 100_000, slack: 10_000, bytes: 96 << 20 }
    }
}

impl Log {
    pub(in crate::pages::echo) fn new(limits: Limits) -> Self {
        Self { limits, lines: VecDeque::new(), first: 0, weight: 0, let_go: 0 }
    }

    /// Adds a line and says its number.
    pub(in crate::pages::echo) fn push(&mut self, line: Line) -> u64 {
        self.weight += line.weight();
        self.lines.push_back(line);
        let number = self.end() - 1;
        self.trim();
        number
    }

    /// Lets every line go, on the visitor's wish; these do not count as let go.
    pub(in crate::pages::echo) fn clear(&mut self) {
        self.first = self.end();
        self.lines = VecDeque::new();
        self.weight = 0;
        self.let_go = 0;
    }

    pub(in crate::pages::echo) fn line(&self, number: u64) -> Option<&Line> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(index)
    }

    /// Notes what became of a line's message; nothing where the line is gone.
    pub(in crate::pages::echo) fn set_transmission(&mut self, number: u64, transmission: Transmission) {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(line) = index.and_then(|index| self.lines.get_mut(index)) {
            line.transmission = transmission;
        }
    }

    /// The number of the oldest line that is kept, or of the next one where there is none.
    pub(in crate::pages::echo) fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next line will have.
    pub(in crate::pages::echo) fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    pub(in crate::pages::echo) fn len(&self) -> usize {
        self.lines.len()
    }

    /// How many lines had to make room for newer ones since the log was last cleared.
    pub(in crate::pages::echo) fn let_go(&self) -> u64 {
        self.let_go
    }

    fn trim(&mut self) {
        let Limits { lines, slack, bytes } = self.limits;
        if self.lines.len() > lines + slack {
            self.let_go_while(|log| log.lines.len() > lines);
        }
        if self.weight > bytes {
            self.let_go_while(|log| log.weight > bytes - bytes / 10);
        }
    }

    fn let_go_while(&mut self, too_much: impl Fn(&Self) -> bool) {
        // The newest line stays, however large.
        while self.lines.len() > 1 && too_much(self) {
            if let Some(oldest) = self.lines.pop_front() {
                self.weight -= oldest.weight();
                self.first += 1;
                self.let_go += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Origin};
    use super::*;

    fn text(length: usize) -> Line {
        Line::new(0.0, Origin::Sent, Body::Text("x".repeat(length).into()))
    }

    #[test]
    fn the_oldest_lines_go_in_bulk_and_are_counted() {
        let mut log = Log::new(Limits { lines: 100, slack: 10, bytes: usize::MAX });
        for _ in 0..110 {
            log.push(text(1));
        }
        assert_eq!((log.len(), log.let_go()), (110, 0));
        assert_eq!(log.push(text(1)), 110);
        assert_eq!((log.len(), log.let_go(), log.first(), log.end()), (100, 11, 11, 111));
        assert!(log.line(10).is_none() && log.line(11).is_some());
    }

    #[test]
    fn large_messages_count_by_their_bytes_and_the_newest_stays() {
        let mut log = Log::new(Limits { lines: 100, slack: 10, bytes: 10_000 });
        for _ in 0..50 {
            log.push(text(1_000));
        }
        assert!(log.len() < 10 && log.weight <= 10_000);
        log.push(text(1_000_000));
        assert_eq!((log.len(), log.let_go()), (1, 50));
    }

    #[test]
    fn a_number_is_never_given_twice_also_after_clearing() {
        let mut log = Log::new(Limits::default());
        assert_eq!((log.push(text(1)), log.push(text(1))), (0, 1));
        log.clear();
        assert_eq!((log.len(), log.let_go(), log.weight), (0, 0, 0));
        assert_eq!(log.push(text(1)), 2);
        assert!(log.line(1).is_none());
    }
}
