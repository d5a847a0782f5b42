use std::collections::VecDeque;

use everwire_companion_api::monitor::Point;

/// How far back the charts reach, in milliseconds.
pub(super) const SPAN: f64 = 300_000.0;

/// Points further apart than this have nothing between them: the server was down.
const APART: f64 = 2_500.0;

/// The points of the last five minutes, in order.
#[derive(Debug, Default)]
pub(super) struct Track {
    points: VecDeque<Point>,
}

impl Track {
    /// Adds points in order that the page may have in part. What it knows of other times stays.
    pub(super) fn merge(&mut self, points: Vec<Point>) {
        let Some(newest) = points.last().map(|point| point.time) else { return };
        // A clock that was set back begins again.
        if self.points.back().is_some_and(|latest| latest.time > newest) {
            self.points.clear();
        }
        self.points.extend(points);
        self.points.make_contiguous().sort_by(|one, other| one.time.total_cmp(&other.time));
        let mut before = None;
        self.points.retain(|point| before.replace(point.time) != Some(point.time) && point.time >= newest - SPAN);
    }

    pub(super) fn push(&mut self, point: Point) {
        // A clock that was set back begins again.
        if self.points.back().is_some_and(|latest| latest.time > point.time) {
            self.points.clear();
        }
        let start = point.time - SPAN;
        self.points.push_back(point);
        while self.points.front().is_some_and(|oldest| oldest.time < start) {
            self.points.pop_front();
        }
    }

    pub(super) fn latest(&self) -> Option<&Point> {
        self.points.back()
    }

    /// The columns of a chart: minutes from now, and what `values` sees in each point. Where nothing is known there is
    /// a gap. The ends are there so that a chart always shows five minutes, up to `now`.
    pub(super) fn columns<const N: usize>(&self, now: f64, values: impl Fn(&Point) -> [f64; N]) -> Vec<Vec<f64>> {
        self.columns_of(now, N, |point| values(point).to_vec())
    }

    /// As [`columns`](Self::columns), where the number of values is known only now.
    pub(super) fn columns_of(&self, now: f64, count: usize, values: impl Fn(&Point) -> Vec<f64>) -> Vec<Vec<f64>> {
        let mut columns = vec![Vec::with_capacity(self.points.len() + 2); count + 1];
        let mut row = |time: f64, values: Option<Vec<f64>>| {
            columns[0].push((time - now) / 60e3);
            for index in 0..count {
                let value = values.as_ref().and_then(|values| values.get(index).copied());
                columns[index + 1].push(value.unwrap_or(f64::NAN));
            }
        };
        let start = now - SPAN;
        row(start, None);
        let mut before = f64::NEG_INFINITY;
        for point in self.points.iter().filter(|point| point.time > start) {
            if before.is_finite() && point.time - before > APART {
                row(before + 1.0, None);
            }
            row(point.time, Some(values(point)));
            before = point.time;
        }
        if now > before {
            // A point is valid for as long as the next may take.
            row(now, None);
        }
        columns
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The seconds of which something is known.
    pub(in super::super) fn times(track: &Track) -> Vec<u32> {
        track.points.iter().map(|point| (point.time / 1e3) as u32).collect()
    }

    pub(in super::super) fn point(second: u32) -> Point {
        Point {
            time: f64::from(second) * 1e3,
            cores: vec![f64::from(second)],
            memory: 0,
            swap: 0,
            load: None,
            connections: 0,
            messages_in: 0.0,
            messages_out: 0.0,
            queued: 0,
            largest_queue: 0,
        }
    }

    /// Times in milliseconds, and what is shown there.
    fn shown(track: &Track, now: f64) -> Vec<(f64, Option<f64>)> {
        let columns = track.columns(now, |point| [point.cores[0]]);
        let value = |value: &f64| Some(*value).filter(|value| !value.is_nan());
        let time = |minutes: &f64| (now + minutes * 60e3).round();
        columns[0].iter().map(time).zip(columns[1].iter().map(value)).collect()
    }

    #[test]
    fn an_hour_takes_no_more_room_than_five_minutes() {
        let mut track = Track::default();
        (0..3_600).for_each(|second| track.push(point(second)));
        assert_eq!((track.points.len(), track.points[0].time), (301, 3_299_000.0));
    }

    #[test]
    fn where_the_server_was_down_there_is_a_gap() {
        let mut track = Track::default();
        [400, 401, 402, 410, 411].into_iter().for_each(|second| track.push(point(second)));
        let expected = [
            (111_500.0, None),
            (400_000.0, Some(400.0)),
            (401_000.0, Some(401.0)),
            (402_000.0, Some(402.0)),
            (402_001.0, None),
            (410_000.0, Some(410.0)),
            (411_000.0, Some(411.0)),
            (411_500.0, None),
        ];
        assert_eq!(shown(&track, 411_500.0), expected);
    }

    #[test]
    fn a_chart_is_five_minutes_wide_also_where_nothing_is_known() {
        assert_eq!(shown(&Track::default(), 400_000.0), [(100_000.0, None), (400_000.0, None)]);
    }

    #[test]
    fn history_that_the_page_has_in_part_fills_its_gaps() {
        let mut track = Track::default();
        [1, 2, 10].into_iter().for_each(|second| track.push(point(second)));
        track.merge((2..=12).map(point).collect());
        assert_eq!(times(&track), (1..=12).collect::<Vec<_>>());
        track.merge(Vec::new());
        track.merge((990..=1_000).map(point).collect());
        assert_eq!(times(&track), (990..=1_000).collect::<Vec<_>>(), "what is older than five minutes goes");
        track.merge((1..=2).map(point).collect());
        assert_eq!(times(&track), [1, 2], "the clock was set back");
    }

    #[test]
    fn a_core_that_was_added_has_no_past() {
        let mut track = Track::default();
        track.push(point(1));
        let columns = track.columns_of(1_000.0, 2, |point| point.cores.clone());
        assert_eq!(columns.len(), 3);
        assert!(columns[2].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn a_clock_that_was_set_back_begins_again() {
        let mut track = Track::default();
        [500, 501, 100, 101].into_iter().for_each(|second| track.push(point(second)));
        assert_eq!(track.points.len(), 2);
    }
}
