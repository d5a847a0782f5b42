//! What happened to the connection over the last minutes, to be drawn.

use std::collections::VecDeque;

use everwire::State;

use crate::fault::{Disruption, Fault};

/// What is older, in milliseconds, is forgotten.
const KEPT: f64 = 150_000.0;

/// What the connection is, as far as messages are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Messages flow.
    Attached,
    /// An attempt is under way, or the server's welcome is awaited.
    Connecting,
    /// Between two attempts.
    Waiting,
}

impl Phase {
    pub(super) fn of(state: State) -> Self {
        match state {
            State::Open => Self::Attached,
            State::Connecting => Self::Connecting,
            _ => Self::Waiting,
        }
    }

    /// Its name for style sheets.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Attached => "attached",
            Self::Connecting => "connecting",
            Self::Waiting => "waiting",
        }
    }
}

/// The phases, what was done to the connection, and how many messages waited. Times are in milliseconds, by any clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    phases: VecDeque<(f64, Phase)>,
    marks: VecDeque<(f64, Disruption)>,
    waiting: VecDeque<(f64, u64)>,
}

/// A stretch of one phase, with its ends as parts of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) phase: Phase,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Timeline {
    /// The connection is in this phase from now on.
    pub(super) fn enter(&mut self, now: f64, phase: Phase) {
        if self.phases.back().is_none_or(|(_, latest)| *latest != phase) {
            self.phases.push_back((now, phase));
        }
    }

    pub(super) fn mark(&mut self, now: f64, disruption: Disruption) {
        self.marks.push_back((now, disruption));
    }

    /// So many messages wait now.
    pub(super) fn sample(&mut self, now: f64, waiting: u64) {
        self.waiting.push_back((now, waiting));
        let oldest = now - KEPT;
        // The phase that was entered last before that still holds then.
        while self.phases.get(1).is_some_and(|(at, _)| *at < oldest) {
            self.phases.pop_front();
        }
        while self.marks.front().is_some_and(|(at, _)| *at < oldest) {
            self.marks.pop_front();
        }
        while self.waiting.front().is_some_and(|(at, _)| *at < oldest) {
            self.waiting.pop_front();
        }
    }

    /// The earliest time that is known.
    pub(super) fn began(&self) -> Option<f64> {
        self.phases.front().map(|(at, _)| *at)
    }

    /// The phases of a window that ends, at the latest, now.
    pub(super) fn spans(&self, window: Window, now: f64) -> Vec<Span> {
        let ends = self.phases.iter().skip(1).map(|(at, _)| *at).chain([now]);
        let stretches = self.phases.iter().zip(ends);
        stretches
            .filter(|((start, _), end)| *start < window.end() && *end > window.from)
            .map(|((start, phase), end)| Span { phase: *phase, start: window.part(*start), end: window.part(end) })
            .collect()
    }

    /// What was done within the window, with its place.
    pub(super) fn marks(&self, window: Window) -> Vec<(f64, Disruption)> {
        let marks = self.marks.iter().filter(|(at, _)| window.contains(*at));
        marks.map(|(at, disruption)| (window.part(*at), *disruption)).collect()
    }

    /// How many messages waited, with its place in the window.
    pub(super) fn waiting(&self, window: Window) -> Vec<(f64, u64)> {
        let samples = self.waiting.iter().filter(|(at, _)| window.contains(*at));
        samples.map(|(at, waiting)| (window.part(*at), *waiting)).collect()
    }

    /// For how long the connection was attached within the window, in milliseconds.
    pub(super) fn attached(&self, window: Window, now: f64) -> f64 {
        let spans = self.spans(window, now).into_iter().filter(|span| span.phase == Phase::Attached);
        spans.map(|span| (span.end - span.start) * window.length).sum()
    }
}

/// The time that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) from: f64,
    pub(super) length: f64,
}

impl Window {
    fn end(self) -> f64 {
        self.from + self.length
    }

    fn contains(self, at: f64) -> bool {
        (self.from..=self.end()).contains(&at)
    }

    /// Where in the window a time is, from 0 to 1.
    fn part(self, at: f64) -> f64 {
        ((at - self.from) / self.length).clamp(0.0, 1.0)
    }
}

impl Disruption {
    /// A word for it, where there is little room.
    pub(super) fn label(self) -> String {
        match self {
            Self::Fault(Fault::Cut) => "cut".to_owned(),
            Self::Fault(Fault::Silence) => "silent".to_owned(),
            Self::Fault(Fault::Refuse) => "503".to_owned(),
            Self::Fault(Fault::Close(code)) => code.to_string(),
            Self::Fault(Fault::Delay(_)) => "slow".to_owned(),
            Self::Fault(Fault::Garbage) => "garbage".to_owned(),
            Self::KillServer => "kill".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { from: 1_000.0, length: 1_000.0 };

    fn broken_once() -> Timeline {
        let mut timeline = Timeline::default();
        timeline.enter(0.0, Phase::Connecting);
        timeline.enter(500.0, Phase::Attached);
        timeline.enter(1_500.0, Phase::Waiting);
        timeline.enter(1_750.0, Phase::Attached);
        timeline
    }

    #[test]
    fn the_phases_of_a_window_begin_and_end_with_it() {
        let spans = broken_once().spans(WINDOW, 5_000.0);
        let span = |phase, start, end| Span { phase, start, end };
        let expected =
            [span(Phase::Attached, 0.0, 0.5), span(Phase::Waiting, 0.5, 0.75), span(Phase::Attached, 0.75, 1.0)];
        assert_eq!(spans, expected);
        assert_eq!(broken_once().attached(WINDOW, 5_000.0), 750.0);
    }

    #[test]
    fn nothing_is_drawn_of_the_time_to_come() {
        let spans = broken_once().spans(WINDOW, 1_600.0);
        assert_eq!(spans.last().map(|span| (span.phase, span.end)), Some((Phase::Attached, 0.6)));
        let spans = broken_once().spans(Window { from: 500.0, length: 2_000.0 }, 2_000.0);
        assert_eq!(spans.last().map(|span| span.end), Some(0.75));
    }

    #[test]
    fn a_phase_that_goes_on_is_one_stretch() {
        let mut timeline = broken_once();
        timeline.enter(1_900.0, Phase::Attached);
        assert_eq!(timeline.spans(WINDOW, 5_000.0).len(), 3);
    }

    #[test]
    fn what_is_long_past_is_forgotten_but_the_phase_that_still_holds() {
        let mut timeline = broken_once();
        timeline.mark(600.0, Disruption::KillServer);
        let late = KEPT + 10_000.0;
        timeline.sample(late, 3);
        let window = Window { from: late - 1_000.0, length: 1_000.0 };
        assert_eq!(timeline.phases.len(), 1);
        assert_eq!(timeline.attached(window, late), 1_000.0);
        assert_eq!((timeline.marks.len(), timeline.waiting(window)), (0, vec![(1.0, 3)]));
    }

    #[test]
    fn marks_are_where_they_happened() {
        let mut timeline = broken_once();
        timeline.mark(1_250.0, Disruption::Fault(Fault::Cut));
        timeline.mark(2_500.0, Disruption::KillServer);
        assert_eq!(timeline.marks(WINDOW), [(0.25, Disruption::Fault(Fault::Cut))]);
    }
}
