use super::LatLon;
use super::clip::Rect;
use super::country_name::CountryName;
use super::mercator::{CIRCUMFERENCE, Point, project};
use super::topology::{Rings, Topology};

/// How far beyond the map's edge an outline goes around a pole, so that its line is out of sight.
const BEYOND: f64 = 0.01;

/// The world's land, borders and names, projected once and ready to be cut into tiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlines {
    pub(super) land: Vec<Area>,
    pub(super) borders: Vec<Line>,
    pub(super) names: Vec<CountryName>,
}

/// A connected piece of land: its outline, then the outlines of its holes.
#[derive(Clone, Debug)]
pub(super) struct Area {
    pub(super) rings: Vec<Vec<Point>>,
    pub(super) bounds: Rect,
}

/// A border between two countries.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) points: Vec<Point>,
    pub(super) bounds: Rect,
}

impl Outlines {
    /// Reads the TopoJSON text of `world-atlas`.
    pub(crate) fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let topology: Topology = serde_json::from_str(json)?;
        let names = topology.countries().into_iter().filter_map(|(name, pieces)| {
            let areas = pieces.iter().map(Area::project);
            let largest = areas.max_by(|a, b| a.extent().total_cmp(&b.extent()))?;
            CountryName::place(name, &largest.rings)
        });
        Ok(Self {
            names: names.collect(),
            land: topology.land().iter().map(Area::project).collect(),
            borders: topology.borders().iter().map(|places| Line::project(places)).collect(),
        })
    }

    /// How far the nearest coast or border is from a place, in metres on the map at that place; none where there is no line.
    pub(super) fn nearest_line(&self, place: LatLon) -> Option<f64> {
        let here = project(place.normalised());
        let coasts = self.land.iter().flat_map(|area| area.rings.iter().map(|ring| (ring, &area.bounds)));
        let borders = self.borders.iter().map(|line| (&line.points, &line.bounds));
        let mut nearest = f64::INFINITY;
        for (points, bounds) in coasts.chain(borders) {
            // The line may be nearest in the neighbouring copy of the world.
            for here in [-1.0, 0.0, 1.0].map(|shift| Point::new(here.x + shift, here.y)) {
                if bounds.distance_to(here) < nearest {
                    nearest = points.windows(2).map(|side| here.distance_to(side[0], side[1])).fold(nearest, f64::min);
                }
            }
        }
        nearest.is_finite().then(|| nearest * CIRCUMFERENCE * place.lat.to_radians().cos())
    }
}

impl Area {
    fn project(rings: &Rings) -> Self {
        let rings: Vec<_> = rings.iter().map(|ring| closed_over_pole(unwrapped(ring))).collect();
        let bounds = Rect::around(rings.iter().flatten().copied());
        Self { rings, bounds }
    }

    /// How large the area looks on the map, by the shoelace formula.
    fn extent(&self) -> f64 {
        let outline = self.rings.first().map_or(&[][..], Vec::as_slice);
        outline.windows(2).map(|side| side[0].x * side[1].y - side[1].x * side[0].y).sum::<f64>().abs()
    }
}

impl Line {
    fn project(places: &[LatLon]) -> Self {
        let points = unwrapped(places);
        Self { bounds: Rect::around(points.iter().copied()), points }
    }
}

/// Projects a line so that it goes on beyond ±180° where it crosses the antimeridian. The outlines of `world-atlas` are
/// joined across it, and jump from one edge of the world to the other there.
fn unwrapped(places: &[LatLon]) -> Vec<Point> {
    let mut previous: Option<LatLon> = None;
    let continued = places.iter().map(|place| {
        let place = previous.map_or(*place, |reference| place.nearest_copy_to(reference));
        previous = Some(place);
        project(place)
    });
    continued.collect()
}

/// Leads a ring around the Earth, which does not close on a map, along the map's edge: Antarctica is all that is south of
/// its coast.
fn closed_over_pole(mut ring: Vec<Point>) -> Vec<Point> {
    let (Some(first), Some(last)) = (ring.first().copied(), ring.last().copied()) else { return ring };
    if (last.x - first.x).abs() > 0.5 {
        let edge = if first.y > 0.5 { 1.0 + BEYOND } else { -BEYOND };
        ring.extend([Point::new(last.x, edge), Point::new(first.x, edge), first]);
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::super::topology::tests::TWO_SQUARES;
    use super::*;

    #[test]
    fn an_outline_across_the_antimeridian_stays_in_one_piece() {
        let island = [(178.0, 0.0), (-178.0, 0.0), (-178.0, 2.0), (178.0, 2.0), (178.0, 0.0)];
        let places: Vec<_> = island.iter().map(|(lon, lat)| LatLon::new(*lat, *lon)).collect();
        let area = Area::project(&vec![places]);
        assert!((area.bounds.max.x - area.bounds.min.x - 4.0 / 360.0).abs() < 1e-12, "{:?}", area.bounds);
    }

    #[test]
    fn land_around_a_pole_reaches_it() {
        let coast = [-180.0, -90.0, 0.0, 90.0, 180.0].map(|lon| LatLon::new(-70.0, lon));
        let area = Area::project(&vec![coast.to_vec()]);
        assert!(area.bounds.max.y > 1.0, "{:?}", area.bounds);
        let height = 1.0 + BEYOND - project(coast[0]).y;
        assert!((area.extent() / 2.0 - height).abs() < 1e-12, "{}", area.extent());
    }

    #[test]
    fn every_part_of_the_file_is_read() {
        let outlines = Outlines::parse(TWO_SQUARES).unwrap();
        assert_eq!((outlines.land.len(), outlines.borders.len()), (1, 1));
        let names: Vec<_> = outlines.names.iter().map(|name| name.text.as_str()).collect();
        assert_eq!(names, ["West", "East"]);
    }

    #[test]
    fn the_nearest_line_is_the_nearest_coast_or_border_in_any_copy_of_the_world() {
        let outlines = Outlines::parse(TWO_SQUARES).unwrap();
        let kilometres = |lat, lon| outlines.nearest_line(LatLon::new(lat, lon)).unwrap() / 1e3;
        // A degree of the equator is 111 km.
        assert!((kilometres(5.0, 11.0) - 110.7).abs() < 1.0, "{} from the border", kilometres(5.0, 11.0));
        assert!((kilometres(0.5, 15.0) - 55.6).abs() < 1.0, "{} from the coast", kilometres(0.5, 15.0));
        assert!((kilometres(0.0, 361.0) - kilometres(0.0, 1.0)).abs() < 1e-6);
        assert!((kilometres(5.0, 179.0) / kilometres(5.0, -159.0) - 1.0).abs() < 0.01, "both are 159° from a coast");
        assert_eq!(Outlines::default().nearest_line(LatLon::new(0.0, 0.0)), None);
    }

    #[test]
    fn what_is_not_topojson_is_refused() {
        assert!(Outlines::parse("<!doctype html>").is_err());
    }
}
