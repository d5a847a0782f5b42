//! The options of a connection, by number.

use everwire_core::{
    Backoff, Config, HeartbeatMode, OutboxLimits, PingSchedule, ReconnectRules, Time, Watermarks, WhenFull,
};

/// The options of a connection. All have the core's defaults but the heartbeat, which is off: a page that replaces its WebSocket by this
/// one must not send what its server does not know.
#[derive(Debug)]
pub struct Options {
    backoff: Backoff,
    watermarks: Watermarks,
    outbox: OutboxLimits,
    timeouts: Timeouts,
    reconnect: ReconnectRules,
    heartbeat: HeartbeatMode,
    pings: PingSchedule,
}

#[derive(Debug)]
struct Timeouts {
    connect_timeout: Time,
    close_timeout: Time,
}

/// A value that crosses the border as a number: times in ms, and infinite for no limit.
trait Value {
    fn set(&mut self, value: f64);
    #[cfg(not(target_family = "wasm"))]
    fn get(&self) -> f64;
}

/// Numbers the options, finds the value of each, and lists them for JavaScript: first those that a number cannot set, then group by
/// group those that have a number as default.
macro_rules! options {
    (switches: $($switch:ident),*; $($group:literal in $place:ident: $($name:ident),*;)*) => {
        #[allow(non_camel_case_types, reason = "named like the options")]
        enum Number { $($switch,)* $($($name,)*)* }

        #[allow(non_upper_case_globals, reason = "named like the options")]
        mod number {
            use super::Number;
            $(pub(super) const $switch: u32 = Number::$switch as u32;)*
            $($(pub(super) const $name: u32 = Number::$name as u32;)*)*
        }

        impl Options {
            /// Sets the option with this number. A number that stands for none has no effect.
            pub fn set(&mut self, option: u32, value: f64) {
                match option {
                    $($(number::$name => self.$place.$name.set(value),)*)*
                    _ => self.switch(option, value),
                }
            }

            /// The numbers of the options, in order.
            #[cfg(not(target_family = "wasm"))]
            pub(crate) const NAMES: &[&str] = &[$(stringify!($switch),)* $($(stringify!($name),)*)*];

            /// Each group with its options and their values.
            #[cfg(not(target_family = "wasm"))]
            pub(crate) fn groups(&self) -> Vec<(&'static str, Vec<(&'static str, f64)>)> {
                vec![$(($group, vec![$((stringify!($name), self.$place.$name.get())),*])),*]
            }
        }
    };
}

options! {
    switches: drop_oldest, asks_application, renews_credentials, sends_pings, silence;
    "backoff" in backoff: floor, first, factor, max, quick, quick_after_silence, stable_after, max_retries;
    "" in timeouts: connect_timeout, close_timeout;
    "watermarks" in watermarks: high, low;
    "outbox" in outbox: max_messages, max_bytes, time_to_live;
    "heartbeat" in pings: after_silence, min_deadline, max_deadline, wake_deadline, sample_every;
}

impl Options {
    /// All at their defaults.
    pub fn new() -> Self {
        let Config { backoff, watermarks, outbox, reconnect, connect_timeout, close_timeout, .. } = Config::default();
        let timeouts = Timeouts { connect_timeout, close_timeout };
        let (heartbeat, pings) = (HeartbeatMode::Off, PingSchedule::default());
        Self { backoff, watermarks, outbox, timeouts, reconnect, heartbeat, pings }
    }

    fn switch(&mut self, option: u32, value: f64) {
        match option {
            number::drop_oldest => self.outbox.when_full = WhenFull::DropOldest,
            number::asks_application => self.reconnect.asks_application = true,
            number::renews_credentials => self.reconnect.renews_credentials = true,
            number::sends_pings => self.heartbeat = HeartbeatMode::default(),
            number::silence => self.heartbeat = HeartbeatMode::Silence(Time::from_millis_f64(value)),
            _ => {}
        }
    }

    pub(crate) fn into_config(self) -> Config {
        let Timeouts { connect_timeout, close_timeout } = self.timeouts;
        let heartbeat = match self.heartbeat {
            HeartbeatMode::Ping(_) => HeartbeatMode::Ping(self.pings),
            other => other,
        };
        let Self { backoff, watermarks, outbox, reconnect, .. } = self;
        Config { backoff, heartbeat, outbox, watermarks, reconnect, connect_timeout, close_timeout }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Value for Time {
    fn set(&mut self, value: f64) {
        *self = Self::from_millis_f64(value);
    }

    #[cfg(not(target_family = "wasm"))]
    fn get(&self) -> f64 {
        self.as_millis_f64()
    }
}

impl Value for f64 {
    fn set(&mut self, value: f64) {
        *self = value;
    }

    #[cfg(not(target_family = "wasm"))]
    fn get(&self) -> f64 {
        *self
    }
}

impl Value for u64 {
    fn set(&mut self, value: f64) {
        *self = value as Self;
    }

    #[cfg(not(target_family = "wasm"))]
    fn get(&self) -> f64 {
        *self as f64
    }
}

impl Value for usize {
    fn set(&mut self, value: f64) {
        *self = value as Self;
    }

    #[cfg(not(target_family = "wasm"))]
    fn get(&self) -> f64 {
        *self as f64
    }
}

impl Value for Option<u32> {
    fn set(&mut self, value: f64) {
        *self = value.is_finite().then_some(value as u32);
    }

    #[cfg(not(target_family = "wasm"))]
    fn get(&self) -> f64 {
        self.map_or(f64::INFINITY, f64::from)
    }
}

impl Value for Option<Time> {
    fn set(&mut self, value: f64) {
        *self = value.is_finite().then_some(Time::from_millis_f64(value));
    }

    #[cfg(not(target_family = "wasm"))]
    fn get(&self) -> f64 {
        self.map_or(f64::INFINITY, Time::as_millis_f64)
    }
}
