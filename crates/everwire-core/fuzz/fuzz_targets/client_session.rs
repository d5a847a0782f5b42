//! Plays the scripts of the property test, chosen by coverage: `cargo +nightly fuzz run client_session`.
#![no_main]

#[path = "../../tests/client_session/play.rs"]
mod play;
#[path = "../../tests/client_session/rules.rs"]
mod rules;
#[path = "../../tests/client_session/script.rs"]
mod script;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: script::Script| play::play(&script));
