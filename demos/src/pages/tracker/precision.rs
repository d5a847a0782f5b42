use std::f64::consts::{FRAC_PI_2, PI};

use super::fix::Fix;
use crate::map::{EARTH_RADIUS, LatLon};

/// How closely the visitor wants to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Precision {
    /// As the device measured it.
    Exact,
    /// The centre of a cell of ten metres.
    #[default]
    TenMetres,
    /// The centre of a cell of one kilometre.
    Kilometre,
    /// The centre of a cell of ten kilometres.
    TenKilometres,
}

impl Precision {
    pub(super) const ALL: [Self; 4] = [Self::Exact, Self::TenMetres, Self::Kilometre, Self::TenKilometres];

    /// As written on its button.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Exact => "Exact",
            Self::TenMetres => "10 m",
            Self::Kilometre => "1 km",
            Self::TenKilometres => "10 km",
        }
    }

    /// What others can learn from it.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Exact => "The position as your device measured it: often which side of the street you are on.",
            Self::TenMetres => "The centre of a 10 m square: which building you are at, not which room.",
            Self::Kilometre => "The centre of a 1 km square: which part of town you are in, not which street.",
            Self::TenKilometres => "The centre of a 10 km square: which town you are in, not which part of it.",
        }
    }

    /// The name by which the browser remembers it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::TenMetres => "10m",
            Self::Kilometre => "1km",
            Self::TenKilometres => "10km",
        }
    }

    pub(super) fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.key() == key)
    }

    /// What of a measured position may leave this page.
    pub(super) fn apply(self, fix: Fix) -> Fix {
        match self {
            Self::Exact => fix,
            Self::TenMetres => Grid::new(10.0).snap(fix),
            Self::Kilometre => Grid::new(1_000.0).snap(fix),
            Self::TenKilometres => Grid::new(10_000.0).snap(fix),
        }
    }
}

/// Cells that cover the Earth, none wider or higher than its size.
///
/// A step in degrees would not do: a degree of longitude is 111 km at the equator and nothing at the poles. So the Earth is
/// cut into rows of equal height, and each row, by itself, into as many cells as its longest parallel needs.
#[derive(Clone, Copy, Debug)]
struct Grid {
    /// In metres.
    size: f64,
    /// Height of a row in radians. A whole number of rows reaches from pole to pole.
    row: f64,
}

impl Grid {
    fn new(size: f64) -> Self {
        let rows = (PI * EARTH_RADIUS / size).ceil();
        Self { size, row: PI / rows }
    }

    /// The centre of the cell around a position. It depends on nothing but the cell.
    fn centre(&self, place: LatLon) -> LatLon {
        let last_row = (PI / self.row).round() - 1.0;
        let row = ((place.lat.to_radians() + FRAC_PI_2) / self.row).floor().clamp(0.0, last_row);
        let south = row * self.row - FRAC_PI_2;
        // A row is longest at its edge towards the equator; at the equator itself if it lies across it.
        let north = south + self.row;
        let longest = if south < 0.0 && north > 0.0 { 1.0 } else { south.cos().max(north.cos()) };
        let cells = (2.0 * PI * EARTH_RADIUS * longest / self.size).ceil().max(1.0);
        // The wrap puts 180° and -180°, one meridian, into one cell.
        let cell = ((place.lon + 180.0).rem_euclid(360.0) / 360.0 * cells).floor().min(cells - 1.0);
        LatLon::new((south + self.row / 2.0).to_degrees(), (cell + 0.5) / cells * 360.0 - 180.0)
    }

    /// Moves a position to its cell's centre. The accuracy becomes a whole number of the grid's size, so that it gives
    /// away no more than the position does, and large enough that the circle still holds the true place if the device's
    /// did: half the diagonal for the move, and the device's own error.
    fn snap(&self, fix: Fix) -> Fix {
        let needed = self.half_diagonal() + fix.accuracy;
        Fix { place: self.centre(fix.place), accuracy: (needed / self.size).ceil() * self.size }
    }

    /// The furthest that a cell's corner is from its centre, in metres.
    fn half_diagonal(&self) -> f64 {
        self.size * std::f64::consts::SQRT_2 / 2.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid() -> impl Strategy<Value = Grid> {
        prop_oneof![Just(10.0), Just(1_000.0), Just(10_000.0)].prop_map(Grid::new)
    }

    /// Anywhere, with more than a fair share of poles, equator and antimeridian.
    fn anywhere() -> impl Strategy<Value = LatLon> {
        let lat = prop_oneof![6 => -90.0..=90.0f64, 1 => 89.9..=90.0f64, 1 => -90.0..=-89.9f64, 1 => -0.1..=0.1f64];
        let lon = prop_oneof![6 => -180.0..=180.0f64, 1 => 179.99..=180.0f64, 1 => -180.0..=-179.99f64];
        (lat, lon).prop_map(|(lat, lon)| LatLon::new(lat, lon))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_coarsened_position_is_never_further_away_than_half_the_diagonal(grid in grid(), place in anywhere()) {
            let moved = place.distance_to(grid.centre(place));
            prop_assert!(moved <= grid.half_diagonal() * (1.0 + 1e-6), "{moved} m with cells of {} m", grid.size);
        }

        #[test]
        fn all_of_a_cell_is_told_as_the_same_position(
            grid in grid(), place in anywhere(), north in -0.499..0.499f64, east in -0.499..0.499f64,
        ) {
            let centre = grid.centre(place);
            let row = grid.row.to_degrees();
            let around = 2.0 * PI * EARTH_RADIUS * (centre.lat.abs() - row / 2.0).to_radians().cos();
            let width = 360.0 / (around / grid.size).ceil().max(1.0);
            // A row across the equator is longest in its middle; its cells are those of the equator.
            prop_assume!(centre.lat.abs() > row / 2.0);
            let elsewhere = LatLon::new(centre.lat + north * row, centre.lon + east * width);
            prop_assert_eq!(grid.centre(elsewhere), centre);
        }

        #[test]
        fn to_coarsen_twice_changes_nothing(grid in grid(), place in anywhere()) {
            let centre = grid.centre(place);
            prop_assert_eq!(grid.centre(centre), centre);
        }

        #[test]
        fn the_circle_still_holds_the_true_place(
            grid in grid(), place in anywhere(), accuracy in 0.0..30_000.0f64, bearing in 0.0..std::f64::consts::TAU, part in 0.0..1.0f64,
        ) {
            let truth = place.destination(bearing, accuracy * part);
            let told = grid.snap(Fix { place, accuracy });
            prop_assert!(told.place.distance_to(truth) <= told.accuracy * (1.0 + 1e-6));
        }

        #[test]
        fn what_is_told_is_on_earth(grid in grid(), place in anywhere()) {
            let told = grid.centre(place);
            prop_assert!(told.lat.abs() <= 90.0 && told.lon.abs() <= 180.0, "{:?}", told);
        }
    }

    #[test]
    fn cells_are_as_wide_in_the_north_as_at_the_equator() {
        for lat in [0.3, 30.0, 60.0, 80.0] {
            let grid = Grid::new(1_000.0);
            let here = grid.centre(LatLon::new(lat, 25.0));
            let next = grid.centre(here.destination(FRAC_PI_2, 1_000.0));
            let width = here.distance_to(next);
            assert!((990.0..=1_000.0).contains(&width), "{width} m at {lat}°");
        }
    }

    #[test]
    fn both_names_of_the_antimeridian_are_one_cell() {
        let grid = Grid::new(10_000.0);
        assert_eq!(grid.centre(LatLon::new(-17.0, 180.0)), grid.centre(LatLon::new(-17.0, -180.0)));
    }

    #[test]
    fn the_accuracy_tells_nothing_but_whole_cells() {
        let told = |accuracy| Grid::new(1_000.0).snap(Fix { place: LatLon::new(52.5, 13.4), accuracy }).accuracy;
        assert_eq!([4.0, 35.0, 290.0, 300.0, 2_000.0].map(told), [1_000.0, 1_000.0, 1_000.0, 2_000.0, 3_000.0]);
    }

    #[test]
    fn exact_changes_nothing() {
        let fix = Fix { place: LatLon::new(52.520_008, 13.404_954), accuracy: 4.2 };
        assert_eq!(Precision::Exact.apply(fix), fix);
    }

    #[test]
    fn a_precision_is_remembered_by_its_key() {
        for precision in Precision::ALL {
            assert_eq!(Precision::from_key(precision.key()), Some(precision));
        }
        assert_eq!(Precision::from_key("1m"), None);
    }
}
