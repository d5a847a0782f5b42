//! A map of the world that works without internet: Natural Earth's outlines, painted into the tiles of a Leaflet map.
//!
//! # Layout
//! - [`lat_lon`], [`mercator`]: places on Earth and on the map
//! - [`outlines_file`], [`topology`], [`outlines`], [`country_name`]: reading `world-atlas`
//! - [`clip`], [`graticule`], [`tile_art`]: what is to be seen in a tile
//! - [`painter`], [`palette`]: a tile on a canvas, in the colours of the page
//! - [`leaflet`], [`options`]: the bindings, with `leaflet.js`
//! - [`view`], [`world_map`], [`pin`]: the map and what is on it
//! - [`tile_source`]: the address of a tile server

mod clip;
mod country_name;
mod graticule;
mod lat_lon;
mod leaflet;
mod mercator;
mod options;
mod outlines;
mod outlines_file;
mod painter;
mod palette;
mod pin;
mod tile_art;
mod tile_source;
mod topology;
mod view;
mod world_map;

pub(crate) use lat_lon::{EARTH_RADIUS, LatLon};
pub(crate) use outlines::Outlines;
pub(crate) use pin::Sight;
pub(crate) use tile_source::{TileSource, TileUrlError};
pub(crate) use view::{MapHandle, MapView};
pub(crate) use world_map::{Surroundings, WorldMap};
