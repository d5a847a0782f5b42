use super::mercator::Point;

/// How many lines across a country are tried for its name.
const SCAN_LINES: u32 = 24;

/// Lines at least this part of the widest are wide enough.
const WIDE_ENOUGH: f64 = 0.72;

/// A country's name, with the place and the room for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CountryName {
    pub(super) text: String,
    /// The middle of a line through the country from west to east, for names are written that way. Of those that are
    /// wide enough, it is the one nearest to the country's own middle.
    pub(super) at: Point,
    /// That line's length, in widths of the world.
    pub(super) room: f64,
}

impl CountryName {
    /// Finds the place for `text` in an area (its outline, then its holes); none without a name or an area.
    pub(super) fn place(text: &str, rings: &[Vec<Point>]) -> Option<Self> {
        let outline = rings.first().filter(|_| !text.is_empty())?;
        let ys = || outline.iter().map(|point| point.y);
        let (top, bottom) = (ys().fold(f64::INFINITY, f64::min), ys().fold(f64::NEG_INFINITY, f64::max));
        let lines = (1..SCAN_LINES).map(|line| top + (bottom - top) * f64::from(line) / f64::from(SCAN_LINES));
        let runs: Vec<_> = lines.flat_map(|y| runs(rings, y).into_iter().map(move |run| (run, y))).collect();
        let length = |((from, to), _): &((f64, f64), f64)| to - from;
        let widest = runs.iter().map(length).max_by(f64::total_cmp)?;
        let middle = runs.iter().map(|run| length(run) * run.1).sum::<f64>() / runs.iter().map(length).sum::<f64>();
        let ((from, to), y) = *runs
            .iter()
            .filter(|run| length(run) >= WIDE_ENOUGH * widest)
            .min_by(|(_, a), (_, b)| (a - middle).abs().total_cmp(&(b - middle).abs()))?;
        let (room, at) = (to - from, Point::new((from + to) / 2.0, y));
        Some(Self { text: text.to_owned(), at, room })
    }
}

/// The stretches of the horizontal line at `y` that are within the area.
fn runs(rings: &[Vec<Point>], y: f64) -> Vec<(f64, f64)> {
    let sides = rings.iter().flat_map(|ring| ring.windows(2)).filter(|side| (side[0].y > y) != (side[1].y > y));
    let crossing = |side: &[Point]| side[0].x + (side[1].x - side[0].x) * (y - side[0].y) / (side[1].y - side[0].y);
    let mut crossings: Vec<f64> = sides.map(crossing).collect();
    crossings.sort_by(f64::total_cmp);
    crossings.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(xy: &[(f64, f64)]) -> Vec<Point> {
        xy.iter().map(|(x, y)| Point::new(*x, *y)).collect()
    }

    #[test]
    fn the_name_of_an_l_shaped_country_is_in_its_wide_part() {
        let outline = ring(&[(0.0, 0.0), (1.0, 0.0), (1.0, 7.0), (5.0, 7.0), (5.0, 10.0), (0.0, 10.0), (0.0, 0.0)]);
        let name = CountryName::place("L", &[outline]).unwrap();
        assert!(name.room == 5.0 && name.at.x == 2.5 && name.at.y > 7.0, "{name:?}");
    }

    #[test]
    fn the_name_of_a_square_country_is_in_its_middle() {
        let outline = ring(&[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)]);
        let name = CountryName::place("Square", &[outline]).unwrap();
        assert!(name.at.x == 2.0 && (name.at.y - 2.0).abs() < 0.2, "{name:?}");
    }

    #[test]
    fn a_hole_is_no_room_for_a_name() {
        let outline = ring(&[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)]);
        let hole = ring(&[(1.0, -1.0), (2.0, -1.0), (2.0, 5.0), (1.0, 5.0), (1.0, -1.0)]);
        let name = CountryName::place("Ring", &[outline, hole]).unwrap();
        assert!(name.room == 2.0 && name.at.x == 3.0, "{name:?}");
    }

    #[test]
    fn a_country_without_a_name_gets_none() {
        assert_eq!(CountryName::place("", &[ring(&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)])]), None);
    }
}
