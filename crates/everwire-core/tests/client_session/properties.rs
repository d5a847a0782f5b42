//! What holds whatever happens, in whatever order. The fuzz target plays the same scripts.

use arbitrary::Unstructured;
use proptest::prelude::*;

use crate::{play::play, script::Script};

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_breaks_a_rule(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let script: Script = Unstructured::new(&bytes).arbitrary().expect("any bytes make a script");
        play(&script);
    }
}
