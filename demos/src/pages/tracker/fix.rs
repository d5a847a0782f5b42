use everwire_companion_api::tracker::Position;

use crate::map::LatLon;

/// A position as a device measures it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fix {
    pub(super) place: LatLon,
    /// Radius in metres of the circle in which the device is.
    pub(super) accuracy: f64,
}

impl From<Position> for Fix {
    fn from(Position { lat, lon, accuracy, .. }: Position) -> Self {
        Self { place: LatLon::new(lat, lon), accuracy }
    }
}
