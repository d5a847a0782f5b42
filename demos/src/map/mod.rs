mod clip;
mod country_name;
mod graticule;
mod lat_lon;
mod mercator;
mod outlines;
mod tile_art;
mod tile_source;
mod topology;

pub(crate) use lat_lon::{EARTH_RADIUS, LatLon};
pub(crate) use outlines::Outlines;
pub(crate) use tile_source::{TileSource, TileUrlError};
