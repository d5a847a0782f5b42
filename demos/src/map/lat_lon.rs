use serde::{Deserialize, Serialize};

/// Mean radius of the Earth in metres (IUGG R₁). Every distance of the page is measured on this sphere, so that a
/// grid, a circle and a distance agree with each other; the real Earth differs from it by up to half a percent.
pub(crate) const EARTH_RADIUS: f64 = 6_371_008.8;

/// A place on Earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LatLon {
    /// Degrees north, -90 to 90.
    pub(crate) lat: f64,
    /// Degrees east, -180 to 180.
    pub(crate) lon: f64,
}

impl LatLon {
    /// The place at these degrees; `const`, so that places can be listed in tables.
    pub(crate) const fn new(lat: f64, lon: f64) -> Self {
        Self { lat, lon }
    }

    /// The great-circle distance in metres, by the haversine formula, which keeps its digits at short distances.
    pub(crate) fn distance_to(self, other: Self) -> f64 {
        let half_north = (other.lat - self.lat).to_radians() / 2.0;
        let half_east = (other.lon - self.lon).to_radians() / 2.0;
        let across = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let haversine = half_north.sin().powi(2) + across * half_east.sin().powi(2);
        2.0 * EARTH_RADIUS * haversine.sqrt().min(1.0).asin()
    }

    /// The place `metres` away in the direction `bearing` (radians clockwise from north), along a great circle.
    pub(crate) fn destination(self, bearing: f64, metres: f64) -> Self {
        let angle = metres / EARTH_RADIUS;
        let (lat, lon) = (self.lat.to_radians(), self.lon.to_radians());
        let sin_lat = lat.sin() * angle.cos() + lat.cos() * angle.sin() * bearing.cos();
        let east = bearing.sin() * angle.sin() * lat.cos();
        let north = angle.cos() - lat.sin() * sin_lat;
        Self::new(sin_lat.clamp(-1.0, 1.0).asin().to_degrees(), wrap(lon.to_degrees() + east.atan2(north).to_degrees()))
    }

    /// The direction to `other` at the start of the great circle, in radians clockwise from north.
    pub(crate) fn bearing_to(self, other: Self) -> f64 {
        let (here, there) = (self.lat.to_radians(), other.lat.to_radians());
        let east = (other.lon - self.lon).to_radians();
        (east.sin() * there.cos()).atan2(here.cos() * there.sin() - here.sin() * there.cos() * east.cos())
    }

    /// The same place with its longitude from -180 to below 180.
    pub(crate) fn normalised(self) -> Self {
        Self::new(self.lat, wrap(self.lon))
    }

    /// The same place with its longitude counted on beyond ±180° where that is nearer to `reference`, so that a line
    /// across the antimeridian does not run around the Earth.
    pub(crate) fn nearest_copy_to(self, reference: Self) -> Self {
        Self::new(self.lat, self.lon - 360.0 * ((self.lon - reference.lon) / 360.0).round())
    }
}

/// The longitude of the same meridian from -180 to below 180.
pub(crate) fn wrap(lon: f64) -> f64 {
    (lon + 180.0).rem_euclid(360.0) - 180.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BERLIN: LatLon = LatLon::new(52.52, 13.405);
    const PARIS: LatLon = LatLon::new(48.8566, 2.3522);

    #[test]
    fn paris_is_878_km_from_berlin() {
        assert!((BERLIN.distance_to(PARIS) - 877_500.0).abs() < 1_000.0, "{}", BERLIN.distance_to(PARIS));
    }

    #[test]
    fn a_quarter_of_the_meridian_is_ten_thousand_kilometres() {
        let quarter = LatLon::new(0.0, 0.0).distance_to(LatLon::new(90.0, 77.0));
        assert!((quarter - 10_007_557.0).abs() < 1.0, "{quarter}");
    }

    #[test]
    fn antipodes_are_half_a_circumference_apart_and_not_nan() {
        let half = LatLon::new(0.3, 0.0).distance_to(LatLon::new(-0.3, 180.0));
        assert!((half - std::f64::consts::PI * EARTH_RADIUS).abs() < 1.0, "{half}");
    }

    #[test]
    fn the_copy_of_a_place_across_the_antimeridian_is_next_to_its_reference() {
        let copy = LatLon::new(-17.0, -179.9).nearest_copy_to(LatLon::new(-17.0, 179.9));
        assert!((copy.lon - 180.1).abs() < 1e-9, "{}", copy.lon);
    }

    proptest! {
        #[test]
        fn a_destination_is_as_far_as_was_asked(
            lat in -90.0..90.0f64, lon in -180.0..180.0f64, bearing in 0.0..std::f64::consts::TAU, metres in 0.1..1e6f64,
        ) {
            let start = LatLon::new(lat, lon);
            let end = start.destination(bearing, metres);
            prop_assert!((-180.0..180.0).contains(&end.lon));
            prop_assert!((start.distance_to(end) - metres).abs() < 1e-3 + metres * 1e-6);
        }

        #[test]
        fn the_bearing_to_a_destination_is_the_one_that_led_there(
            lat in -80.0..80.0f64, lon in -180.0..180.0f64, bearing in -3.1..3.1f64, metres in 10.0..1e6f64,
        ) {
            let start = LatLon::new(lat, lon);
            let found = start.bearing_to(start.destination(bearing, metres));
            prop_assert!((found - bearing).abs() < 1e-4, "{} for {}", found, bearing);
        }
    }
}
