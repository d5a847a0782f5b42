use std::collections::VecDeque;

use crate::map::LatLon;

/// How many points a trail keeps: a quarter of an hour at one a second.
const LONGEST: usize = 900;

/// Where somebody has been, oldest first. Longitudes go on beyond ±180° where the way crosses the antimeridian.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trail {
    points: VecDeque<LatLon>,
}

impl Trail {
    /// Goes on to a place; staying at one adds nothing.
    pub(super) fn push(&mut self, place: LatLon) {
        let place = self.points.back().map_or(place, |last| place.nearest_copy_to(*last));
        if self.points.back() == Some(&place) {
            return;
        }
        if self.points.len() == LONGEST {
            self.points.pop_front();
        }
        self.points.push_back(place);
    }

    pub(super) fn points(&self) -> impl Iterator<Item = LatLon> {
        self.points.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staying_adds_no_points() {
        let mut trail = Trail::default();
        for _ in 0..3 {
            trail.push(LatLon::new(1.0, 2.0));
        }
        assert_eq!(trail.points().count(), 1);
    }

    #[test]
    fn the_oldest_points_are_forgotten() {
        let mut trail = Trail::default();
        for step in 0..LONGEST + 10 {
            trail.push(LatLon::new(step as f64 / 100.0, 0.0));
        }
        assert_eq!((trail.points().count(), trail.points().next()), (LONGEST, Some(LatLon::new(0.1, 0.0))));
    }

    #[test]
    fn a_way_across_the_antimeridian_does_not_run_around_the_earth() {
        let mut trail = Trail::default();
        for lon in [179.5, -179.5, -178.5, 179.9] {
            trail.push(LatLon::new(0.0, lon));
        }
        let lons: Vec<_> = trail.points().map(|place| place.lon).collect();
        assert_eq!(lons, [179.5, 180.5, 181.5, 179.9]);
    }
}
