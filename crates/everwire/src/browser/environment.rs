//! What this global scope has: a window's and a worker's differ, and neither is taken for granted.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, EventTarget, Performance, Url};

use crate::OpenError;

pub(super) fn has_web_socket() -> bool {
    global("WebSocket").is_some_and(|class| class.is_function())
}

pub(super) fn performance() -> Option<Performance> {
    global("performance").map(JsValue::unchecked_into)
}

pub(super) fn document() -> Option<Document> {
    global("document").map(JsValue::unchecked_into)
}

/// The global scope as the target of `online`, `offline`, `pageshow` and the like.
pub(super) fn events() -> Option<EventTarget> {
    js_sys::global().dyn_into().ok()
}

/// 53 random bits of the browser.
pub(super) fn random_seed() -> u64 {
    (js_sys::Math::random() * (1_u64 << 53) as f64) as u64
}

/// Checks an address as the browser's constructor would, which would throw (WHATWG WebSockets, "constructor").
pub(super) fn check_address(url: &str) -> Result<(), OpenError> {
    let wrong = |problem: &str| OpenError::address(url, problem);
    let base = global("location").and_then(|location| Reflect::get(&location, &"href".into()).ok()?.as_string());
    let parsed = base
        .and_then(|base| Url::new_with_base(url, &base).ok())
        .or_else(|| Url::new(url).ok())
        .ok_or_else(|| wrong("write it as wss://host/path, or relative to the page"))?;
    if !matches!(parsed.protocol().as_str(), "ws:" | "wss:" | "http:" | "https:") {
        return Err(wrong("its scheme has to be ws or wss"));
    }
    // `hash` is empty for an empty fragment, which the constructor refuses as well.
    if parsed.href().contains('#') {
        return Err(wrong("leave out the part from # on, which a server never sees"));
    }
    Ok(())
}

/// An exception as a text.
pub(super) fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| error.message().into())
        .or_else(|| {
            // A DOMException is no Error to wasm-bindgen, and has a message all the same.
            Reflect::get(error, &"message".into()).ok()?.as_string()
        })
        .unwrap_or_else(|| "the browser does not say why".to_owned())
}

fn global(name: &str) -> Option<JsValue> {
    Reflect::get(&js_sys::global(), &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
