//! The bounds that the example `herd` shows.

#[allow(dead_code, reason = "the example uses more of them than the bounds need")]
#[path = "../examples/herd/blip.rs"]
mod blip;
#[path = "../examples/herd/crowd.rs"]
mod crowd;
#[path = "../examples/herd/percentile.rs"]
mod percentile;

use std::time::Duration;

use percentile::percentile;

#[test]
fn ten_thousand_clients_that_lose_their_server_do_not_return_at_once() {
    let crowd = crowd::Crowd::lose_server(10_000);
    assert_eq!(crowd.back.len(), 10_000);
    assert!(crowd.peak_per_100ms <= 400, "{} attempts in 100 ms", crowd.peak_per_100ms);
    assert!(crowd.attempts <= 100_000, "{} attempts", crowd.attempts);
    let back = percentile(&crowd.back, 99.0);
    assert!(back <= Duration::from_secs(30), "{back:?}");
}

#[test]
fn one_clients_blip_heals_within_a_second_and_a_half() {
    for browser in [blip::Browser::Reports, blip::Browser::ReportsAndKeepsTheSocket] {
        let back = percentile(&blip::returns(2_000, browser), 95.0);
        assert!(back <= Duration::from_millis(1_500), "{browser:?}: {back:?}");
    }
}
