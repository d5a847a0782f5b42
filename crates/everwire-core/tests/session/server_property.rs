//! What holds for the server's side of a session, whatever happens, in whatever order. The fuzz target plays the same scripts.

use proptest::prelude::*;

use crate::server_script::play;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_lines_and_failures_breaks_a_rule_of_the_session(bytes in proptest::collection::vec(any::<u8>(), 0..800)) {
        play(&bytes);
    }
}
