//! Plays the scripts of the property test, chosen by coverage: `cargo +nightly fuzz run connection`.
#![no_main]

#[path = "../../tests/properties/play.rs"]
mod play;
#[path = "../../tests/properties/rules.rs"]
mod rules;
#[path = "../../tests/properties/script.rs"]
mod script;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: script::Script| play::play(&script));
