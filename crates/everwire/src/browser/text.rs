//! Texts on their way from the browser into wasm memory.

use js_sys::JsString;
use wasm_bindgen::prelude::*;

/// From this length on the browser's encoder is quicker than wasm-bindgen, which takes a text over character by character.
pub(super) const WORTH_ENCODING: usize = 256;

#[wasm_bindgen]
extern "C" {
    type TextEncoder;

    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;

    #[wasm_bindgen(method, js_name = encodeInto)]
    fn encode_into(this: &TextEncoder, source: &JsString, destination: &mut [u8]) -> Encoded;

    type Encoded;

    #[wasm_bindgen(method, getter)]
    fn read(this: &Encoded) -> u32;

    #[wasm_bindgen(method, getter)]
    fn written(this: &Encoded) -> u32;
}

thread_local! {
    static ENCODER: TextEncoder = TextEncoder::new();
}

/// The text as a value of its own; `length` is that in UTF-16 units.
pub(super) fn read(text: &JsString, length: usize) -> String {
    if !is_worth_encoding(length) {
        return text.into();
    }
    let mut bytes = Vec::new();
    let written = encode(text, length, &mut bytes);
    bytes.truncate(written);
    // A browser's encoder writes nothing but UTF-8.
    String::from_utf8(bytes).unwrap_or_else(|_| text.into())
}

/// The text in `scratch`, whose room is used again; `length` is that in UTF-16 units.
pub(super) fn copy<'a>(text: &JsString, length: usize, scratch: &'a mut Vec<u8>) -> &'a str {
    let written = if is_worth_encoding(length) {
        encode(text, length, scratch)
    } else {
        *scratch = String::from(text).into_bytes();
        scratch.len()
    };
    // What the browser writes is UTF-8.
    str::from_utf8(&scratch[..written]).unwrap_or_default()
}

/// A browser's encoder refuses memory that several threads share.
fn is_worth_encoding(length: usize) -> bool {
    length >= WORTH_ENCODING && cfg!(not(target_feature = "atomics"))
}

/// Encodes a text to the start of `bytes`, which are made to be enough, and says how many it took.
fn encode(text: &JsString, length: usize, bytes: &mut Vec<u8>) -> usize {
    ENCODER.with(|encoder| {
        let grow = |bytes: &mut Vec<u8>, size| bytes.resize(bytes.len().max(size), 0);
        grow(bytes, length);
        let first = encoder.encode_into(text, bytes);
        let (read, written) = (first.read() as usize, first.written() as usize);
        if read >= length {
            return written;
        }
        // There was more than ASCII. No UTF-16 unit takes more than three bytes.
        grow(bytes, written + 3 * (length - read));
        let rest = text.slice(read as u32, length as u32);
        written + encoder.encode_into(&rest, &mut bytes[written..]).written() as usize
    })
}
