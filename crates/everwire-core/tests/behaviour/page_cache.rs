//! The back/forward cache, where a socket must not be.

use everwire_core::{Action, CloseOutcome, ClosingHandshake, Config, DropCause, Page, Phase};

use crate::world::{Accepts, OPEN, World, ms, s};

#[test]
fn a_page_that_goes_into_the_cache_leaves_its_socket_and_returns_at_once() {
    let mut world = World::open(Config::default(), 1);
    world.run_for(s(30));
    world.page(Page::Suspended);
    assert_eq!(world.client.phase(), Phase::Waiting { until: None });
    assert!(
        matches!(world.last_report(), Action::Dropped { cause: DropCause::Suspended, retry, .. } if retry.at.is_none())
    );
    world.run_for(s(3_600));
    assert_eq!(world.dials.len(), 1);
    world.page(Page::Restored);
    assert_eq!(world.run_until_open(), ms(80));
}

#[test]
fn a_page_that_only_becomes_visible_returns_too() {
    for page in [Page::Visible, Page::Resumed] {
        let mut world = World::open(Config::default(), 2);
        world.run_for(s(1));
        world.page(Page::Suspended);
        world.run_for(s(10));
        world.page(page);
        world.run_until_open();
    }
}

#[test]
fn every_phase_may_go_into_the_cache() {
    let mut idle = World::new(Config::default(), 3);
    idle.page(Page::Suspended);
    idle.page(Page::Restored);
    assert_eq!(idle.client.phase(), Phase::Idle);

    let mut connecting = World::new(Config::default(), 4);
    connecting.server.accepts = Accepts::Hangs;
    connecting.input(OPEN);
    connecting.run_for(s(1));
    connecting.page(Page::Suspended);
    connecting.page(Page::Suspended);
    assert_eq!(connecting.drops(), [&DropCause::Suspended]);
    connecting.server.accepts = Accepts::Always;
    connecting.page(Page::Restored);
    connecting.run_until_open();

    let mut waiting = World::open(Config::default(), 5);
    waiting.drop_socket();
    waiting.page(Page::Suspended);
    waiting.run_for(s(600));
    assert_eq!(waiting.dials.len(), 1);
    waiting.page(Page::Restored);
    waiting.run_until_open();
}

#[test]
fn a_socket_that_is_closing_does_not_go_into_the_cache_either() {
    let mut world = World::open(Config::default(), 6);
    world.close();
    world.page(Page::Suspended);
    assert_eq!(world.client.phase(), Phase::Closed);
    assert!(matches!(
        world.last_report(),
        Action::Closed { outcome: CloseOutcome::ByApplication(ClosingHandshake::Suspended), .. }
    ));
}

/// phoenixframework/phoenix#6578: a page that came back reconnected what the application had closed.
#[test]
fn what_the_application_closed_stays_closed_when_the_page_returns() {
    let mut world = World::open(Config::default(), 7);
    world.close();
    world.run_for(s(1));
    for page in [Page::Suspended, Page::Restored, Page::Hidden, Page::Visible, Page::Frozen, Page::Resumed] {
        world.page(page);
        world.run_for(s(60));
    }
    assert_eq!((world.client.phase(), world.dials.len()), (Phase::Closed, 1));
}

#[test]
fn what_was_sent_before_and_in_the_cache_waits_or_is_reported() {
    let mut world = World::open(Config::default(), 8);
    world.link.buffered = Some(5);
    let at_risk = world.accept("12345");
    world.page(Page::Suspended);
    assert!(matches!(world.last_report(), Action::Dropped { at_risk: reported, .. } if reported.messages == [at_risk]));
    world.link.buffered = None;
    world.accept("later");
    world.page(Page::Restored);
    world.run_until_open();
    world.run_for(s(1));
    assert_eq!(world.server.texts(), ["later"]);
}

#[test]
fn going_back_and_forth_does_not_dial_more_often_than_the_floor() {
    let mut world = World::open(Config::default(), 9);
    for _ in 0..200 {
        world.page(Page::Suspended);
        world.run_for(ms(20));
        world.page(Page::Restored);
        world.run_for(ms(40));
    }
    let closest = world.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(world.dials.len() > 10 && closest >= ms(500), "{closest:?}");
}
