//! Reads messages of `everwire.v1`, chosen by coverage, and checks their invariants: `cargo +nightly fuzz run protocol`.
#![no_main]

#[path = "../../tests/protocol/invariants.rs"]
mod invariants;
#[path = "../../tests/protocol/specification.rs"]
#[expect(dead_code, reason = "the tables of states are for other tests")]
mod specification;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| invariants::check_bytes(message));
