use everwire_core::{Cause, ClosePolicy, Config, Heartbeat, PingSchedule, Verdict, WhenFull};

use crate::{codes::knob, time::from_millis};

/// The options of a connection. What is not turned stays at the core's default, but for the heartbeat, which is off: a page
/// that swaps its WebSocket for this one must not start to say things that its server has never heard.
pub struct Knobs(Config);

impl Knobs {
    /// All at their defaults.
    pub fn new() -> Self {
        Self(Config { heartbeat: Heartbeat::Off, ..Config::default() })
    }

    /// Turns one of [`codes::knob`](crate::codes::knob); times are in milliseconds.
    pub fn turn(&mut self, knob: u32, value: f64) {
        let time = from_millis(value);
        let Config { backoff, outbox, watermarks, heartbeat, .. } = &mut self.0;
        match knob {
            knob::FLOOR => backoff.floor = time,
            knob::FIRST => backoff.first = time,
            knob::FACTOR => backoff.factor = value,
            knob::MAX => backoff.max = time,
            knob::QUICK => backoff.quick = time,
            knob::QUICK_AFTER_SILENCE => backoff.quick_after_silence = time,
            knob::STABLE_AFTER => backoff.stable_after = time,
            knob::MAX_RETRIES => backoff.max_retries = value.is_finite().then_some(value as u32),
            knob::CONNECT_TIMEOUT => self.0.connect_timeout = time,
            knob::CLOSE_TIMEOUT => self.0.close_timeout = time,
            knob::HIGH_WATER_MARK => watermarks.high = value as u64,
            knob::LOW_WATER_MARK => watermarks.low = value as u64,
            knob::OUTBOX_MESSAGES => outbox.max_messages = value as usize,
            knob::OUTBOX_BYTES => outbox.max_bytes = value as usize,
            knob::OUTBOX_TIME_TO_LIVE => outbox.time_to_live = value.is_finite().then_some(time),
            knob::DROP_OLDEST => outbox.when_full = WhenFull::DropOldest,
            knob::RETRY_ALL => self.0.close_policy = ClosePolicy::new(all_but_refused),
            knob::SILENCE => *heartbeat = Heartbeat::Silence(time),
            _ => {
                let mut schedule = match heartbeat {
                    Heartbeat::Ping(schedule) => schedule.clone(),
                    _ => PingSchedule::default(),
                };
                match knob {
                    knob::PING_AFTER_SILENCE => schedule.after_silence = time,
                    knob::PING_MIN_DEADLINE => schedule.min_deadline = time,
                    knob::PING_MAX_DEADLINE => schedule.max_deadline = time,
                    knob::PING_WAKE_DEADLINE => schedule.wake_deadline = time,
                    knob::PING_SAMPLE_EVERY => schedule.sample_every = value.is_finite().then_some(time),
                    _ => return,
                }
                *heartbeat = Heartbeat::Ping(schedule);
            }
        }
    }

    pub(crate) fn into_config(self) -> Config {
        self.0
    }
}

impl Default for Knobs {
    fn default() -> Self {
        Self::new()
    }
}

fn all_but_refused(cause: &Cause) -> Verdict {
    match ClosePolicy::default().judge(cause) {
        Verdict::Stop if !matches!(cause, Cause::Refused(_)) => Verdict::Retry,
        verdict => verdict,
    }
}
