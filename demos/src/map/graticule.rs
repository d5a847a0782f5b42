use super::LatLon;
use super::clip::Rect;
use super::mercator::{MAX_LATITUDE, project, unproject};

/// Least distance between two meridians on the screen, in pixels, and what each decimal of the labels adds: enough for a
/// label in each field.
const FIELD: f64 = 84.0;
const FIELD_PER_DECIMAL: f64 = 17.0;

/// From this step on the lines have no labels: on a map of the world the countries' names say enough.
const COARSE: f64 = 30.0;

/// Steps between lines below a degree: these digits, at this many decimals.
const DIGITS: [f64; 3] = [1.0, 2.0, 5.0];
const DECIMALS: [usize; 4] = [4, 3, 2, 1];

/// Steps from a degree on.
const WHOLE: [f64; 6] = [1.0, 2.0, 5.0, 10.0, 30.0, 90.0];

/// Meridians and parallels at a step that suits the zoom. They give the eye a hold where outlines have nothing to show,
/// as in the middle of a country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Graticule {
    step: f64,
    decimals: usize,
}

/// A meridian or a parallel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GridLine {
    /// In degrees as written: `13.4° E`.
    pub(super) label: String,
    /// Its x or y in the projected world.
    pub(super) at: f64,
}

impl Graticule {
    /// The one for a world that is `world` pixels wide.
    pub(super) fn for_world(world: f64) -> Self {
        let fine = DECIMALS
            .into_iter()
            .flat_map(|decimals| DIGITS.map(|digit| Self { step: digit / 10.0_f64.powi(decimals as i32), decimals }));
        let whole = WHOLE.map(|step| Self { step, decimals: 0 });
        let is_wide_enough = |grid: &Self| {
            let field = FIELD + FIELD_PER_DECIMAL * grid.decimals as f64;
            world * grid.step / 360.0 >= field
        };
        fine.chain(whole).find(is_wide_enough).unwrap_or(Self { step: 90.0, decimals: 0 })
    }

    pub(super) fn has_labels(&self) -> bool {
        self.step < COARSE
    }

    /// The meridians across `bounds`.
    pub(super) fn meridians(&self, bounds: &Rect) -> Vec<GridLine> {
        let (west, east) = (unproject(bounds.min).lon, unproject(bounds.max).lon);
        let line = |lon: f64| GridLine {
            label: self.label(super::lat_lon::wrap(lon), "E", "W"),
            at: project(LatLon::new(0.0, lon)).x,
        };
        self.multiples(west, east).map(line).collect()
    }

    /// The parallels across `bounds`.
    pub(super) fn parallels(&self, bounds: &Rect) -> Vec<GridLine> {
        let (north, south) = (unproject(bounds.min).lat, unproject(bounds.max).lat);
        let line = |lat: f64| GridLine { label: self.label(lat, "N", "S"), at: project(LatLon::new(lat, 0.0)).y };
        self.multiples(south.max(-MAX_LATITUDE), north.min(MAX_LATITUDE)).map(line).collect()
    }

    fn multiples(self, from: f64, to: f64) -> impl Iterator<Item = f64> {
        let first = (from / self.step).ceil() as i64;
        let last = (to / self.step).floor() as i64;
        (first..=last).map(move |multiple| multiple as f64 * self.step)
    }

    fn label(self, degrees: f64, positive: &str, negative: &str) -> String {
        let is_on_zero = degrees.abs() < self.step / 2.0;
        let side = if is_on_zero {
            ""
        } else if degrees > 0.0 {
            positive
        } else {
            negative
        };
        let label = format!("{:.*}° {side}", self.decimals, degrees.abs());
        label.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::mercator::Point;
    use super::*;

    fn labels(lines: &[GridLine]) -> Vec<&str> {
        lines.iter().map(|line| line.label.as_str()).collect()
    }

    #[test]
    fn fields_are_wide_enough_for_a_label_at_every_zoom() {
        for zoom in 1..=18 {
            let world = 256.0 * f64::from(1 << zoom);
            let width = world * Graticule::for_world(world).step / 360.0;
            assert!((FIELD..=FIELD * 5.0).contains(&width), "{width} at zoom {zoom}");
        }
    }

    #[test]
    fn lines_have_the_hemisphere_and_only_the_digits_that_tell_them_apart() {
        let berlin = Rect { min: project(LatLon::new(52.531, 13.389)), max: project(LatLon::new(52.509, 13.421)) };
        let grid = Graticule { step: 0.01, decimals: 2 };
        assert_eq!(labels(&grid.meridians(&berlin)), ["13.39° E", "13.40° E", "13.41° E", "13.42° E"]);
        assert_eq!(labels(&grid.parallels(&berlin)), ["52.51° N", "52.52° N", "52.53° N"]);
    }

    #[test]
    fn the_meridians_of_the_next_world_are_called_by_their_own_names() {
        let pacific = Rect { min: project(LatLon::new(1.0, 169.0)), max: project(LatLon::new(-1.0, 191.0)) };
        let grid = Graticule { step: 10.0, decimals: 0 };
        assert_eq!(labels(&grid.meridians(&pacific)), ["170° E", "180° W", "170° W"]);
    }

    #[test]
    fn the_equator_is_in_no_hemisphere() {
        let grid = Graticule { step: 30.0, decimals: 0 };
        let world = Rect { min: Point::new(0.0, 0.0), max: Point::new(1.0, 1.0) };
        assert_eq!(labels(&grid.parallels(&world)), ["60° S", "30° S", "0°", "30° N", "60° N"]);
    }
}
