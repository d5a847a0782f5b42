//! Requests to the companion server other than by WebSocket.

use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response, window};

/// The JSON that the server answers at this URL; `None` if it does not answer, or something else.
pub(crate) async fn get_json<T: DeserializeOwned>(url: &str) -> Option<T> {
    let answer = send(url, "GET").await.filter(Response::ok)?;
    let text = JsFuture::from(answer.text().ok()?).await.ok()?;
    serde_json::from_str(&text.as_string()?).ok()
}

/// Posts nothing to this URL, whether or not the server answers.
pub(crate) async fn post(url: &str) {
    send(url, "POST").await;
}

async fn send(url: &str, method: &str) -> Option<Response> {
    let options = RequestInit::new();
    options.set_method(method);
    let answer = JsFuture::from(window()?.fetch_with_str_and_init(url, &options)).await.ok()?;
    answer.dyn_into().ok()
}

/// A value as a part of a URL's query.
pub(crate) fn encoded(value: &str) -> String {
    js_sys::encode_uri_component(value).into()
}
