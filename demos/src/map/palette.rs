use web_sys::{HtmlElement, window};

/// The map's colours, as the style sheet has them at the moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Palette {
    pub(super) land: String,
    pub(super) shore: String,
    pub(super) border: String,
    pub(super) grid: String,
    pub(super) grid_label: String,
    pub(super) name: String,
    /// Around names, so that lines do not run through them.
    pub(super) halo: String,
    pub(super) font: String,
}

impl Palette {
    /// Reads the custom properties that hold for an element. A canvas cannot use them by itself.
    pub(super) fn of(element: &HtmlElement) -> Self {
        let style = window().and_then(|window| window.get_computed_style(element).ok().flatten());
        let read =
            |property| style.as_ref().and_then(|style| style.get_property_value(property).ok()).unwrap_or_default();
        Self {
            land: read("--map-land"),
            shore: read("--map-shore"),
            border: read("--map-border"),
            grid: read("--map-grid"),
            grid_label: read("--map-grid-label"),
            name: read("--map-name"),
            halo: read("--map-land"),
            font: read("font-family"),
        }
    }
}
