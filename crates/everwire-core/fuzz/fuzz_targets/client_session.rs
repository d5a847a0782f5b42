//! Runs the scripts of the property test, chosen by coverage: `cargo +nightly fuzz run client_session`.
#![no_main]

#[path = "../../tests/session/client/invariants.rs"]
mod invariants;
#[path = "../../tests/session/client/script.rs"]
mod script;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: script::Script| script::run(&script));
