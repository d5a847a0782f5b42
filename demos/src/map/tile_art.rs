use super::clip::{self, Rect};
use super::graticule::Graticule;
use super::mercator::Point;
use super::outlines::Outlines;

/// How far beyond the tile's edge shapes are kept, in pixels: more than half of any line's width, so that the false
/// edges that clipping makes are out of sight.
const MARGIN: f64 = 4.0;

/// Points nearer to the one before than this are left out, in pixels.
const DETAIL: f64 = 0.6;

/// Half of the largest label, in pixels: labels with their middle this near are drawn in the neighbouring tiles too.
const LABEL_REACH: f64 = 160.0;

/// Width of a letter of its size, on average and with some air around the name.
const LETTER: f64 = 0.66;

/// Sizes of names in pixels: smaller ones cannot be read, and larger ones shout.
const SMALLEST: f64 = 9.5;
const LARGEST: f64 = 15.0;

/// Which square of the map to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) zoom: f64,
    /// Length of a side in pixels.
    pub(super) side: f64,
}

/// What is to be seen in a tile, in pixels from its north-western corner.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TileArt {
    /// Areas to be filled by the even-odd rule.
    pub(super) land: Vec<Vec<Vec<Point>>>,
    pub(super) borders: Vec<Vec<Point>>,
    pub(super) grid: Vec<Vec<Point>>,
    pub(super) grid_labels: Vec<Label>,
    pub(super) names: Vec<Label>,
}

/// Text around a point.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label {
    pub(super) text: String,
    pub(super) at: Point,
    /// Height of the letters in pixels.
    pub(super) size: f64,
}

impl Tile {
    /// The world's width at this zoom, in pixels.
    fn world(&self) -> f64 {
        256.0 * self.zoom.exp2()
    }

    /// The part of the projected world within `margin` pixels of the tile.
    fn bounds(&self, margin: f64) -> Rect {
        let at = |tile: i32, extra: f64| (f64::from(tile) * self.side + extra) / self.world();
        Rect {
            min: Point::new(at(self.x, -margin), at(self.y, -margin)),
            max: Point::new(at(self.x, self.side + margin), at(self.y, self.side + margin)),
        }
    }

    /// Where a point of the world, `shift` worlds to the east, is in the tile.
    fn pixel(&self, point: Point, shift: f64) -> Point {
        Point::new(
            (point.x + shift) * self.world() - f64::from(self.x) * self.side,
            point.y * self.world() - f64::from(self.y) * self.side,
        )
    }

    /// The copies of a shape that may touch the tile: how many worlds each is to the east.
    fn copies(&self, bounds: &Rect, margin: f64) -> impl Iterator<Item = f64> + use<> {
        let tile = self.bounds(margin);
        let first = (tile.min.x - bounds.max.x).ceil() as i64;
        let last = (tile.max.x - bounds.min.x).floor() as i64;
        let is_in_rows = bounds.min.y <= tile.max.y && tile.min.y <= bounds.max.y;
        (first..=last).filter(move |_| is_in_rows).map(|shift| shift as f64)
    }

    /// Draws a line's or ring's points, without those that nobody could tell apart.
    fn pixels(&self, points: &[Point], shift: f64) -> Vec<Point> {
        let mut drawn: Vec<Point> = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let point = self.pixel(*point, shift);
            let is_new = drawn.last().is_none_or(|last| (point.x - last.x).abs() + (point.y - last.y).abs() > DETAIL);
            if is_new || index + 1 == points.len() {
                drawn.push(point);
            }
        }
        drawn
    }

    fn rect(&self) -> Rect {
        Rect { min: Point::new(-MARGIN, -MARGIN), max: Point::new(self.side + MARGIN, self.side + MARGIN) }
    }
}

impl TileArt {
    pub(super) fn new(outlines: &Outlines, tile: &Tile) -> Self {
        let mut art = Self::default();
        art.add_land(outlines, tile);
        art.add_borders(outlines, tile);
        art.add_grid(tile);
        art.add_names(outlines, tile);
        art
    }

    fn add_land(&mut self, outlines: &Outlines, tile: &Tile) {
        for area in &outlines.land {
            for shift in tile.copies(&area.bounds, MARGIN) {
                let rings = area.rings.iter().map(|ring| clip::ring(tile.pixels(ring, shift), &tile.rect()));
                let rings: Vec<_> = rings.filter(|ring| ring.len() > 2).collect();
                if !rings.is_empty() {
                    self.land.push(rings);
                }
            }
        }
    }

    fn add_borders(&mut self, outlines: &Outlines, tile: &Tile) {
        for border in &outlines.borders {
            for shift in tile.copies(&border.bounds, MARGIN) {
                self.borders.append(&mut clip::line(&tile.pixels(&border.points, shift), &tile.rect()));
            }
        }
    }

    /// Lines, and at each crossing where it is.
    fn add_grid(&mut self, tile: &Tile) {
        let graticule = Graticule::for_world(tile.world());
        let bounds = tile.bounds(LABEL_REACH);
        let (meridians, parallels) = (graticule.meridians(&bounds), graticule.parallels(&bounds));
        let Rect { min, max } = tile.rect();
        for meridian in &meridians {
            let x = tile.pixel(Point::new(meridian.at, 0.0), 0.0).x;
            self.grid.push(vec![Point::new(x, min.y), Point::new(x, max.y)]);
            for parallel in parallels.iter().filter(|_| graticule.has_labels()) {
                let at = tile.pixel(Point::new(meridian.at, parallel.at), 0.0);
                let text = format!("{}  {}", parallel.label, meridian.label);
                self.grid_labels.push(Label { text, at, size: 9.5 });
            }
        }
        for parallel in &parallels {
            let y = tile.pixel(Point::new(0.0, parallel.at), 0.0).y;
            self.grid.push(vec![Point::new(min.x, y), Point::new(max.x, y)]);
        }
    }

    fn add_names(&mut self, outlines: &Outlines, tile: &Tile) {
        for name in &outlines.names {
            let letters = name.text.chars().count() as f64;
            let size = (name.room * tile.world() / letters / LETTER).min(LARGEST);
            if size < SMALLEST {
                continue;
            }
            let spot = Rect::around([name.at]);
            for shift in tile.copies(&spot, LABEL_REACH) {
                self.names.push(Label { text: name.text.clone(), at: tile.pixel(name.at, shift), size });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::topology::tests::TWO_SQUARES;
    use super::*;

    fn art(x: i32, y: i32, zoom: f64) -> TileArt {
        TileArt::new(&Outlines::parse(TWO_SQUARES).unwrap(), &Tile { x, y, zoom, side: 256.0 })
    }

    fn west(art: &TileArt) -> f64 {
        art.land[0][0].iter().map(|point| point.x).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_whole_world_in_one_tile_has_the_land_at_its_place() {
        let art = art(0, 0, 0.0);
        assert_eq!(art.land.len(), 1);
        assert!((west(&art) - 128.0).abs() < 1e-9, "{}", west(&art));
    }

    #[test]
    fn the_worlds_to_both_sides_look_the_same() {
        assert_eq!(west(&art(0, 0, 0.0)), west(&art(3, 0, 0.0)));
        assert_eq!(west(&art(0, 0, 0.0)), west(&art(-2, 0, 0.0)));
    }

    #[test]
    fn a_tile_in_the_middle_of_land_is_filled_and_has_no_shore() {
        let (zoom, world) = (14.0, 256.0 * 14.0_f64.exp2());
        let inland = super::super::mercator::project(super::super::LatLon::new(5.0, 5.0));
        let at = |part: f64| (part * world / 256.0) as i32;
        let art = art(at(inland.x), at(inland.y), zoom);
        assert_eq!(art.land[0][0].len(), 4, "{:?}", art.land);
        assert!(art.borders.is_empty());
        assert!(art.grid.len() >= 2, "the grid gives the eye a hold where there is nothing else");
    }

    #[test]
    fn a_tile_at_sea_has_no_land() {
        assert_eq!(art(0, 0, 3.0).land, Vec::<Vec<Vec<Point>>>::new());
    }

    #[test]
    fn a_name_shows_as_soon_as_it_fits_and_not_before() {
        assert!(art(0, 0, 0.0).names.is_empty());
        let near: Vec<_> = art(8, 7, 4.0).names.into_iter().map(|name| name.text).collect();
        assert_eq!(near, ["West", "East"]);
    }
}
