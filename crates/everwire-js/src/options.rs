//! The options of a connection, as operands of `create`.

use everwire_core::{Config, HeartbeatMode, PingSchedule, Time, WhenFull};

use crate::Operands;

/// A value that crosses the border as a number: times in ms, and infinite for no limit.
trait Value {
    fn from_number(number: f64) -> Self;
    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64;
}

/// Numbers the options, reads them, and lists them for JavaScript: group by group those that have a default, then the others.
macro_rules! options {
    ($($group:literal in |$config:ident, $pings:ident| $place:expr => $($name:ident),*;)* others: $($other:ident),*;) => {
        #[allow(non_camel_case_types, reason = "named like the options")]
        enum Number { $($($name,)*)* $($other,)* }

        #[allow(non_upper_case_globals, reason = "named like the options")]
        mod number {
            use super::Number;
            $(pub(super) const $other: usize = Number::$other as usize;)*
        }

        /// The numbers of the options, in order.
        #[cfg(not(target_family = "wasm"))]
        pub(crate) const NAMES: &[&str] = &[$($(stringify!($name),)*)* $(stringify!($other),)*];

        /// How many there are.
        pub(crate) const COUNT: usize = [$($(Number::$name as u32,)*)* $(Number::$other as u32,)*].len();

        /// Reads the options that have a default.
        fn read(operands: &Operands) -> (Config, PingSchedule) {
            // All are read before any is set: so the defaults are not even written where all are set.
            $($(let $name = Value::from_number(operands.get(Number::$name as usize));)*)*
            let (mut config, mut pings) = (Config::default(), PingSchedule::default());
            $({
                let ($config, $pings) = (&mut config, &mut pings);
                $($place.$name = $name;)*
                _ = ($config, $pings);
            })*
            (config, pings)
        }

        /// Each group with its options and their defaults; those of the group `""` are in none.
        #[cfg(not(target_family = "wasm"))]
        pub(crate) fn defaults() -> Vec<(&'static str, Vec<(&'static str, f64)>)> {
            let (config, pings) = (Config::default(), PingSchedule::default());
            vec![$({
                let ($config, $pings) = (&config, &pings);
                let values = vec![$((stringify!($name), $place.$name.number())),*];
                _ = ($config, $pings);
                ($group, values)
            }),*]
        }
    };
}

options! {
    "backoff" in |config, pings| config.backoff =>
        floor, first, factor, max, quick, quick_after_silence, stable_after, max_retries;
    "" in |config, pings| config => connect_timeout, close_timeout;
    "watermarks" in |config, pings| config.watermarks => high, low;
    "outbox" in |config, pings| config.outbox => max_messages, max_bytes, time_to_live, when_full;
    "heartbeat" in |config, pings| pings => after_silence, min_deadline, max_deadline, wake_deadline, sample_every;
    // 1 for yes; the last is a time in ms, and negative or not a number for no.
    others: sends_pings, asks_application, renews_credentials, silence;
}

const _: () = assert!(COUNT == Operands::COUNT, "the block of operands has to hold the options");

/// The configuration that the operands say.
pub(crate) fn config(operands: &Operands) -> Config {
    let (mut config, pings) = read(operands);
    let silence = operands.get(number::silence);
    // A page that replaces its WebSocket by this one must not send what its server does not know.
    config.heartbeat = if operands.get(number::sends_pings) > 0.0 {
        HeartbeatMode::Ping(pings)
    } else if silence >= 0.0 {
        HeartbeatMode::Silence(Time::from_millis_f64(silence))
    } else {
        HeartbeatMode::Off
    };
    config.reconnect.asks_application = operands.get(number::asks_application) > 0.0;
    config.reconnect.renews_credentials = operands.get(number::renews_credentials) > 0.0;
    config
}

impl Value for Time {
    fn from_number(number: f64) -> Self {
        Self::from_millis_f64(number)
    }

    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64 {
        self.as_millis_f64()
    }
}

impl Value for f64 {
    fn from_number(number: f64) -> Self {
        number
    }

    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64 {
        *self
    }
}

impl Value for u64 {
    fn from_number(number: f64) -> Self {
        number as Self
    }

    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64 {
        *self as f64
    }
}

impl Value for usize {
    fn from_number(number: f64) -> Self {
        number as Self
    }

    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64 {
        *self as f64
    }
}

impl Value for Option<u32> {
    fn from_number(number: f64) -> Self {
        number.is_finite().then_some(number as u32)
    }

    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64 {
        self.map_or(f64::INFINITY, f64::from)
    }
}

impl Value for Option<Time> {
    fn from_number(number: f64) -> Self {
        number.is_finite().then_some(Time::from_number(number))
    }

    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64 {
        self.map_or(f64::INFINITY, Time::as_millis_f64)
    }
}

/// 1 drops the oldest; JavaScript has words for it.
impl Value for WhenFull {
    fn from_number(number: f64) -> Self {
        if number > 0.0 { Self::DropOldest } else { Self::Refuse }
    }

    #[cfg(not(target_family = "wasm"))]
    fn number(&self) -> f64 {
        if *self == Self::DropOldest { 1.0 } else { 0.0 }
    }
}
