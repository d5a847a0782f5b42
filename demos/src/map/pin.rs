use js_sys::Array;
use wasm_bindgen::closure::Closure;
use web_sys::window;

use super::LatLon;
use super::leaflet::{self, Circle, Leaflet, Map, Marker, Polyline};
use super::options::{IconOptions, MarkerOptions, PathOptions};
use crate::objects::to_js;

/// Something to be seen at a place on the map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sight {
    pub(crate) id: u64,
    /// A few letters for the marker.
    pub(crate) letters: String,
    /// What it is, in words.
    pub(crate) description: String,
    /// Class in the style sheet, which gives marker, circle and trail their colour.
    pub(crate) class: String,
    /// Whether its marker lies over the others.
    pub(crate) is_on_top: bool,
    pub(crate) place: LatLon,
    /// Radius of the circle around it, in metres.
    pub(crate) accuracy: f64,
    /// The way to here, oldest first, with longitudes that go on beyond ±180°.
    pub(crate) trail: Vec<LatLon>,
    pub(crate) on_pick: yew::Callback<u64>,
}

/// A sight on a map: marker, circle and trail. Dropping it takes them off.
pub(super) struct Pin {
    marker: Marker,
    circle: Circle,
    trail: Polyline,
    shown: Sight,
    // Leaflet calls it when the marker is picked, until the marker is removed.
    _pick: Closure<dyn FnMut()>,
}

impl Pin {
    pub(super) fn new(leaflet: &Leaflet, map: &Map, sight: &Sight) -> Self {
        let at = leaflet.lat_lng(sight.place.lat, sight.place.lon);
        let (id, on_pick) = (sight.id, sight.on_pick.clone());
        let pick = Closure::<dyn FnMut()>::new(move || on_pick.emit(id));
        let circle = leaflet.circle(&at, &to_js(&PathOptions::circle(sight.accuracy, &sight.class)));
        let trail = leaflet.polyline(&Array::new(), &to_js(&PathOptions::trail(&sight.class)));
        let marker = leaflet.marker(&at, &to_js(&marker_options(leaflet, sight)));
        leaflet::on_picked(&marker, &pick);
        circle.add_to(map);
        trail.add_to(map);
        marker.add_to(map);
        let pin = Self { marker, circle, trail, shown: sight.clone(), _pick: pick };
        pin.draw(leaflet, sight);
        pin
    }

    /// Whether it can become this sight by moving.
    pub(super) fn looks_like(&self, sight: &Sight) -> bool {
        self.shown.class == sight.class && self.shown.letters == sight.letters
    }

    pub(super) fn update(&mut self, leaflet: &Leaflet, sight: &Sight) {
        if self.shown != *sight {
            self.draw(leaflet, sight);
            self.shown = sight.clone();
        }
    }

    fn draw(&self, leaflet: &Leaflet, sight: &Sight) {
        // All three in the copy of the world in which the trail ends.
        let place = sight.trail.last().map_or(sight.place, |end| sight.place.nearest_copy_to(*end));
        let at = leaflet.lat_lng(place.lat, place.lon);
        self.marker.move_to(&at);
        self.circle.move_to(&at);
        self.circle.set_radius(sight.accuracy);
        let degrees: Vec<f64> = sight.trail.iter().flat_map(|place| [place.lat, place.lon]).collect();
        leaflet::set_points(&self.trail, &degrees);
        leaflet::describe(&self.marker, &sight.description);
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.marker.remove();
        self.circle.remove();
        self.trail.remove();
    }
}

/// A round marker with a few letters in it.
fn marker_options(leaflet: &Leaflet, sight: &Sight) -> MarkerOptions {
    let document = window().and_then(|window| window.document());
    let letters = document.and_then(|document| document.create_element("span").ok());
    // As text: a name must not bring markup along.
    letters.iter().for_each(|element| element.set_text_content(Some(&sight.letters)));
    let icon = IconOptions {
        class_name: format!("pin {}", sight.class),
        html: letters.map(Into::into).unwrap_or_default(),
        icon_size: [30, 30],
    };
    MarkerOptions {
        icon: leaflet.div_icon(&to_js(&icon)),
        rise_on_hover: true,
        z_index_offset: if sight.is_on_top { 1_000 } else { 0 },
    }
}
