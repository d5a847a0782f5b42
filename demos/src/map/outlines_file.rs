use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Response, window};

use super::Outlines;

/// Where the build puts the outlines of `world-atlas`, from the page's base address. 1:50 million: at 110 million Denmark
/// has three corners, and 10 million would be four times as much to load for a map that is mostly looked at from afar.
const ADDRESS: &str = "vendor/countries-50m.json";

/// Fetches the outlines of the world from where the page came from.
pub(super) async fn fetch() -> Result<Outlines, FetchError> {
    let window = window().ok_or(FetchError)?;
    let response = JsFuture::from(window.fetch_with_str(ADDRESS)).await.map_err(|_| FetchError)?;
    let response: Response = response.dyn_into().map_err(|_| FetchError)?;
    if !response.ok() {
        return Err(FetchError);
    }
    let text = response.text().map_err(|_| FetchError)?;
    let text = JsFuture::from(text).await.ok().and_then(|text| text.as_string()).ok_or(FetchError)?;
    Outlines::parse(&text).map_err(|_| FetchError)
}

/// The outlines did not come, or not as TopoJSON.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("The outlines of the world could not be loaded. Reload the page to try again.")]
pub(super) struct FetchError;
