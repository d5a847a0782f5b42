use super::LatLon;
use super::clip::Rect;
use super::country_name::CountryName;
use super::mercator::{Point, project};
use super::topology::{Rings, Topology};

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
}

impl Area {
    fn project(rings: &Rings) -> Self {
        let rings: Vec<_> = rings.iter().map(|ring| unwrapped(ring)).collect();
        let bounds = Rect::around(rings.iter().flatten().copied());
        Self { rings, bounds }
    }

    /// How large the area looks on the map.
    fn extent(&self) -> f64 {
        (self.bounds.max.x - self.bounds.min.x) * (self.bounds.max.y - self.bounds.min.y)
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
    fn every_part_of_the_file_is_read() {
        let outlines = Outlines::parse(TWO_SQUARES).unwrap();
        assert_eq!((outlines.land.len(), outlines.borders.len()), (1, 1));
        let names: Vec<_> = outlines.names.iter().map(|name| name.text.as_str()).collect();
        assert_eq!(names, ["West", "East"]);
    }

    #[test]
    fn what_is_not_topojson_is_refused() {
        assert!(Outlines::parse("<!doctype html>").is_err());
    }
}
