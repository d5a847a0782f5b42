//! The state machines of sessions: each side alone, both sides in a simulation, and under random scripts.

mod client;
mod delivery;
mod feed;
mod histories;
mod reconnects;
mod server;
mod server_script;
mod simulation;
#[allow(dead_code, reason = "the tests of the protocol use other parts of the specification")]
#[path = "../protocol/specification.rs"]
mod specification;
mod tables;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_lines_and_failures_breaks_an_invariant_of_the_servers_session(
        bytes in proptest::collection::vec(any::<u8>(), 0..800),
    ) {
        server_script::run(&bytes);
    }
}
