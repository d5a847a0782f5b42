//! Runs the scripts of the property test, chosen by coverage: `cargo +nightly fuzz run connection`.
#![no_main]

#[path = "../../tests/connection/script.rs"]
mod script;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: script::Script| script::run(&script));
