use std::rc::Rc;

use yew::prelude::*;

use super::fix::Fix;
use super::now;
use super::participants::Participant;
use super::parts::{FollowButton, People, Person, PrecisionChoice, Privacy, ShareCard, Simulation, TileCard};
use super::sights::{class, letters, name, sights};
use super::start_place::StartPlace;
use super::state::{State, ViewTarget};
use super::tracking::{Tracking, use_tracking};
use super::{readable, remembered};
use crate::client::use_client_line;
use crate::components::PageHead;
use crate::map::{LatLon, MapHandle, MapView, Surroundings, TileSource, WorldMap};

/// Closest that the view moves to somebody by itself, as the radius of what is then to be seen, in metres.
const NEAR: f64 = 250.0;

/// Everyone who shares a position, on a map.
#[component]
pub(crate) fn TrackerPage() -> Html {
    let (line, status) = use_client_line();
    let tracking = use_tracking();
    let map = use_memo((), |()| MapHandle::default());
    let walk_from = use_state_eq(|| None::<StartPlace>);
    let tiles = use_state_eq(remembered::tiles);
    let has_tile_trouble = use_state_eq(|| false);

    let on_pick = use_callback((), {
        let tracking = tracking.clone();
        move |id, ()| tracking.pick(id)
    });
    let on_ready = use_callback((), {
        let tracking = tracking.clone();
        move |(), ()| tracking.render()
    });
    let on_tile_error = use_callback((), {
        let has_tile_trouble = has_tile_trouble.setter();
        move |(), ()| has_tile_trouble.set(true)
    });
    let on_tiles = use_callback((), {
        let (tiles, has_tile_trouble) = (tiles.setter(), has_tile_trouble.setter());
        move |source: Option<TileSource>, ()| {
            remembered::keep_tiles(source.as_ref());
            has_tile_trouble.set(false);
            tiles.set(source);
        }
    });
    let on_start = use_callback(*walk_from, {
        let (tracking, map) = (tracking.clone(), map.clone());
        move |(), walk_from| {
            tracking.start(walk_from.map(|start| start.at(map.with(WorldMap::centre))));
        }
    });
    let on_stop = use_callback((), {
        let tracking = tracking.clone();
        move |(), ()| tracking.stop()
    });
    let on_precision = use_callback((), {
        let tracking = tracking.clone();
        move |precision, ()| tracking.set_precision(precision)
    });
    let on_everyone = use_callback((), {
        let tracking = tracking.clone();
        move |(), ()| tracking.show_everyone()
    });
    let on_moved = use_callback((), {
        let tracking = tracking.clone();
        move |(), ()| tracking.set_following(false)
    });
    let on_follow = use_callback((), {
        let tracking = tracking.clone();
        move |follow, ()| tracking.set_following(follow)
    });
    let on_simulate = use_callback((), {
        let walk_from = walk_from.setter();
        move |start, ()| walk_from.set(start)
    });
    use_effect({
        let (tracking, map) = (tracking.clone(), map.clone());
        move || {
            fulfil(&tracking, &map);
            follow(&tracking, &map);
        }
    });

    let state = tracking.state();
    let is_connected = status.is_open();
    let is_simulated = walk_from.is_some();
    let people = people(&state, tracking.server_time(), is_simulated);
    html! {
        <>
            <PageHead title="Geolocation tracker" connection={Some((line.clone(), status))}
                lead="Everyone who shares a position, live on one map." />
            <div class="tracker">
                <section class={classes!("tracker-map", (!is_connected).then_some("is-stale"))} aria-label="Map">
                    <MapView handle={(*map).clone()} label="Map of everyone who shares. Arrow keys move it, plus and minus zoom."
                        sights={Rc::new(sights(&state.participants, &on_pick))} tiles={(*tiles).clone()} {on_ready} {on_moved} {on_tile_error} />
                    if let Some(is_following) = state.is_following() {
                        <FollowButton {is_following} {on_follow} />
                    }
                </section>
                <div class="tracker-side stack">
                    <ShareCard is_wanted={state.sharing.is_wanted()} told={state.sharing.told()} problem={state.sharing.problem()}
                        {is_simulated} {is_connected} {on_start} {on_stop}>
                        <Privacy host={line.server().host()} />
                        <PrecisionChoice precision={state.sharing.precision()} on_choose={on_precision} />
                        <Simulation start={*walk_from} is_fixed={state.sharing.is_wanted()} on_choose={on_simulate} />
                    </ShareCard>
                    <People {people} {is_connected} {on_pick} {on_everyone} />
                    <TileCard tiles={(*tiles).clone()} has_trouble={*has_tile_trouble} on_choose={on_tiles} />
                </div>
            </div>
        </>
    }
}

/// Moves the view where it should be, as soon as there is a map and somebody there.
fn fulfil(tracking: &Tracking, map: &MapHandle) {
    let Some(target) = tracking.state().target else { return };
    let circles = circles(&tracking.state(), target);
    if circles.is_empty() {
        return;
    }
    // Who are close to each other are told apart only from nearby, if that was asked for.
    let surroundings = if target == ViewTarget::Everyone { Surroundings::CutOff } else { Surroundings::Shown };
    let moved = map.with(|map| {
        let is_moving = map.show_circles(&circles, surroundings);
        // Somebody was picked in the list, from where a phone does not show the map.
        if is_moving && matches!(target, ViewTarget::One(_)) {
            map.reveal();
        }
        is_moving
    });
    if moved == Some(true) {
        tracking.target_reached();
    }
}

/// Keeps the visitor in the middle of the view for as long as they want that.
fn follow(tracking: &Tracking, map: &MapHandle) {
    let state = tracking.state();
    map.with(|map| {
        map.set_following(state.is_following() == Some(true));
        if let Some(place) = state.followed() {
            map.follow(place);
        }
    });
}

/// What has to be in view.
fn circles(state: &State, target: ViewTarget) -> Vec<(LatLon, f64)> {
    let near = |participant: &Participant| {
        let Fix { place, accuracy } = participant.position.into();
        vec![(place, accuracy.max(NEAR))]
    };
    match target {
        ViewTarget::Overview | ViewTarget::Everyone => {
            let fixes = state.participants.all().map(|(_, participant)| Fix::from(participant.position));
            fixes.map(|fix| (fix.place, fix.accuracy)).collect()
        }
        ViewTarget::Me => state.participants.me().map(near).unwrap_or_default(),
        ViewTarget::One(id) => state.participants.get(id).map(near).unwrap_or_default(),
    }
}

/// The rows of the list.
fn people(state: &State, server_time: Option<f64>, is_simulated: bool) -> Vec<Person> {
    let here = state.participants.me().map(|me| Fix::from(me.position).place);
    let person = |(id, participant): (u64, &Participant)| {
        let is_me = state.participants.my_id() == Some(id);
        let position = participant.position;
        Person {
            id,
            name: name(id, is_me),
            letters: letters(id, is_me),
            class: class(id, is_me),
            is_me,
            is_simulated: is_me && is_simulated,
            is_picked: state.picked == Some(id),
            distance: here
                .filter(|_| !is_me)
                .map(|here| readable::distance(here.distance_to(Fix::from(position).place))),
            accuracy: readable::distance(position.accuracy),
            age: state.age_of(position.time, server_time, now()).map(readable::age),
        }
    };
    state.participants.all().map(person).collect()
}
