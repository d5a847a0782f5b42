use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use web_sys::{Geolocation, Position, PositionError, PositionOptions, window};

use super::fix::Fix;
use super::problem::Problem;
use crate::map::LatLon;

/// After this long without a position the browser says so, and goes on trying. A first fix from satellites takes half a
/// minute under an open sky.
const TIMEOUT_MS: u32 = 20_000;

/// Positions of the device, for as long as it is kept. Dropping it switches the device's search off.
#[must_use]
pub(super) struct Watch {
    geolocation: Geolocation,
    id: i32,
    // The browser calls them until the watch is cleared.
    _on_position: Closure<dyn FnMut(Position)>,
    _on_error: Closure<dyn FnMut(PositionError)>,
}

impl Watch {
    /// Asks the browser for positions; it asks the visitor.
    ///
    /// # Errors
    /// What can be known without asking: an insecure context or a browser without the API.
    pub(super) fn start(
        on_fix: impl Fn(Fix) + 'static,
        on_problem: impl Fn(Problem) + 'static,
    ) -> Result<Self, Problem> {
        let window = window().ok_or(Problem::Unsupported)?;
        if !window.is_secure_context() {
            return Err(Problem::InsecureContext);
        }
        let navigator = window.navigator();
        // The getter of `Navigator::geolocation` takes an undefined value for the real thing.
        if !Reflect::has(&navigator, &"geolocation".into()).unwrap_or(false) {
            return Err(Problem::Unsupported);
        }
        let geolocation = navigator.geolocation().map_err(|_| Problem::Unsupported)?;
        let on_position = Closure::<dyn FnMut(_)>::new(move |position| on_fix(fix(&position)));
        let on_error = Closure::<dyn FnMut(_)>::new(move |error: PositionError| {
            on_problem(Problem::from_code(error.code()));
        });
        let options = PositionOptions::new();
        options.set_enable_high_accuracy(true);
        options.set_timeout(TIMEOUT_MS);
        let id = geolocation.watch_position_with_error_callback_and_options(
            on_position.as_ref().unchecked_ref(),
            Some(on_error.as_ref().unchecked_ref()),
            &options,
        );
        let id = id.map_err(|_| Problem::Unavailable)?;
        Ok(Self { geolocation, id, _on_position: on_position, _on_error: on_error })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.geolocation.clear_watch(self.id);
    }
}

fn fix(position: &Position) -> Fix {
    let coordinates = position.coords();
    let place = LatLon::new(coordinates.latitude(), coordinates.longitude());
    Fix { place, accuracy: coordinates.accuracy() }
}
