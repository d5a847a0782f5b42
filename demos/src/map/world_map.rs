use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::Object;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlCanvasElement, HtmlElement};

use super::leaflet::{self, GridLayer, Leaflet, Map, Paint};
use super::options::{
    AttributionOptions, LayerOptions, MapOptions, MoveOptions, ScaleOptions, ZoomAnchors, ZoomOptions,
};
use super::painter;
use super::palette::Palette;
use super::pin::{Pin, Sight};
use super::tile_art::{Tile, TileArt};
use super::{EARTH_RADIUS, LatLon, Outlines, TileSource};
use crate::objects::to_js;
use crate::theme::wants_little_motion;

/// Side of a painted tile in pixels. Twice the usual, for half the seams.
const SIDE: f64 = 512.0;

/// How much further a tile is painted, in pixels: neighbours overlap, so that no gap shows between them where a screen has a
/// fraction of a pixel for each pixel of the style sheet. `map.css` has the same.
const OVERLAP: f64 = 1.0;

/// Closest view that is chosen for the visitor: a few streets.
const CLOSE: f64 = 16.0;

/// Least that is seen around places where there are only outlines, as a radius in metres: mostly a country's name and
/// some of its shape. Nearer by there is a line of which nobody can tell what it is, and at 1:50 million it is off by
/// some kilometres.
const OUTLINES_NEAR: f64 = 250_000.0;

/// How much further than the nearest line the view reaches, so that a part of it is seen and not its tip.
const WITH_MARGIN: f64 = 1.25;

/// Whether what is around a place has to be in view with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surroundings {
    /// The next coast or border at least, and not an empty grid.
    Shown,
    /// The view is as near as it can be.
    CutOff,
}

/// A map of the world in an element of the page, without any network. Dropping it takes it off the page.
pub(crate) struct WorldMap {
    leaflet: Leaflet,
    map: Map,
    outlines: Rc<RefCell<Outlines>>,
    /// Whether the outlines came, or will not.
    has_outlines: Cell<bool>,
    painted: GridLayer,
    tiles: Option<GridLayer>,
    pins: BTreeMap<u64, Pin>,
    on_tile_error: Closure<dyn FnMut()>,
    // Leaflet calls them until the map is removed: for each tile, and when the view is moved by hand.
    _paint: Closure<Paint>,
    _on_moved: Closure<dyn FnMut()>,
}

impl WorldMap {
    /// Loads Leaflet and shows the world, still without land. `on_tile_error` is called for each tile that does not come,
    /// `on_moved` when the visitor moves the view by hand.
    pub(crate) async fn open(
        element: HtmlElement,
        on_tile_error: impl Fn() + 'static,
        on_moved: impl Fn() + 'static,
    ) -> Result<Self, LoadError> {
        let leaflet = JsFuture::from(leaflet::load()).await.map_err(|_| LoadError)?;
        let leaflet: Leaflet = leaflet.unchecked_into();
        let map = open_map(&leaflet, &element);
        let outlines = Rc::new(RefCell::new(Outlines::default()));
        let paint = painter(element, outlines.clone());
        let painted = leaflet::painted_layer(&leaflet, &to_js(&LayerOptions::painted(SIDE)), &paint);
        map.set_view(&leaflet.lat_lng(25.0, 10.0), 2.0);
        painted.add_to(&map);
        let (on_tile_error, on_moved) = (Closure::new(on_tile_error), Closure::new(on_moved));
        leaflet::on_moved_by_hand(&map, &on_moved);
        let (pins, has_outlines) = (BTreeMap::new(), Cell::default());
        Ok(Self {
            leaflet,
            map,
            outlines,
            has_outlines,
            painted,
            tiles: None,
            pins,
            on_tile_error,
            _paint: paint,
            _on_moved: on_moved,
        })
    }

    /// Shows land, borders and names; none where they could not be loaded.
    pub(crate) fn set_outlines(&self, outlines: Outlines) {
        self.outlines.replace(outlines);
        self.has_outlines.set(true);
        self.repaint();
    }

    /// Paints everything anew, as after a change of theme.
    pub(crate) fn repaint(&self) {
        self.painted.redraw();
    }

    /// Puts a tile server's images over the outlines, or takes them away.
    pub(crate) fn set_tiles(&mut self, source: Option<&TileSource>) {
        if let Some(old) = self.tiles.take() {
            old.remove();
        }
        self.tiles = source.map(|source| {
            let layer = self.leaflet.tile_layer(source.url(), &to_js(&LayerOptions::images(source)));
            layer.on("tileerror", &self.on_tile_error);
            layer.add_to(&self.map);
            layer
        });
    }

    /// Shows these and nobody else. A pin that was there moves.
    pub(crate) fn show(&mut self, sights: &[Sight]) {
        self.pins.retain(|id, _| sights.iter().any(|sight| sight.id == *id));
        for sight in sights {
            match self.pins.get_mut(&sight.id) {
                // Somebody who becomes "me", or stops being it, looks different.
                Some(pin) if pin.looks_like(sight) => pin.update(&self.leaflet, sight),
                _ => {
                    // The old pin goes before the new one comes.
                    self.pins.remove(&sight.id);
                    self.pins.insert(sight.id, Pin::new(&self.leaflet, &self.map, sight));
                }
            }
        }
    }

    /// Moves so that all of these circles on the ground, places with radii in metres, are in view; where that is asked for,
    /// together with as much around them as tells where they are. Says whether it moves: without outlines it is not known
    /// yet how much that is.
    pub(crate) fn show_circles(&self, circles: &[(LatLon, f64)], surroundings: Surroundings) -> bool {
        let Some((first, _)) = circles.first() else { return false };
        // In the copy of the world that the visitor looks at, and all in the same.
        let first = first.nearest_copy_to(self.centre());
        let boxes = circles.iter().map(|(place, metres)| around(place.nearest_copy_to(first), *metres));
        let Some(mut whole) = boxes.reduce(joined) else { return false };
        // Images of a tile server show something at any zoom.
        if surroundings == Surroundings::Shown && self.tiles.is_none() {
            if !self.has_outlines.get() {
                return false;
            }
            let middle = LatLon::new((whole[0] + whole[2]) / 2.0, (whole[1] + whole[3]) / 2.0);
            let line = self.outlines.borrow().nearest_line(middle).unwrap_or_default();
            whole = joined(whole, around(middle, OUTLINES_NEAR.max(line * WITH_MARGIN)));
        }
        let [south, west, north, east] = whole;
        let options = MoveOptions {
            animate: !wants_little_motion(),
            duration: Some(0.7),
            max_zoom: Some(CLOSE),
            padding: Some([40.0, 40.0]),
        };
        leaflet::show_box(&self.map, south, west, north, east, &to_js(&options));
        true
    }

    /// Moves the middle of the view to a place, as it is zoomed.
    pub(crate) fn follow(&self, place: LatLon) {
        let place = place.nearest_copy_to(self.centre());
        let options = MoveOptions { animate: !wants_little_motion(), duration: None, max_zoom: None, padding: None };
        leaflet::follow(&self.map, &self.leaflet.lat_lng(place.lat, place.lon), &to_js(&options));
    }

    /// While the view follows somebody, zooming keeps its middle where it is.
    pub(crate) fn set_following(&self, is_following: bool) {
        let anchors = if is_following { ZoomAnchors::center() } else { ZoomAnchors::pointer() };
        Object::assign(&self.map.options(), &to_js(&anchors).into());
    }

    /// Scrolls the page to the map if it is out of sight.
    pub(crate) fn reveal(&self) {
        leaflet::reveal(&self.map);
    }

    /// Where the middle of the view is.
    pub(crate) fn centre(&self) -> LatLon {
        let centre = self.map.centre();
        LatLon::new(centre.lat(), centre.lng())
    }
}

impl Drop for WorldMap {
    fn drop(&mut self) {
        self.pins.clear();
        self.map.remove();
    }
}

/// Leaflet could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("The map could not be loaded. Reload the page to try again.")]
pub(crate) struct LoadError;

fn open_map(leaflet: &Leaflet, element: &HtmlElement) -> Map {
    let map = leaflet.map(element, &to_js(&MapOptions::around_the_earth()));
    let control = leaflet.control();
    control.zoom(&to_js(&ZoomOptions { position: "topright" })).add_to(&map);
    control.scale(&to_js(&ScaleOptions { imperial: false, position: "bottomleft" })).add_to(&map);
    let prefix = r#"<a href="https://leafletjs.com">Leaflet</a>"#;
    control.attribution(&to_js(&AttributionOptions { prefix })).add_to(&map);
    leaflet::keep_filled(&map);
    map
}

/// South, west, north and east of a circle on the ground, in degrees.
fn around(place: LatLon, metres: f64) -> [f64; 4] {
    let north = (metres / EARTH_RADIUS).to_degrees();
    let east = north / place.lat.to_radians().cos().max(0.01);
    [place.lat - north, place.lon - east, place.lat + north, place.lon + east]
}

/// The smallest box around two.
fn joined(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

fn painter(element: HtmlElement, outlines: Rc<RefCell<Outlines>>) -> Closure<Paint> {
    Closure::new(move |canvas: HtmlCanvasElement, x: i32, y: i32, zoom: f64| {
        let art = TileArt::new(&outlines.borrow(), &Tile { x, y, zoom, side: SIDE });
        painter::paint(&canvas, &art, &Palette::of(&element), SIDE + OVERLAP);
    })
}
