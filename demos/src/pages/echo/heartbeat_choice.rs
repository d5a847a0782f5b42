use core::time::Duration;

use everwire::{Heartbeat, PingSchedule};

/// The heartbeats that the page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeartbeatChoice {
    EverySecond,
    Standard,
    Silence,
    Off,
}

impl HeartbeatChoice {
    pub(super) const ALL: [Self; 4] = [Self::EverySecond, Self::Standard, Self::Silence, Self::Off];

    /// The name of the choice in the form.
    pub(super) fn value(self) -> &'static str {
        match self {
            Self::EverySecond => "second",
            Self::Standard => "standard",
            Self::Silence => "silence",
            Self::Off => "off",
        }
    }

    pub(super) fn from_value(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.value() == value)
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::EverySecond => "Ping every second, for a detailed chart",
            Self::Standard => "Ping after 7 s of silence (the default)",
            Self::Silence => "No pings: 30 s of silence count as a dead connection",
            Self::Off => "Off: only the browser detects a dead connection",
        }
    }

    pub(super) fn heartbeat(self) -> Heartbeat {
        let second = Duration::from_secs(1);
        match self {
            Self::EverySecond => {
                Heartbeat::ping().schedule(PingSchedule::default().after_silence(second).sample_every(second))
            }
            Self::Standard => Heartbeat::ping(),
            Self::Silence => Heartbeat::silence(30 * second),
            Self::Off => Heartbeat::off(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_found_by_its_value() {
        for choice in HeartbeatChoice::ALL {
            assert_eq!(HeartbeatChoice::from_value(choice.value()), Some(choice));
        }
        assert_eq!(HeartbeatChoice::from_value("other"), None);
    }
}
