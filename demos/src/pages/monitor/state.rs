use everwire_companion_api::monitor::{Detail, Machine, Point, Status};

use super::track::Track;

/// What the page knows of the server.
#[derive(Debug)]
pub(super) struct State {
    pub(super) machine: Option<Machine>,
    pub(super) track: Track,
    pub(super) detail: Option<Detail>,
    /// Whether the server's monitor is off.
    pub(super) is_off: bool,
    /// The points of the channel's history, while they arrive.
    past: Option<Vec<Point>>,
    /// The server's time of the latest point, and the page's.
    latest: Option<(f64, f64)>,
}

impl Default for State {
    fn default() -> Self {
        let (machine, track, detail, latest) = (None, Track::default(), None, None);
        Self { machine, track, detail, is_off: false, past: Some(Vec::new()), latest }
    }
}

impl State {
    /// A point arrived at a time of the page's clock, in milliseconds: one of the history, or what happened in the last second.
    pub(super) fn point(&mut self, point: Point, now: f64) {
        match &mut self.past {
            Some(past) => past.push(point),
            None => {
                self.latest = Some((point.time, now));
                self.track.push(point);
            }
        }
    }

    /// The history follows, perhaps once more.
    pub(super) fn history_follows(&mut self) {
        self.past = Some(Vec::new());
    }

    /// All of the history has arrived.
    pub(super) fn caught_up(&mut self, now: f64) {
        self.is_off = false;
        if let Some(past) = self.past.take() {
            self.track.merge(past);
        }
        self.latest = self.track.latest().map(|point| (point.time, now));
    }

    /// What tables show.
    pub(super) fn status(&mut self, Status { machine, detail }: Status) {
        self.machine = Some(machine);
        // A system that cannot be read for once keeps its processes.
        let processes = self.detail.take().and_then(|detail| detail.processes);
        self.detail = Some(Detail { processes: detail.processes.or(processes), ..detail });
    }

    /// The server's monitor is off.
    pub(super) fn denied(&mut self) {
        *self = Self { is_off: true, ..Self::default() };
    }

    /// The server's time at a time of the page. Without a connection it goes on as the page's clock does.
    pub(super) fn server_time(&self, now: f64) -> f64 {
        self.latest.map_or(now, |(server, page)| server + (now - page).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::track::tests::{point, times};
    use super::*;

    fn status(processes: &str) -> Status {
        let text = format!(
            r#"{{"machine":{{"system":"Linux","cores":1,"memory":10,"swap":0,"server_pid":42}},
            "detail":{{{processes}"endpoints":[],"workers":[]}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_page_that_comes_late_has_the_past_at_once_and_then_each_second() {
        let mut state = State::default();
        (1..=3).for_each(|second| state.point(point(second), 0.0));
        assert!(state.track.latest().is_none());
        state.caught_up(7_000.0);
        assert_eq!((times(&state.track), state.server_time(7_500.0)), (vec![1, 2, 3], 3_500.0));
        state.point(point(4), 8_000.0);
        assert_eq!((times(&state.track), state.server_time(8_000.0)), (vec![1, 2, 3, 4], 4_000.0));
    }

    #[test]
    fn a_server_that_has_lost_its_history_does_not_take_what_the_page_knows() {
        let mut state = State::default();
        (1..=3).for_each(|second| state.point(point(second), 0.0));
        state.caught_up(3_000.0);
        state.history_follows();
        (7..=8).for_each(|second| state.point(point(second), 8_000.0));
        state.caught_up(8_000.0);
        assert_eq!(times(&state.track), [1, 2, 3, 7, 8]);
    }

    #[test]
    fn a_connection_that_is_down_does_not_stop_the_clock() {
        let mut state = State::default();
        state.caught_up(0.0);
        state.point(point(100), 5_000.0);
        assert_eq!(state.server_time(5_000.0), 100_000.0);
        assert_eq!(state.server_time(65_000.0), 160_000.0);
    }

    #[test]
    fn a_monitor_that_is_switched_on_is_shown_and_one_that_is_switched_off_is_not() {
        let mut state = State::default();
        state.denied();
        assert!(state.is_off);
        state.point(point(1), 0.0);
        state.caught_up(0.0);
        state.status(status(""));
        assert!(!state.is_off && state.track.latest().is_some() && state.machine.is_some());
        state.denied();
        assert!(state.is_off && state.track.latest().is_none() && state.machine.is_none());
    }

    #[test]
    fn processes_that_were_not_read_for_once_stay_in_the_table() {
        let mut state = State::default();
        state.status(status(r#""processes":{"count":7,"running":1,"top":[]},"#));
        state.status(status(""));
        let processes = state.detail.and_then(|detail| detail.processes);
        assert_eq!(processes.map(|processes| processes.count), Some(7));
    }
}
