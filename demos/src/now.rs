use web_sys::window;

/// Milliseconds since the Unix epoch with their fractions, by a clock that is not set back while the page lives.
pub(crate) fn now() -> f64 {
    window()
        .and_then(|window| window.performance())
        .map_or(0.0, |performance| performance.time_origin() + performance.now())
}
