use super::{EARTH_RADIUS, LatLon};

/// Northernmost latitude of the map: where Web Mercator's world is a square.
pub(crate) const MAX_LATITUDE: f64 = 85.051_128_779_806_59;

/// The world's width where it is true to scale, on the equator, in metres.
pub(super) const CIRCUMFERENCE: f64 = std::f64::consts::TAU * EARTH_RADIUS;

/// A point of the projected world: both axes run from 0 (north-west) to 1, and x goes on beyond that into the
/// neighbouring copies of the world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

impl Point {
    pub(crate) const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// How far the nearest point of a line between two points is.
    pub(super) fn distance_to(self, from: Self, to: Self) -> f64 {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length = dx * dx + dy * dy;
        let along = ((self.x - from.x) * dx + (self.y - from.y) * dy) / length;
        // Where both ends are one point, the division gives no number, and that point is as near as any.
        let along = if length > 0.0 { along.clamp(0.0, 1.0) } else { 0.0 };
        (from.x + along * dx - self.x).hypot(from.y + along * dy - self.y)
    }
}

/// Projects by Web Mercator, as Leaflet and the tile servers do.
pub(crate) fn project(place: LatLon) -> Point {
    let lat = place.lat.clamp(-MAX_LATITUDE, MAX_LATITUDE).to_radians();
    let north = (std::f64::consts::FRAC_PI_4 + lat / 2.0).tan().ln() / std::f64::consts::PI;
    Point::new((place.lon + 180.0) / 360.0, (1.0 - north) / 2.0)
}

/// The place that projects to `point`; its longitude may be beyond ±180°.
pub(crate) fn unproject(point: Point) -> LatLon {
    let lat = (std::f64::consts::PI * (1.0 - 2.0 * point.y)).sinh().atan();
    LatLon::new(lat.to_degrees(), point.x * 360.0 - 180.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_middle_of_the_world_is_on_the_equator_and_its_corner_at_the_maximum_latitude() {
        assert_eq!(project(LatLon::new(0.0, 0.0)), Point::new(0.5, 0.5));
        let corner = project(LatLon::new(90.0, -180.0));
        assert!(corner.x == 0.0 && corner.y.abs() < 1e-12, "{corner:?}");
    }

    #[test]
    fn a_line_is_as_far_as_its_nearest_point() {
        let distance = |x, y| Point::new(x, y).distance_to(Point::new(0.0, 0.0), Point::new(2.0, 0.0));
        assert_eq!([distance(1.0, 3.0), distance(5.0, 4.0), distance(-3.0, 4.0)], [3.0, 5.0, 5.0]);
        let point = Point::new(0.0, 3.0);
        assert_eq!(Point::new(4.0, 0.0).distance_to(point, point), 5.0);
    }

    proptest! {
        #[test]
        fn unproject_undoes_project(lat in -85.0..85.0f64, lon in -540.0..540.0f64) {
            let back = unproject(project(LatLon::new(lat, lon)));
            prop_assert!((back.lat - lat).abs() < 1e-9 && (back.lon - lon).abs() < 1e-9);
        }
    }
}
