use std::collections::BTreeMap;

use serde::Deserialize;

use super::LatLon;

/// A TopoJSON file of countries, as the npm package `world-atlas` has them: outlines are cut into arcs, and a border
/// is one arc that two countries share.
#[derive(Debug, Deserialize)]
pub(super) struct Topology {
    transform: Transform,
    /// Quantised points; each is the difference from the one before it.
    arcs: Vec<Vec<[i32; 2]>>,
    objects: Objects,
}

/// How quantised numbers become degrees.
#[derive(Debug, Deserialize)]
struct Transform {
    scale: [f64; 2],
    translate: [f64; 2],
}

#[derive(Debug, Deserialize)]
struct Objects {
    countries: Collection,
    land: Collection,
}

#[derive(Debug, Deserialize)]
struct Collection {
    geometries: Vec<Geometry>,
}

/// An arc's index in a ring; `!index` is the arc backwards.
type Reference = i32;

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Geometry {
    Polygon {
        arcs: Vec<Vec<Reference>>,
        #[serde(default)]
        properties: Properties,
    },
    MultiPolygon {
        arcs: Vec<Vec<Vec<Reference>>>,
        #[serde(default)]
        properties: Properties,
    },
}

#[derive(Debug, Default, Deserialize)]
struct Properties {
    #[serde(default)]
    name: String,
}

/// An area on Earth: its outline, then the outlines of its holes.
pub(super) type Rings = Vec<Vec<LatLon>>;

impl Topology {
    /// Each connected piece of land.
    pub(super) fn land(&self) -> Vec<Rings> {
        self.objects.land.geometries.iter().flat_map(|geometry| geometry.areas()).map(|area| self.rings(area)).collect()
    }

    /// Each country's name and pieces.
    pub(super) fn countries(&self) -> Vec<(&str, Vec<Rings>)> {
        let pieces = |geometry: &Geometry| geometry.areas().map(|area| self.rings(area)).collect();
        self.objects.countries.geometries.iter().map(|country| (country.name(), pieces(country))).collect()
    }

    /// The lines where two countries meet: the arcs that are used twice.
    pub(super) fn borders(&self) -> Vec<Vec<LatLon>> {
        let mut uses: BTreeMap<usize, u32> = BTreeMap::new();
        let areas = self.objects.countries.geometries.iter().flat_map(|country| country.areas());
        for reference in areas.flatten().flatten() {
            *uses.entry(index(*reference)).or_default() += 1;
        }
        uses.into_iter().filter(|(_, count)| *count > 1).map(|(arc, _)| self.arc(arc)).collect()
    }

    fn rings(&self, area: &[Vec<Reference>]) -> Rings {
        area.iter().map(|ring| self.ring(ring)).collect()
    }

    /// Joins arcs; each begins with the point that the one before it ends with.
    fn ring(&self, references: &[Reference]) -> Vec<LatLon> {
        let mut ring: Vec<LatLon> = Vec::new();
        for reference in references {
            let mut arc = self.arc(index(*reference));
            if *reference < 0 {
                arc.reverse();
            }
            ring.pop();
            ring.append(&mut arc);
        }
        ring
    }

    /// An arc in degrees; one that the file lacks is empty.
    fn arc(&self, index: usize) -> Vec<LatLon> {
        let Transform { scale, translate } = &self.transform;
        let (mut x, mut y) = (0, 0);
        let points = self.arcs.get(index).map_or(&[][..], Vec::as_slice);
        let place = |[dx, dy]: &[i32; 2]| {
            (x, y) = (x + dx, y + dy);
            LatLon::new(f64::from(y) * scale[1] + translate[1], f64::from(x) * scale[0] + translate[0])
        };
        points.iter().map(place).collect()
    }
}

impl Geometry {
    fn areas(&self) -> impl Iterator<Item = &[Vec<Reference>]> {
        let (one, many) = match self {
            Self::Polygon { arcs, .. } => (Some(arcs.as_slice()), None),
            Self::MultiPolygon { arcs, .. } => (None, Some(arcs.iter().map(Vec::as_slice))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    fn name(&self) -> &str {
        match self {
            Self::Polygon { properties, .. } | Self::MultiPolygon { properties, .. } => &properties.name,
        }
    }
}

fn index(reference: Reference) -> usize {
    let index = if reference < 0 { !reference } else { reference };
    index.unsigned_abs() as usize
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two square countries side by side, West and East, which share the arc 0 (10° east, from 0° to 10° north).
    pub(in crate::map) const TWO_SQUARES: &str = r#"{
        "type": "Topology",
        "transform": {"scale": [1, 1], "translate": [0, 0]},
        "arcs": [[[10, 0], [0, 10]], [[10, 10], [-10, 0], [0, -10], [10, 0]], [[10, 0], [10, 0], [0, 10], [-10, 0]]],
        "objects": {
            "countries": {"type": "GeometryCollection", "geometries": [
                {"type": "Polygon", "arcs": [[0, 1]], "id": "1", "properties": {"name": "West"}},
                {"type": "MultiPolygon", "arcs": [[[2, -1]]], "id": "2", "properties": {"name": "East"}}
            ]},
            "land": {"type": "GeometryCollection", "geometries": [{"type": "MultiPolygon", "arcs": [[[2, 1]]]}]}
        }
    }"#;

    fn topology() -> Topology {
        serde_json::from_str(TWO_SQUARES).unwrap()
    }

    fn corners(ring: &[LatLon]) -> Vec<(f64, f64)> {
        ring.iter().map(|place| (place.lon, place.lat)).collect()
    }

    #[test]
    fn a_ring_is_closed_and_repeats_no_point_between_its_arcs() {
        let topology = topology();
        let countries = topology.countries();
        assert_eq!(countries[0].0, "West");
        let west = corners(&countries[0].1[0][0]);
        assert_eq!(west, [(10.0, 0.0), (10.0, 10.0), (0.0, 10.0), (0.0, 0.0), (10.0, 0.0)]);
    }

    #[test]
    fn a_negative_reference_is_the_arc_backwards() {
        let topology = topology();
        let east = corners(&topology.countries()[1].1[0][0]);
        assert_eq!(east, [(10.0, 0.0), (20.0, 0.0), (20.0, 10.0), (10.0, 10.0), (10.0, 0.0)]);
    }

    #[test]
    fn only_the_arc_of_two_countries_is_a_border() {
        let borders = topology().borders();
        assert_eq!(borders.len(), 1);
        assert_eq!(corners(&borders[0]), [(10.0, 0.0), (10.0, 10.0)]);
    }

    #[test]
    fn land_has_no_inner_borders() {
        let land = topology().land();
        assert_eq!(land.len(), 1);
        assert!(!corners(&land[0][0]).windows(2).any(|pair| pair[0].0 == 10.0 && pair[1].0 == 10.0));
    }
}
