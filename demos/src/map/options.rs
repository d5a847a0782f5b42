//! The options of Leaflet's objects, by the names in its reference.

use serde::Serialize;
use wasm_bindgen::JsValue;

use super::TileSource;

/// The closest view, in Leaflet's zoom levels.
const MAX_ZOOM: f64 = 18.0;
/// How far north and south the map reaches: there is nothing beyond in its projection.
const MAX_LATITUDE: f64 = 85.06;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MapOptions {
    attribution_control: bool,
    max_bounds: [[f64; 2]; 2],
    max_bounds_viscosity: f64,
    max_zoom: f64,
    world_copy_jump: bool,
    zoom_control: bool,
}

impl MapOptions {
    /// A map that can be panned around the Earth without end, but not beyond its poles, and without controls.
    pub(super) fn around_the_earth() -> Self {
        Self {
            attribution_control: false,
            max_bounds: [[-MAX_LATITUDE, f64::NEG_INFINITY], [MAX_LATITUDE, f64::INFINITY]],
            max_bounds_viscosity: 1.0,
            max_zoom: MAX_ZOOM,
            world_copy_jump: true,
            zoom_control: false,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ZoomOptions {
    pub(super) position: &'static str,
}

#[derive(Serialize)]
pub(super) struct ScaleOptions {
    pub(super) imperial: bool,
    pub(super) position: &'static str,
}

#[derive(Serialize)]
pub(super) struct AttributionOptions {
    /// HTML.
    pub(super) prefix: &'static str,
}

/// A layer of tiles, of images or painted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayerOptions {
    /// HTML.
    attribution: String,
    class_name: &'static str,
    z_index: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_buffer: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tile_size: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detect_retina: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_zoom: Option<f64>,
}

impl LayerOptions {
    /// Outlines, below the images of a tile server.
    pub(super) fn painted(tile_size: f64) -> Self {
        Self {
            attribution: "Natural Earth".to_owned(),
            class_name: "map-painted",
            z_index: 0,
            keep_buffer: Some(1),
            tile_size: Some(tile_size),
            detect_retina: None,
            max_zoom: None,
        }
    }

    pub(super) fn images(source: &TileSource) -> Self {
        Self {
            attribution: source.attribution_html(),
            class_name: "map-tiles",
            z_index: 1,
            keep_buffer: None,
            tile_size: None,
            detect_retina: Some(source.url().contains("{r}")),
            max_zoom: Some(MAX_ZOOM),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IconOptions {
    pub(super) class_name: String,
    /// An element.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub(super) html: JsValue,
    pub(super) icon_size: [u32; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MarkerOptions {
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub(super) icon: JsValue,
    pub(super) rise_on_hover: bool,
    pub(super) z_index_offset: i32,
}

/// A line or a circle.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PathOptions {
    class_name: String,
    interactive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    radius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smooth_factor: Option<f64>,
}

impl PathOptions {
    /// A circle of so many metres on the ground.
    pub(super) fn circle(radius: f64, class: &str) -> Self {
        Self { class_name: format!("reach {class}"), interactive: false, radius: Some(radius), smooth_factor: None }
    }

    pub(super) fn trail(class: &str) -> Self {
        Self { class_name: format!("trail {class}"), interactive: false, radius: None, smooth_factor: Some(0.5) }
    }
}

/// How the view moves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MoveOptions {
    pub(super) animate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_zoom: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) padding: Option<[f64; 2]>,
}

/// What stays in its place while the visitor zooms by wheel, fingers or double click.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ZoomAnchors {
    double_click_zoom: ZoomAnchor,
    scroll_wheel_zoom: ZoomAnchor,
    touch_zoom: ZoomAnchor,
}

/// Leaflet has a word for one and `true` for the other.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum ZoomAnchor {
    Center(&'static str),
    Pointer(bool),
}

impl ZoomAnchors {
    pub(super) fn center() -> Self {
        Self::all(ZoomAnchor::Center("center"))
    }

    pub(super) fn pointer() -> Self {
        Self::all(ZoomAnchor::Pointer(true))
    }

    fn all(anchor: ZoomAnchor) -> Self {
        Self { double_click_zoom: anchor, scroll_wheel_zoom: anchor, touch_zoom: anchor }
    }
}
