//! Reads messages of `everwire.v1`, chosen by coverage, with the checks of the properties: `cargo +nightly fuzz run protocol`.
#![no_main]

#[path = "../../tests/protocol/check.rs"]
mod check;
#[path = "../../tests/protocol/page.rs"]
#[expect(dead_code, reason = "the tables of states are for other tests")]
mod page;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| check::bytes(message));
