//! The chart library, as far as it is used. It is a script of its own in the page and defines the global `uPlot`.

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

#[wasm_bindgen]
extern "C" {
    /// A chart in the page. It stays there until it is destroyed.
    #[wasm_bindgen(js_name = uPlot)]
    pub(super) type UPlot;

    #[wasm_bindgen(constructor, js_class = "uPlot", catch)]
    pub(super) fn new(options: &JsValue, data: &Array, target: &HtmlElement) -> Result<UPlot, JsValue>;

    #[wasm_bindgen(method, js_class = "uPlot", js_name = setData)]
    pub(super) fn set_data(this: &UPlot, data: &Array);

    #[wasm_bindgen(method, js_class = "uPlot", js_name = setSize)]
    pub(super) fn set_size(this: &UPlot, size: &JsValue);

    #[wasm_bindgen(method, js_class = "uPlot")]
    pub(super) fn destroy(this: &UPlot);

    /// The range of an axis for these values.
    #[wasm_bindgen(static_method_of = UPlot, js_class = "uPlot", js_name = rangeNum)]
    pub(super) fn range_num(min: f64, max: f64, config: &JsValue) -> Array;

    /// Makes what draws a series as bars.
    #[wasm_bindgen(js_namespace = ["uPlot", "paths"], js_name = bars, catch)]
    pub(super) fn bars(options: &JsValue) -> Result<JsValue, JsValue>;
}
