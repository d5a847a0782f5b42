use std::collections::VecDeque;

use super::{Filter, Log};

/// The rows that a filter leaves of a log, kept up to date line by line, so that a frame costs what is new and not what is
/// there.
#[derive(Debug, Default)]
pub(in crate::pages::echo) struct View {
    filter: Filter,
    /// The numbers of the lines that pass; unused while all pass.
    passed: VecDeque<u64>,
    /// Every line below this number has been looked at.
    seen: u64,
    /// The number of the oldest line when it was last looked at.
    first: u64,
    left: u64,
}

impl View {
    /// Starts over with another filter.
    pub(in crate::pages::echo) fn set_filter(&mut self, filter: Filter, log: &Log) {
        *self = Self { filter, passed: VecDeque::new(), seen: log.first(), first: log.first(), left: 0 };
    }

    /// Takes in what the log gained and lost, at most about `bytes` of payload of it. Says whether it is up to date: where
    /// not, it is asked again in the next frame, so that a search through a large log does not stop the page.
    pub(in crate::pages::echo) fn catch_up(&mut self, log: &Log, bytes: usize) -> bool {
        self.let_go(log);
        if self.filter.passes_all() {
            self.seen = log.end();
            return true;
        }
        let mut read = 0;
        while let Some(line) = log.line(self.seen) {
            if read >= bytes {
                return false;
            }
            read += line.weight();
            if self.filter.passes(line) {
                self.passed.push_back(self.seen);
            }
            self.seen += 1;
        }
        true
    }

    pub(in crate::pages::echo) fn len(&self) -> usize {
        if self.filter.passes_all() {
            usize::try_from(self.seen - self.first).unwrap_or(usize::MAX)
        } else {
            self.passed.len()
        }
    }

    /// The number of the line in a row.
    pub(in crate::pages::echo) fn number(&self, row: usize) -> Option<u64> {
        if self.filter.passes_all() {
            Some(self.first + row as u64).filter(|number| *number < self.seen)
        } else {
            self.passed.get(row).copied()
        }
    }

    /// The row of the line with this number, or the one where it would be.
    pub(in crate::pages::echo) fn row(&self, number: u64) -> usize {
        if self.filter.passes_all() {
            usize::try_from(number.clamp(self.first, self.seen) - self.first).unwrap_or(usize::MAX)
        } else {
            self.passed.partition_point(|passed| *passed < number)
        }
    }

    /// How many rows have left at the top since the filter was set: so far did all others move up.
    pub(in crate::pages::echo) fn left(&self) -> u64 {
        self.left
    }

    fn let_go(&mut self, log: &Log) {
        let first = log.first();
        if self.filter.passes_all() {
            self.left += first.min(self.seen) - self.first.min(self.seen);
        } else {
            let gone = self.passed.partition_point(|number| *number < first);
            self.passed.drain(..gone);
            self.left += gone as u64;
        }
        self.first = first;
        self.seen = self.seen.max(first);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Body, Kind, Limits, Line, Origin, Tone};
    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(Line),
        Clear,
        Filter(Filter),
        CatchUp(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let origin = prop::sample::select(vec![Origin::Sent, Origin::Received, Origin::Connection]);
        let body = prop_oneof![
            "[abA]{0,3}".prop_map(|text| Body::Text(text.into())),
            prop::collection::vec(0xaa..0xae_u8, 0..3).prop_map(|bytes| Body::Binary(bytes.into())),
            "[ab]{0,2}".prop_map(|text| Body::Event(Tone::Plain, text.into())),
        ];
        let line = (origin.clone(), body).prop_map(|(origin, body)| Line::new(0.0, origin, body));
        let kind = prop::sample::select(vec![Kind::Text, Kind::Binary, Kind::Event]);
        let filter = ("[abAB]{0,2}", prop::option::of(origin), prop::option::of(kind));
        prop_oneof![
            20 => line.prop_map(Step::Push),
            1 => Just(Step::Clear),
            2 => filter.prop_map(|(text, origin, kind)| Step::Filter(Filter::new(&text, origin, kind))),
            4 => (1..500_usize).prop_map(Step::CatchUp),
        ]
    }

    proptest! {
        #[test]
        fn the_view_shows_what_a_plain_filter_would(steps in prop::collection::vec(step(), 0..200)) {
            let mut log = Log::new(Limits { lines: 20, slack: 5, bytes: usize::MAX });
            let mut view = View::default();
            for step in steps {
                match step {
                    Step::Push(line) => {
                        log.push(line);
                    }
                    Step::Clear => log.clear(),
                    Step::Filter(filter) => view.set_filter(filter, &log),
                    Step::CatchUp(bytes) => {
                        view.catch_up(&log, bytes);
                    }
                }
            }
            while !view.catch_up(&log, 100) {}
            let passes = |number: &u64| log.line(*number).is_some_and(|line| view.filter.passes(line));
            let expected: Vec<u64> = (log.first()..log.end()).filter(passes).collect();
            let shown: Vec<u64> = (0..view.len()).filter_map(|row| view.number(row)).collect();
            prop_assert_eq!(&shown, &expected);
            prop_assert_eq!(view.number(view.len()), None);
            for (row, number) in expected.into_iter().enumerate() {
                prop_assert_eq!(view.row(number), row);
            }
        }

        #[test]
        fn rows_that_leave_at_the_top_are_counted(pushes in 0..200_u64, text in "a?") {
            let mut log = Log::new(Limits { lines: 20, slack: 5, bytes: usize::MAX });
            let mut view = View::default();
            view.set_filter(Filter::new(&text, None, None), &log);
            for _ in 0..pushes {
                log.push(Line::new(0.0, Origin::Sent, Body::Text("a".into())));
                view.catch_up(&log, usize::MAX);
            }
            prop_assert_eq!(view.left(), log.let_go());
            prop_assert_eq!(view.left() + view.len() as u64, pushes);
        }
    }

    #[test]
    fn a_search_through_a_large_log_goes_on_in_the_next_frame() {
        let mut log = Log::new(Limits::default());
        for _ in 0..1_000 {
            log.push(Line::new(0.0, Origin::Sent, Body::Text("needle".into())));
        }
        let mut view = View::default();
        view.set_filter(Filter::new("needle", None, None), &log);
        assert!(!view.catch_up(&log, 1_000));
        assert!(view.len() < 100);
        while !view.catch_up(&log, 1_000) {}
        assert_eq!(view.len(), 1_000);
    }
}
