use tokio::time::Instant;

/// Limits the messages a second of one connection: a token bucket that holds one second's worth.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: f64,
    tokens: f64,
    refilled_at: Instant,
}

impl RateLimiter {
    /// Starts with a full bucket. 0 a second is no limit.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second), tokens: f64::from(per_second), refilled_at: now }
    }

    /// Takes a token for one message. Returns whether there was one.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let refill = now.saturating_duration_since(self.refilled_at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + refill).min(self.per_second);
        self.refilled_at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_of_one_second_is_allowed_and_then_the_rate() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(10, start);
        assert_eq!((0..20).filter(|_| limiter.allows(start)).count(), 10);
        let half_a_second_later = start + Duration::from_millis(500);
        assert_eq!((0..20).filter(|_| limiter.allows(half_a_second_later)).count(), 5);
        let an_hour_later = start + Duration::from_secs(3600);
        assert_eq!(
            (0..20).filter(|_| limiter.allows(an_hour_later)).count(),
            10,
            "an idle hour must not add up to a flood"
        );
    }

    #[test]
    fn zero_is_no_limit() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(0, start);
        assert!((0..100_000).all(|_| limiter.allows(start)));
    }
}
