//! Distances, ages and places as people read them.

use crate::map::LatLon;

/// A distance with as many digits as mean something: `8 m`, `340 m`, `1.2 km`, `878 km`.
pub(super) fn distance(metres: f64) -> String {
    match metres {
        metres if metres < 99.5 => format!("{metres:.0} m"),
        metres if metres < 995.0 => format!("{:.0} m", (metres / 10.0).round() * 10.0),
        metres if metres < 9_950.0 => format!("{:.1} km", metres / 1e3),
        metres => format!("{} km", crate::format::count((metres / 1e3).round() as u64)),
    }
}

/// How long ago something was, from its age in milliseconds. Clocks that are compared over a network disagree a little, so
/// an age below zero is now.
pub(super) fn age(ms: f64) -> String {
    match (ms / 1e3).floor().max(0.0) as u64 {
        0..2 => "now".to_owned(),
        seconds @ 2..60 => format!("{seconds} s ago"),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// A place in degrees, as precise as five decimals are: about a metre.
pub(super) fn place(place: LatLon) -> String {
    let side = |degrees: f64, positive, negative| if degrees < 0.0 { negative } else { positive };
    format!(
        "{:.5}° {}, {:.5}° {}",
        place.lat.abs(),
        side(place.lat, "N", "S"),
        place.lon.abs(),
        side(place.lon, "E", "W")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_lose_digits_as_they_grow() {
        let distances = [0.0, 7.6, 99.4, 99.6, 344.0, 994.0, 996.0, 1_234.0, 9_949.0, 9_951.0, 877_500.0, 1_234_567.0];
        assert_eq!(
            distances.map(distance),
            [
                "0 m", "8 m", "99 m", "100 m", "340 m", "990 m", "1.0 km", "1.2 km", "9.9 km", "10 km", "878 km",
                "1,235 km"
            ]
        );
    }

    #[test]
    fn ages_are_in_the_largest_unit_that_fits() {
        let ages = [-300.0, 0.0, 1_999.0, 2_000.0, 59_999.0, 60_000.0, 3_599e3, 3_600e3, 86_399e3, 86_400e3];
        assert_eq!(
            ages.map(age),
            ["now", "now", "now", "2 s ago", "59 s ago", "1 min ago", "59 min ago", "1 h ago", "23 h ago", "1 d ago"]
        );
    }

    #[test]
    fn places_name_their_hemispheres() {
        assert_eq!(place(LatLon::new(52.52, 13.405)), "52.52000° N, 13.40500° E");
        assert_eq!(place(LatLon::new(-33.8688, -70.64827)), "33.86880° S, 70.64827° W");
    }
}
