//! Objects for JavaScript libraries, written as typed structs.

use serde::Serialize;
use wasm_bindgen::JsValue;

/// The object with these fields.
pub(crate) fn to_js(fields: &impl Serialize) -> JsValue {
    // It fails only for what JavaScript has no value for, such as a map with other keys than texts.
    serde_wasm_bindgen::to_value(fields).unwrap_or_default()
}
