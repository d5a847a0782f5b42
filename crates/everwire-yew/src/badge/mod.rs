//! How the connection is, for people.
//!
//! # Layout
//! - `countdown`: the seconds until the next attempt
//! - `words`: what the badge says

mod countdown;
mod words;

use std::rc::Rc;
use std::time::Duration;

use yew::prelude::*;

use crate::ConnectionStatus;
use countdown::use_countdown;
use words::Phase;

/// What [`ConnectionBadge`] shows.
#[derive(Properties, PartialEq, Clone, Debug)]
pub struct BadgeProps {
    /// The connection: [`UseSocket::status`](crate::UseSocket::status) or [`use_client_status`](crate::use_client_status).
    pub status: ConnectionStatus,
    /// More classes for the outermost element.
    #[prop_or_default]
    pub class: Classes,
}

/// A small badge: the state of the connection, the latest round trip, and while the connection is down the number of the next
/// attempt, the time until then, and a button that makes it now. While the browser is offline it says that instead of a time.
///
/// # Markup
/// It comes without a style; `badge.css` in this crate is one to take or to begin with. The elements are
///
/// | class | is |
/// |---|---|
/// | `everwire-badge` | the badge; `data-phase` is `connecting`, `open`, `waiting`, `offline`, `closing`, `closed`, `failed` or `idle` |
/// | `everwire-badge-dot` | a spot for the colour of the state |
/// | `everwire-badge-state` | the state in a word; a screen reader says it when it changes |
/// | `everwire-badge-detail` | the round trip, or the next attempt and the time until then |
/// | `everwire-badge-now` | the button |
///
/// `closed` is an end that a side wanted, `failed` one that nobody did. The numbers are kept from screen readers' announcements: they
/// change too often. Why the connection is down is the badge's `title`.
#[component]
pub fn ConnectionBadge(props: &BadgeProps) -> Html {
    let BadgeProps { status, class } = props;
    let countdown = use_countdown(status);
    let sample = use_round_trip(status);
    // Read anew: an attempt that begins, or a state that was reached through a handle, has no event.
    let phase = Phase::of(status.state_now(), status);
    let detail = phase.detail(status.attempt(), countdown, sample);
    let now = {
        let status = status.clone();
        Callback::from(move |_| status.reconnect())
    };
    let title = status.trouble().filter(|_| phase != Phase::Open).cloned();
    html! {
        <div class={classes!("everwire-badge", class.clone())} data-phase={phase.name()} {title}>
            <span class="everwire-badge-dot" aria-hidden="true"></span>
            <span class="everwire-badge-state" role="status">{ phase.words() }</span>
            if let Some(detail) = detail {
                // Another phase has another element: one that is kept would move, which browsers count as a shift of the layout.
                <span class="everwire-badge-detail" key={phase.name()}>{ detail }</span>
            }
            if let Some(words) = phase.button().filter(|_| status.live.can_reconnect()) {
                <button type="button" class="everwire-badge-now" onclick={now}>{ words }</button>
            }
        </div>
    }
}

/// The latest sample of the round trip, rendered as it comes.
#[hook]
fn use_round_trip(status: &ConnectionStatus) -> Option<Duration> {
    let trigger = use_force_update();
    let live = Rc::clone(&status.live);
    use_effect_with(ByIdentity(live), move |ByIdentity(live)| {
        let following = live.follow(Callback::from(move |_| trigger.force_update()));
        move || drop(following)
    });
    status.live.round_trip()
}

struct ByIdentity<T>(Rc<T>);

impl<T> PartialEq for ByIdentity<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
