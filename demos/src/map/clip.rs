use super::mercator::Point;

/// An upright rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) min: Point,
    pub(super) max: Point,
}

impl Rect {
    /// The smallest one around all points; inside out, and so touching nothing, without any.
    pub(super) fn around(points: impl IntoIterator<Item = Point>) -> Self {
        let nothing = Self {
            min: Point::new(f64::INFINITY, f64::INFINITY),
            max: Point::new(f64::NEG_INFINITY, f64::NEG_INFINITY),
        };
        points.into_iter().fold(nothing, |rect, point| Self {
            min: Point::new(rect.min.x.min(point.x), rect.min.y.min(point.y)),
            max: Point::new(rect.max.x.max(point.x), rect.max.y.max(point.y)),
        })
    }

    /// How far it is from a point, 0 within it.
    pub(super) fn distance_to(&self, point: Point) -> f64 {
        let beyond = |at: f64, min: f64, max: f64| (min - at).max(at - max).max(0.0);
        beyond(point.x, self.min.x, self.max.x).hypot(beyond(point.y, self.min.y, self.max.y))
    }
}

/// The part of an area's outline within `rect` (Sutherland and Hodgman). Where the outline leaves the rectangle, the
/// result follows the rectangle's sides, so fill it, but stroke it only where those are out of sight.
pub(super) fn ring(points: Vec<Point>, rect: &Rect) -> Vec<Point> {
    let Rect { min, max } = *rect;
    let points = half_plane(points, |point| point.x - min.x);
    let points = half_plane(points, |point| max.x - point.x);
    let points = half_plane(points, |point| point.y - min.y);
    half_plane(points, |point| max.y - point.y)
}

/// The parts of a line within `rect` (Liang and Barsky, segment by segment).
pub(super) fn line(points: &[Point], rect: &Rect) -> Vec<Vec<Point>> {
    let mut parts: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = segment(pair[0], pair[1], rect) else { continue };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&from) => part.push(to),
            _ => parts.push(vec![from, to]),
        }
    }
    parts
}

/// What of a ring is on the side of a line where `inside` is not negative.
fn half_plane(points: Vec<Point>, inside: impl Fn(Point) -> f64) -> Vec<Point> {
    if points.iter().all(|point| inside(*point) >= 0.0) {
        return points;
    }
    let mut kept = Vec::new();
    let Some(mut previous) = points.last().copied() else { return kept };
    for point in points {
        let (before, now) = (inside(previous), inside(point));
        if (before < 0.0) != (now < 0.0) {
            kept.push(between(previous, point, before / (before - now)));
        }
        if now >= 0.0 {
            kept.push(point);
        }
        previous = point;
    }
    kept
}

fn segment(from: Point, to: Point, rect: &Rect) -> Option<(Point, Point)> {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let sides =
        [(-dx, from.x - rect.min.x), (dx, rect.max.x - from.x), (-dy, from.y - rect.min.y), (dy, rect.max.y - from.y)];
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    for (slope, room) in sides {
        if slope == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if slope < 0.0 {
            start = start.max(room / slope);
        } else {
            end = end.min(room / slope);
        }
    }
    let from_there = if start == 0.0 { from } else { between(from, to, start) };
    let to_there = if end == 1.0 { to } else { between(from, to, end) };
    (start <= end).then_some((from_there, to_there))
}

fn between(from: Point, to: Point, part: f64) -> Point {
    Point::new(from.x + (to.x - from.x) * part, from.y + (to.y - from.y) * part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNIT: Rect = Rect { min: Point::new(0.0, 0.0), max: Point::new(1.0, 1.0) };

    fn points(xy: &[(f64, f64)]) -> Vec<Point> {
        xy.iter().map(|(x, y)| Point::new(*x, *y)).collect()
    }

    fn area(ring: &[Point]) -> f64 {
        let next = ring.iter().cycle().skip(1);
        ring.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f64>().abs() / 2.0
    }

    #[test]
    fn a_ring_around_the_rectangle_becomes_the_rectangle() {
        let clipped = ring(points(&[(-5.0, -5.0), (5.0, -5.0), (5.0, 5.0), (-5.0, 5.0)]), &UNIT);
        assert!((area(&clipped) - 1.0).abs() < 1e-12, "{clipped:?}");
    }

    #[test]
    fn a_ring_beside_the_rectangle_vanishes() {
        assert!(ring(points(&[(2.0, 0.0), (3.0, 0.0), (3.0, 1.0)]), &UNIT).is_empty());
    }

    #[test]
    fn half_of_a_ring_that_sticks_out_remains() {
        let clipped = ring(points(&[(0.5, 0.2), (1.5, 0.2), (1.5, 0.8), (0.5, 0.8)]), &UNIT);
        assert!((area(&clipped) - 0.3).abs() < 1e-12, "{clipped:?}");
    }

    #[test]
    fn a_line_that_leaves_and_returns_has_two_parts() {
        let parts = line(&points(&[(0.5, 0.5), (2.0, 0.5), (2.0, 0.8), (0.5, 0.8)]), &UNIT);
        assert_eq!(parts, [points(&[(0.5, 0.5), (1.0, 0.5)]), points(&[(1.0, 0.8), (0.5, 0.8)])]);
    }

    #[test]
    fn a_line_inside_stays_in_one_part() {
        let inside = points(&[(0.1, 0.1), (0.2, 0.3), (0.9, 0.3)]);
        assert_eq!(line(&inside, &UNIT), [inside]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_left_is_outside(xy in proptest::collection::vec((-2.0..3.0f64, -2.0..3.0f64), 3..20)) {
            let ring_left = ring(points(&xy), &UNIT);
            let lines_left = line(&points(&xy), &UNIT).concat();
            for point in ring_left.into_iter().chain(lines_left) {
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&point.x) && (-1e-9..=1.0 + 1e-9).contains(&point.y));
            }
        }
    }
}
