//! What the visitor chose on this page, kept for the next visit. That they shared is not kept: a visit begins without.

use super::precision::Precision;
use crate::map::TileSource;
use crate::storage;

const PRECISION: &str = "tracker.precision";
const TILES: &str = "tracker.tiles";

pub(super) fn precision() -> Precision {
    storage::read(PRECISION).and_then(|key| Precision::from_key(&key)).unwrap_or_default()
}

pub(super) fn keep_precision(precision: Precision) {
    storage::write(PRECISION, Some(precision.key()));
}

pub(super) fn tiles() -> Option<TileSource> {
    serde_json::from_str(&storage::read(TILES)?).ok()
}

pub(super) fn keep_tiles(tiles: Option<&TileSource>) {
    let json = tiles.and_then(|tiles| serde_json::to_string(tiles).ok());
    storage::write(TILES, json.as_deref());
}
