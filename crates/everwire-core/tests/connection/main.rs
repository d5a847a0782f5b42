//! The behaviour of a connection in virtual time: in a simulation of its surroundings, and under random scripts of inputs.

mod heartbeat;
#[allow(dead_code, reason = "the example itself uses the rest")]
#[path = "../../examples/herd.rs"]
mod herd;
mod lifecycle;
mod retrying;
mod script;
mod sending;
mod simulation;

use arbitrary::Unstructured;
use proptest::prelude::*;

use script::Script;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_breaks_an_invariant(bytes in proptest::collection::vec(any::<u8>(), 0..1_500)) {
        let script: Script = Unstructured::new(&bytes).arbitrary().expect("any bytes make a script");
        script::run(&script);
    }
}
