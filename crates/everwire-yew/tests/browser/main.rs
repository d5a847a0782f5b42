//! What the hooks and the badge promise, tried in a window against the companion server.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod badge;
mod client;
mod hook;
mod stage;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
