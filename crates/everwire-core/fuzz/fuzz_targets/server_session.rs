//! Runs the scripts of the property test, chosen by coverage: `cargo +nightly fuzz run server_session`.
#![no_main]

#[path = "../../tests/session/server_script.rs"]
mod server_script;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| server_script::run(bytes));
