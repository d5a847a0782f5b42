//! A badge that shows the status of a connection: its component, the countdown to the next attempt, and its texts.

use std::rc::Rc;
use std::time::Duration;

use everwire::State;
use gloo_timers::callback::Timeout;
use yew::prelude::*;

use crate::ConnectionStatus;

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
/// `closed` is an intended end, `failed` an unintended one. Screen readers do not announce the numbers, which change too often. Why the connection is down is the badge's `title`.
#[component]
pub fn ConnectionBadge(props: &BadgeProps) -> Html {
    let BadgeProps { status, class } = props;
    let countdown = use_countdown(status);
    let sample = use_round_trip(status);
    // The current state, since the start of an attempt, or a change through a handle, has no event.
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
            <span class="everwire-badge-state" role="status">{ phase.label() }</span>
            if let Some(detail) = detail {
                // Each phase has its own element: a reused one would move, which browsers count as a layout shift.
                <span class="everwire-badge-detail" key={phase.name()}>{ detail }</span>
            }
            if let Some(words) = phase.button().filter(|_| status.connection.can_reconnect()) {
                <button type="button" class="everwire-badge-now" onclick={now}>{ words }</button>
            }
        </div>
    }
}

/// The latest sample of the round trip; renders again for each.
#[hook]
fn use_round_trip(status: &ConnectionStatus) -> Option<Duration> {
    let trigger = use_force_update();
    let connection = Rc::clone(&status.connection);
    use_effect_with(ByIdentity(connection), move |ByIdentity(connection)| {
        let subscription = connection.subscribe(Callback::from(move |_| trigger.force_update()));
        move || drop(subscription)
    });
    status.connection.round_trip()
}

struct ByIdentity<T>(Rc<T>);

impl<T> PartialEq for ByIdentity<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// The seconds until the next attempt, rounded up; renders again when they change and when they are over.
#[hook]
fn use_countdown(status: &ConnectionStatus) -> Option<u64> {
    let tick = use_state(|| 0_u32);
    let left = time_left(status);
    {
        let tick = tick.clone();
        use_effect_with((status.clone(), *tick), move |(status, number)| {
            let next = number.wrapping_add(1);
            let timer = time_left(status).map(|left| Timeout::new(until_it_changes(left), move || tick.set(next)));
            move || drop(timer)
        });
    }
    left.map(seconds)
}

fn time_left(status: &ConnectionStatus) -> Option<Duration> {
    match status.state_now() {
        State::Waiting { retry_in, .. } => retry_in,
        _ => None,
    }
}

fn seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// The milliseconds until the number of begun seconds is another one, or the time is over.
fn until_it_changes(left: Duration) -> u32 {
    let begun = left.as_micros().div_ceil(1_000).saturating_sub(1);
    u32::try_from(begun % 1_000).map_or(1, |ms| ms + 1)
}

/// The phases that a badge distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    Waiting,
    /// Waiting for the network, for which there is no countdown.
    Offline,
    Closing,
    Closed,
    /// Over, and not intended by either side.
    Failed,
    /// There is no socket and no client.
    Idle,
}

impl Phase {
    /// `state` is the latest, which may be further than `status`.
    fn of(state: State, status: &ConnectionStatus) -> Self {
        match state {
            State::Connecting => Self::Connecting,
            State::Open => Self::Open,
            State::Waiting { .. } if status.is_offline() => Self::Offline,
            State::Waiting { .. } => Self::Waiting,
            State::Closing => Self::Closing,
            _ if status.is_idle() => Self::Idle,
            _ if status.down_reason().is_some_and(|reason| !reason.is_normal()) => Self::Failed,
            _ => Self::Closed,
        }
    }

    /// Its name for style sheets.
    fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Offline => "offline",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Idle => "idle",
        }
    }

    /// Its label.
    fn label(self) -> &'static str {
        match self {
            Self::Connecting => "Connecting",
            Self::Open => "Connected",
            Self::Waiting => "Reconnecting",
            Self::Offline => "Offline",
            Self::Closing => "Closing",
            Self::Closed => "Closed",
            Self::Failed => "Disconnected",
            Self::Idle => "Not connected",
        }
    }

    /// The text next to the state. `seconds` are those until the next attempt.
    fn detail(self, attempt: Option<u32>, seconds: Option<u64>, sample: Option<Duration>) -> Option<String> {
        match (self, attempt, seconds) {
            (Self::Open, ..) => sample.map(round_trip),
            (Self::Waiting, Some(attempt), Some(seconds)) => Some(format!("attempt {attempt} in {seconds} s")),
            (Self::Connecting | Self::Waiting, Some(attempt), _) => Some(format!("attempt {attempt}")),
            (Self::Offline, ..) => Some("no network".to_owned()),
            _ => None,
        }
    }

    /// The label of the button that connects now; `None` during an attempt, and if none is possible.
    fn button(self) -> Option<&'static str> {
        match self {
            Self::Waiting | Self::Offline => Some("Reconnect now"),
            Self::Closed | Self::Failed => Some("Reconnect"),
            _ => None,
        }
    }
}

/// A round trip with its significant digits.
fn round_trip(sample: Duration) -> String {
    let ms = sample.as_secs_f64() * 1e3;
    match ms {
        ..9.95 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DownReason;
    use crate::connection::SharedConnection;

    #[test]
    fn a_second_that_has_begun_counts() {
        let counted = [0, 1, 999, 1_000, 1_001, 30_000].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(counted, [0, 1, 1, 1, 2, 30]);
    }

    #[test]
    fn the_timer_rings_when_one_second_less_is_left() {
        for ms in [1, 250, 999, 1_000, 1_001, 2_500] {
            let left = Duration::from_millis(ms);
            let later = left.saturating_sub(Duration::from_millis(until_it_changes(left).into()));
            assert!(seconds(later) < seconds(left), "{ms} ms");
        }
    }

    #[test]
    fn a_round_trip_shows_the_digits_that_mean_something() {
        let shown = [400, 9_940, 38_400, 999_400, 1_250_000].map(|us| round_trip(Duration::from_micros(us)));
        assert_eq!(shown, ["0.4 ms", "9.9 ms", "38 ms", "999 ms", "1.2 s"]);
    }

    fn status(state: State, reason: Option<DownReason>, is_offline: bool) -> ConnectionStatus {
        let status = ConnectionStatus::new(State::Connecting, Rc::new(SharedConnection::default()));
        status.then(state, reason).shown(None, is_offline)
    }

    const WAITING: State = State::Waiting { attempt: 3, retry_in: Some(Duration::from_secs(12)) };

    #[test]
    fn what_has_no_socket_is_not_called_closed() {
        let status = status(State::Closed, None, false);
        assert_eq!(Phase::of(status.state(), &status), Phase::Idle);
        assert_eq!(Phase::Idle.button(), None);
    }

    #[test]
    fn a_wait_shows_the_number_of_the_attempt_and_the_time_until_then() {
        let waiting = status(WAITING, None, false);
        let phase = Phase::of(WAITING, &waiting);
        let detail = phase.detail(waiting.attempt(), Some(12), None);
        assert_eq!((phase, detail.as_deref()), (Phase::Waiting, Some("attempt 3 in 12 s")));
        assert_eq!(phase.button(), Some("Reconnect now"));
        let dialling = waiting.then(State::Connecting, None);
        assert_eq!(Phase::Connecting.detail(dialling.attempt(), None, None).as_deref(), Some("attempt 3"));
        assert_eq!(Phase::Connecting.detail(None, None, None), None, "the first attempt needs no number");
        assert_eq!(dialling.then(State::Open, None).attempt(), None);
    }

    #[test]
    fn offline_promises_no_countdown() {
        let offline = status(WAITING, None, true);
        let phase = Phase::of(WAITING, &offline);
        assert_eq!((phase, phase.label()), (Phase::Offline, "Offline"));
        assert_eq!(phase.detail(offline.attempt(), Some(12), None).as_deref(), Some("no network"));
        assert_eq!(phase.button(), Some("Reconnect now"), "browsers err about the network");
    }
}
