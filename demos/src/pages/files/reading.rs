use std::ops::Range;

use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// The browser cannot read the file any more, or it is not what it was.
#[derive(Debug)]
pub(super) struct Unreadable;

/// Reads a part of a file, from this moment on and not only when it is waited for. It stays in the browser's hands until it
/// is copied.
#[expect(clippy::cast_precision_loss, reason = "the browser's sizes are whole numbers below 2^53")]
pub(super) fn block(file: &File, range: &Range<u64>) -> impl Future<Output = Result<Uint8Array, Unreadable>> + use<> {
    let length = range.end - range.start;
    let part = file.slice_with_f64_and_f64(range.start as f64, range.end as f64);
    let bytes = part.map(|part| JsFuture::from(part.array_buffer()));
    async move {
        let bytes = bytes.map_err(|_| Unreadable)?.await.map_err(|_| Unreadable)?;
        let bytes = Uint8Array::new(&bytes);
        // A file that has become shorter reads as less.
        if u64::from(bytes.length()) == length { Ok(bytes) } else { Err(Unreadable) }
    }
}
