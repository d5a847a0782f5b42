use crate::map::LatLon;

/// Where a simulated walk begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum StartPlace {
    Known(&'static KnownPlace),
    /// Wherever the visitor has moved the map.
    MiddleOfMap,
}

/// A square in a town.
#[derive(Debug, PartialEq)]
pub(super) struct KnownPlace {
    key: &'static str,
    name: &'static str,
    at: LatLon,
}

static KNOWN: [KnownPlace; 6] = [
    KnownPlace { key: "berlin", name: "Berlin, Alexanderplatz", at: LatLon::new(52.521_9, 13.413_2) },
    KnownPlace { key: "zurich", name: "Zürich, Paradeplatz", at: LatLon::new(47.369_7, 8.538_9) },
    KnownPlace { key: "new-york", name: "New York, Union Square", at: LatLon::new(40.735_9, -73.991_1) },
    KnownPlace { key: "sao-paulo", name: "São Paulo, Praça da Sé", at: LatLon::new(-23.550_3, -46.633_9) },
    KnownPlace { key: "nairobi", name: "Nairobi, City Square", at: LatLon::new(-1.288_3, 36.822_8) },
    KnownPlace { key: "tokyo", name: "Tokyo, Shibuya", at: LatLon::new(35.659_5, 139.700_4) },
];

const MIDDLE: &str = "middle";

impl StartPlace {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(Self::Known).chain([Self::MiddleOfMap])
    }

    pub(super) fn from_key(key: &str) -> Option<Self> {
        Self::all().find(|place| place.key() == key)
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Known(place) => place.key,
            Self::MiddleOfMap => MIDDLE,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Known(place) => place.name,
            Self::MiddleOfMap => "The middle of the map",
        }
    }

    /// The place, when the map's middle is at `middle`. Without a map, the first of the known places is as good as any.
    pub(super) fn at(self, middle: Option<LatLon>) -> LatLon {
        match (self, middle) {
            (Self::Known(place), _) => place.at,
            (Self::MiddleOfMap, Some(middle)) => middle.normalised(),
            (Self::MiddleOfMap, None) => KNOWN[0].at,
        }
    }
}

impl Default for StartPlace {
    fn default() -> Self {
        Self::Known(&KNOWN[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_by_its_key() {
        for place in StartPlace::all() {
            assert_eq!(StartPlace::from_key(place.key()), Some(place));
        }
    }

    #[test]
    fn the_middle_of_a_map_that_was_turned_around_the_earth_is_on_earth() {
        let middle = StartPlace::MiddleOfMap.at(Some(LatLon::new(10.0, 530.0)));
        assert_eq!(middle, LatLon::new(10.0, 170.0));
    }
}
