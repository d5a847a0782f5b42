use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url, window};

use crate::pages::echo::log::export;
use crate::pages::echo::record::Record;

/// Offers the lines that are shown as a file of JSON lines.
pub(super) fn save(record: &Record) {
    // A browser without these has no way to save a file; there is nothing else to try.
    let _ = download(&parts(record), "everwire-log.jsonl");
}

/// The file, in parts of about a megabyte: joined they would stand in memory twice.
fn parts(record: &Record) -> Array {
    const PART: usize = 1 << 20;
    let parts = Array::new();
    let mut part = String::new();
    let numbers = (0..record.view.len()).filter_map(|row| record.view.number(row));
    for line in numbers.filter_map(|number| record.log.line(number)) {
        part.push_str(&export(line));
        if part.len() >= PART {
            parts.push(&JsValue::from_str(&part));
            part.clear();
        }
    }
    parts.push(&JsValue::from_str(&part));
    parts
}

fn download(parts: &Array, name: &str) -> Option<()> {
    let properties = BlobPropertyBag::new();
    properties.set_type("application/jsonl");
    let blob = Blob::new_with_str_sequence_and_options(parts, &properties).ok()?;
    let url = Url::create_object_url_with_blob(&blob).ok()?;
    let link: HtmlAnchorElement = window()?.document()?.create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The click has taken the address in; kept, it would keep the file in memory.
    Url::revoke_object_url(&url).ok()
}
