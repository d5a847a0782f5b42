use tokio::time::Instant;

/// Messages a second that one connection may send: a bucket that holds one second's worth and refills steadily.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl RateLimiter {
    /// Starts with a full bucket; 0 a second is no limit.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second), left: f64::from(per_second), at: now }
    }

    /// Takes one message out of the bucket, or says that there is none left.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let refill = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + refill).min(self.per_second);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
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
            "an idle hour must not save up a flood"
        );
    }

    #[test]
    fn zero_is_no_limit() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(0, start);
        assert!((0..100_000).all(|_| limiter.allows(start)));
    }
}
