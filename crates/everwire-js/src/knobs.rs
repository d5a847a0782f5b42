use everwire_core::{Config, Heartbeat, PingSchedule, Time, WhenFull};

use crate::{codes::knob, numbers::Policy};

/// The options of a connection. What is not turned stays at the core's default, but for the heartbeat, which is off: a page
/// that swaps its WebSocket for this one must not start to say things that its server has never heard.
pub struct Knobs {
    config: Config<Time, Policy>,
    /// Once a knob of the pings was turned, which switches them on.
    pings: Option<PingSchedule<Time>>,
}

impl Knobs {
    /// All at their defaults.
    pub fn new() -> Self {
        Self { config: Config { heartbeat: Heartbeat::Off, ..Config::standard(Policy::default()) }, pings: None }
    }

    /// Turns one of [`codes::knob`](crate::codes::knob); times are in milliseconds.
    pub fn turn(&mut self, knob: u32, value: f64) {
        let time = Time::from_millis_f64(value);
        if let Some(place) = self.time(knob) {
            *place = time;
            return;
        }
        let Config { backoff, outbox, watermarks, heartbeat, close_policy, .. } = &mut self.config;
        match knob {
            knob::FACTOR => backoff.factor = value,
            knob::MAX_RETRIES => backoff.max_retries = value.is_finite().then_some(value as u32),
            knob::HIGH_WATER_MARK => watermarks.high = value as u64,
            knob::LOW_WATER_MARK => watermarks.low = value as u64,
            knob::OUTBOX_MESSAGES => outbox.max_messages = value as usize,
            knob::OUTBOX_BYTES => outbox.max_bytes = value as usize,
            knob::OUTBOX_TIME_TO_LIVE => outbox.time_to_live = value.is_finite().then_some(time),
            knob::DROP_OLDEST => outbox.when_full = WhenFull::DropOldest,
            knob::RETRY_ALL => close_policy.retries_all = true,
            knob::RENEW_CREDENTIALS => close_policy.renews_credentials = true,
            knob::PING_SAMPLE_EVERY => self.pings().sample_every = value.is_finite().then_some(time),
            knob::SILENCE => *heartbeat = Heartbeat::Silence(time),
            _ => {}
        }
    }

    /// The option that is a time and nothing else.
    fn time(&mut self, knob: u32) -> Option<&mut Time> {
        Some(match knob {
            knob::FLOOR => &mut self.config.backoff.floor,
            knob::FIRST => &mut self.config.backoff.first,
            knob::MAX => &mut self.config.backoff.max,
            knob::QUICK => &mut self.config.backoff.quick,
            knob::QUICK_AFTER_SILENCE => &mut self.config.backoff.quick_after_silence,
            knob::STABLE_AFTER => &mut self.config.backoff.stable_after,
            knob::CONNECT_TIMEOUT => &mut self.config.connect_timeout,
            knob::CLOSE_TIMEOUT => &mut self.config.close_timeout,
            knob::PING_AFTER_SILENCE => &mut self.pings().after_silence,
            knob::PING_MIN_DEADLINE => &mut self.pings().min_deadline,
            knob::PING_MAX_DEADLINE => &mut self.pings().max_deadline,
            knob::PING_WAKE_DEADLINE => &mut self.pings().wake_deadline,
            _ => return None,
        })
    }

    fn pings(&mut self) -> &mut PingSchedule<Time> {
        self.pings.get_or_insert_with(PingSchedule::standard)
    }

    pub(crate) fn into_config(mut self) -> Config<Time, Policy> {
        if let Some(pings) = self.pings {
            self.config.heartbeat = Heartbeat::Ping(pings);
        }
        self.config
    }
}

impl Default for Knobs {
    fn default() -> Self {
        Self::new()
    }
}
