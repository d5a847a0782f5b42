use std::time::Duration;

use everwire::State;

use crate::ConnectionStatus;

/// What a badge tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    Waiting,
    /// Waiting for the network, which no countdown can foretell.
    Offline,
    Closing,
    Closed,
    /// Over, and not because a side wanted it.
    Failed,
    /// There is no socket and no client.
    Idle,
}

impl Phase {
    /// `state` is the latest, which may be further than `status`.
    pub(super) fn of(state: State, status: &ConnectionStatus) -> Self {
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
    pub(super) fn name(self) -> &'static str {
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

    /// Its name for people.
    pub(super) fn words(self) -> &'static str {
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

    /// What is shown beside the state. `seconds` are those until the next attempt.
    pub(super) fn detail(self, attempt: Option<u32>, seconds: Option<u64>, sample: Option<Duration>) -> Option<String> {
        match (self, attempt, seconds) {
            (Self::Open, ..) => sample.map(round_trip),
            (Self::Waiting, Some(attempt), Some(seconds)) => Some(format!("attempt {attempt} in {seconds} s")),
            (Self::Connecting | Self::Waiting, Some(attempt), _) => Some(format!("attempt {attempt}")),
            (Self::Offline, ..) => Some("no network".to_owned()),
            _ => None,
        }
    }

    /// What the button says that makes an attempt now; `None` where one is being made, or cannot be.
    pub(super) fn button(self) -> Option<&'static str> {
        match self {
            Self::Waiting | Self::Offline => Some("Reconnect now"),
            Self::Closed | Self::Failed => Some("Reconnect"),
            _ => None,
        }
    }
}

/// A round trip with as many digits as mean something.
pub(super) fn round_trip(sample: Duration) -> String {
    let ms = sample.as_secs_f64() * 1e3;
    match ms {
        ..9.95 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::DownReason;
    use crate::live::Live;

    #[test]
    fn a_round_trip_shows_the_digits_that_mean_something() {
        let shown = [400, 9_940, 38_400, 999_400, 1_250_000].map(|us| round_trip(Duration::from_micros(us)));
        assert_eq!(shown, ["0.4 ms", "9.9 ms", "38 ms", "999 ms", "1.2 s"]);
    }

    fn status(state: State, reason: Option<DownReason>, is_offline: bool) -> ConnectionStatus {
        let status = ConnectionStatus::new(State::Connecting, Rc::new(Live::default()));
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
        assert_eq!((phase, phase.words()), (Phase::Offline, "Offline"));
        assert_eq!(phase.detail(offline.attempt(), Some(12), None).as_deref(), Some("no network"));
        assert_eq!(phase.button(), Some("Reconnect now"), "browsers err about the network");
    }
}
