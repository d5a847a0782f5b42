use std::time::Duration;

use everwire::State;

/// What a badge tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    Waiting,
    Closing,
    Closed,
    /// There is no socket.
    Idle,
}

impl Phase {
    pub(super) fn of(state: State, is_idle: bool) -> Self {
        match state {
            State::Connecting => Self::Connecting,
            State::Open => Self::Open,
            State::Waiting { .. } => Self::Waiting,
            State::Closing => Self::Closing,
            _ if is_idle => Self::Idle,
            _ => Self::Closed,
        }
    }

    /// Its name for style sheets.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Idle => "idle",
        }
    }

    /// Its name for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Connecting => "Connecting",
            Self::Open => "Connected",
            Self::Waiting => "Reconnecting",
            Self::Closing => "Closing",
            Self::Closed => "Closed",
            Self::Idle => "Not connected",
        }
    }

    /// Whether an attempt could be made now that is not being made.
    pub(super) fn can_reconnect(self) -> bool {
        matches!(self, Self::Waiting | Self::Closed)
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
    use super::*;

    #[test]
    fn a_round_trip_shows_the_digits_that_mean_something() {
        let shown = [400, 9_940, 38_400, 999_400, 1_250_000].map(|us| round_trip(Duration::from_micros(us)));
        assert_eq!(shown, ["0.4 ms", "9.9 ms", "38 ms", "999 ms", "1.2 s"]);
    }

    #[test]
    fn what_has_no_socket_is_not_called_closed() {
        assert_eq!(Phase::of(State::Closed, true), Phase::Idle);
        assert_eq!(Phase::of(State::Closed, false), Phase::Closed);
        assert!(!Phase::Idle.can_reconnect());
    }
}
