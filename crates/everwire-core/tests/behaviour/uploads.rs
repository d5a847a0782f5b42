//! Big uploads over slow uplinks, behind which a ping has to wait.

use everwire_core::{Config, Page, Phase};

use crate::world::{World, ms, s};

fn uploading(bytes: usize, rate: f64, kernel: u64) -> World {
    let mut world = World::open(Config::default(), 1);
    world.run_for(s(60));
    world.link.uplink = Some(rate);
    world.link.kernel = kernel;
    for _ in 0..bytes / 65_536 {
        world.accept(&"x".repeat(65_536));
    }
    world
}

#[test]
fn a_big_upload_on_a_slow_uplink_is_not_taken_for_a_dead_link() {
    for (rate, kernel) in [(20e3, 64 << 10), (50e3, 128 << 10), (100e3, 256 << 10), (400e3, 1 << 20), (2e6, 2 << 20)] {
        let mut world = uploading(6 << 20, rate, kernel);
        world.run_for(s((6 << 20) / rate as u64 + 120));
        assert_eq!(world.drops().len(), 0, "{rate} bytes a second");
        assert_eq!(world.server.received.len(), 96);
    }
}

#[test]
fn looking_at_the_page_during_an_upload_does_not_end_it() {
    let mut world = uploading(2 << 20, 60e3, 128 << 10);
    for _ in 0..20 {
        world.run_for(ms(2_500));
        world.page(Page::Visible);
    }
    assert_eq!(world.drops().len(), 0);
    assert!(world.server.received.len() == 32);
}

#[test]
fn a_link_that_dies_during_an_upload_is_detected() {
    let mut world = uploading(6 << 20, 100e3, 256 << 10);
    world.run_for(s(20));
    world.cut();
    let took = world.run_until_phase("lost", |phase| matches!(phase, Phase::Waiting { .. }));
    assert!(took <= s(45), "{took:?}");
}

#[test]
fn what_a_dead_link_still_held_is_reported_and_the_rest_goes_out_over_the_next() {
    let mut world = uploading(4 << 20, 100e3, 256 << 10);
    world.run_for(s(5));
    world.cut();
    world.run_until_replaced();
    let lost: Vec<_> = world.reports().into_iter().flatten().collect();
    world.link.uplink = None;
    world.run_for(s(60));
    // What the operating system held is neither: the platform says that it was handed to the network.
    let in_the_kernel = 64 - lost.len() - world.server.received.len();
    assert!(in_the_kernel <= 5, "{} reported, {} received", lost.len(), world.server.received.len());
    assert!((4..=17).contains(&lost.len()), "{}", lost.len());
}
