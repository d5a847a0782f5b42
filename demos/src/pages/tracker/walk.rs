use std::f64::consts::{PI, TAU};

use super::dice::Dice;
use super::fix::Fix;
use crate::map::LatLon;

/// People walk at 1.4 m/s, and a stroll varies around it.
const USUAL_SPEED: f64 = 1.4;
const SPEEDS: std::ops::RangeInclusive<f64> = 0.8..=1.9;

/// Walkers begin somewhere within this of the chosen start, in metres, so that two of them are told apart.
const SPREAD: f64 = 180.0;

/// Beyond this distance from the start the way bends homewards, in metres.
const TETHER: f64 = 800.0;

/// How often a corner comes, a second: every half minute or so, as between blocks.
const CORNERS: f64 = 1.0 / 35.0;

/// A walk through a town that nobody takes, for a desktop without GPS.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    home: LatLon,
    place: LatLon,
    /// Radians clockwise from north.
    heading: f64,
    /// Metres a second.
    speed: f64,
    dice: Dice,
}

impl Walk {
    /// Begins near `start`. The same seed takes the same way.
    pub(super) fn new(start: LatLon, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (bearing, far) = (dice.unit() * TAU, dice.unit().sqrt());
        let heading = dice.unit() * TAU;
        Self { home: start, place: start.destination(bearing, far * SPREAD), heading, speed: USUAL_SPEED, dice }
    }

    /// Goes on for some seconds, and measures where that leads.
    pub(super) fn step(&mut self, seconds: f64) -> Fix {
        self.turn(seconds);
        let change = 0.25 * self.dice.either_way() + 0.1 * (USUAL_SPEED - self.speed);
        self.speed = (self.speed + change).clamp(*SPEEDS.start(), *SPEEDS.end());
        // Over a pole the heading turns around with the meridians. Nobody strolls there.
        self.place = self.place.destination(self.heading, self.speed * seconds);
        self.fix()
    }

    /// Where the walker is, with an accuracy like that of a telephone under an open sky.
    pub(super) fn fix(&mut self) -> Fix {
        Fix { place: self.place, accuracy: (5.0 + 6.0 * self.dice.unit()).round() }
    }

    /// Mostly straight on, at times around a corner, and homewards when too far out.
    fn turn(&mut self, seconds: f64) {
        self.heading += 0.06 * self.dice.either_way();
        if self.dice.chance(CORNERS * seconds) {
            self.heading += if self.dice.chance(0.5) { PI / 2.0 } else { -PI / 2.0 };
        }
        if self.home.distance_to(self.place) > TETHER {
            let homewards = self.place.bearing_to(self.home);
            let off = (homewards - self.heading + PI).rem_euclid(TAU) - PI;
            self.heading += off.clamp(-0.4, 0.4);
        }
        self.heading = self.heading.rem_euclid(TAU);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BERLIN: LatLon = LatLon::new(52.52, 13.405);

    fn way(seed: u64, steps: usize) -> Vec<Fix> {
        let mut walk = Walk::new(BERLIN, seed);
        (0..steps).map(|_| walk.step(1.0)).collect()
    }

    #[test]
    fn the_same_seed_takes_the_same_way_and_another_seed_another() {
        assert_eq!(way(1, 50), way(1, 50));
        assert_ne!(way(1, 50), way(2, 50));
    }

    #[test]
    fn two_walkers_do_not_begin_on_one_spot() {
        let start = |seed| Walk::new(BERLIN, seed).fix().place;
        assert!(start(1).distance_to(start(2)) > 1.0);
        assert!(start(1).distance_to(BERLIN) <= SPREAD);
    }

    #[test]
    fn a_walk_of_an_hour_leads_somewhere() {
        let ends = (0..20).map(|seed| way(seed, 3_600)).map(|way| way[0].place.distance_to(way[600].place));
        assert!(ends.sum::<f64>() / 20.0 > 100.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn nobody_runs_or_strays(seed: u64, lat in -85.0..85.0f64, lon in -180.0..180.0f64) {
            let start = LatLon::new(lat, lon);
            let mut walk = Walk::new(start, seed);
            let mut before = walk.fix().place;
            for _ in 0..3_600 {
                let fix = walk.step(1.0);
                let speed = before.distance_to(fix.place);
                prop_assert!((0.79..=1.91).contains(&speed), "{} m/s", speed);
                prop_assert!(start.distance_to(fix.place) < TETHER + 200.0);
                prop_assert!((-180.0..=180.0).contains(&fix.place.lon));
                before = fix.place;
            }
        }
    }
}
