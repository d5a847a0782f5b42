//! Leaflet 1.9, as much of it as the map needs, typed. `leaflet.js` has what cannot be typed here.

use js_sys::{Array, Object, Promise};
use wasm_bindgen::prelude::*;
use web_sys::{HtmlCanvasElement, HtmlElement};

/// Paints the tile at column, row and zoom.
pub(super) type Paint = dyn FnMut(HtmlCanvasElement, i32, i32, f64);

#[wasm_bindgen(module = "/src/map/leaflet.js")]
extern "C" {
    /// Resolves to a [`Leaflet`].
    pub(super) fn load() -> Promise;

    #[wasm_bindgen(js_name = keepFilled)]
    pub(super) fn keep_filled(map: &Map);

    #[wasm_bindgen(js_name = paintedLayer)]
    pub(super) fn painted_layer(leaflet: &Leaflet, options: &JsValue, paint: &Closure<Paint>) -> GridLayer;

    #[wasm_bindgen(js_name = onPicked)]
    pub(super) fn on_picked(marker: &Marker, pick: &Closure<dyn FnMut()>);

    pub(super) fn describe(marker: &Marker, text: &str);

    #[wasm_bindgen(js_name = setPoints)]
    pub(super) fn set_points(line: &Polyline, degrees: &[f64]);

    #[wasm_bindgen(js_name = showBox)]
    pub(super) fn show_box(map: &Map, south: f64, west: f64, north: f64, east: f64, options: &JsValue);

    pub(super) fn follow(map: &Map, at: &LatLng, options: &JsValue);

    #[wasm_bindgen(js_name = onMovedByHand)]
    pub(super) fn on_moved_by_hand(map: &Map, moved: &Closure<dyn FnMut()>);

    pub(super) fn reveal(map: &Map);
}

#[wasm_bindgen]
extern "C" {
    /// The namespace `L`.
    #[derive(Clone, Debug)]
    pub(super) type Leaflet;

    #[wasm_bindgen(method, js_name = latLng)]
    pub(super) fn lat_lng(this: &Leaflet, lat: f64, lon: f64) -> LatLng;

    #[wasm_bindgen(method)]
    pub(super) fn map(this: &Leaflet, element: &HtmlElement, options: &JsValue) -> Map;

    #[wasm_bindgen(method, getter)]
    pub(super) fn control(this: &Leaflet) -> Controls;

    #[wasm_bindgen(method, js_name = tileLayer)]
    pub(super) fn tile_layer(this: &Leaflet, url: &str, options: &JsValue) -> GridLayer;

    #[wasm_bindgen(method, js_name = divIcon)]
    pub(super) fn div_icon(this: &Leaflet, options: &JsValue) -> JsValue;

    #[wasm_bindgen(method)]
    pub(super) fn marker(this: &Leaflet, at: &LatLng, options: &JsValue) -> Marker;

    #[wasm_bindgen(method)]
    pub(super) fn circle(this: &Leaflet, at: &LatLng, options: &JsValue) -> Circle;

    #[wasm_bindgen(method)]
    pub(super) fn polyline(this: &Leaflet, points: &Array, options: &JsValue) -> Polyline;

    /// The namespace `L.control`.
    #[derive(Clone, Debug)]
    pub(super) type Controls;

    #[wasm_bindgen(method)]
    pub(super) fn zoom(this: &Controls, options: &JsValue) -> Control;

    #[wasm_bindgen(method)]
    pub(super) fn scale(this: &Controls, options: &JsValue) -> Control;

    #[wasm_bindgen(method)]
    pub(super) fn attribution(this: &Controls, options: &JsValue) -> Control;

    /// Something in a corner of a map.
    #[derive(Clone, Debug)]
    pub(super) type Control;

    #[wasm_bindgen(method, js_name = addTo)]
    pub(super) fn add_to(this: &Control, map: &Map);

    /// A place.
    #[derive(Clone, Debug)]
    pub(super) type LatLng;

    #[wasm_bindgen(method, getter)]
    pub(super) fn lat(this: &LatLng) -> f64;

    #[wasm_bindgen(method, getter)]
    pub(super) fn lng(this: &LatLng) -> f64;

    /// A map in an element of the page.
    #[derive(Clone, Debug)]
    pub(super) type Map;

    /// The options that the map has now; some take effect when they change.
    #[wasm_bindgen(method, getter)]
    pub(super) fn options(this: &Map) -> Object;

    /// Takes the map off the page, with its listeners.
    #[wasm_bindgen(method)]
    pub(super) fn remove(this: &Map);

    #[wasm_bindgen(method, js_name = setView)]
    pub(super) fn set_view(this: &Map, centre: &LatLng, zoom: f64);

    #[wasm_bindgen(method, js_name = getCenter)]
    pub(super) fn centre(this: &Map) -> LatLng;

    #[wasm_bindgen(method, js_name = getZoom)]
    pub(super) fn zoom(this: &Map) -> f64;

    #[wasm_bindgen(method, js_name = on)]
    pub(super) fn on(this: &Map, event: &str, listener: &Closure<dyn FnMut()>);

    /// Anything on a map.
    #[derive(Clone, Debug)]
    pub(super) type Layer;

    #[wasm_bindgen(method, js_name = addTo)]
    pub(super) fn add_to(this: &Layer, map: &Map);

    #[wasm_bindgen(method)]
    pub(super) fn remove(this: &Layer);

    /// A layer of tiles.
    #[wasm_bindgen(extends = Layer)]
    #[derive(Clone, Debug)]
    pub(super) type GridLayer;

    /// Makes every tile again.
    #[wasm_bindgen(method)]
    pub(super) fn redraw(this: &GridLayer);

    #[wasm_bindgen(method, js_name = on)]
    pub(super) fn on(this: &GridLayer, event: &str, listener: &Closure<dyn FnMut()>);

    #[wasm_bindgen(extends = Layer)]
    #[derive(Clone, Debug)]
    pub(super) type Marker;

    #[wasm_bindgen(method, js_name = setLatLng)]
    pub(super) fn move_to(this: &Marker, at: &LatLng);

    #[wasm_bindgen(extends = Layer)]
    #[derive(Clone, Debug)]
    pub(super) type Circle;

    #[wasm_bindgen(method, js_name = setLatLng)]
    pub(super) fn move_to(this: &Circle, at: &LatLng);

    #[wasm_bindgen(method, js_name = setRadius)]
    pub(super) fn set_radius(this: &Circle, metres: f64);

    #[wasm_bindgen(extends = Layer)]
    #[derive(Clone, Debug)]
    pub(super) type Polyline;
}
