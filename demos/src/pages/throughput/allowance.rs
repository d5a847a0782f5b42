/// How many messages one connection may send in a time. The companion server closes a connection that sends more than
/// 10,000 a second, and the clocks of the two need not agree to the millisecond.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allowance {
    /// When the current tenth of a second began, in milliseconds.
    since: f64,
    sent: usize,
}

impl Allowance {
    const WINDOW: f64 = 100.0;
    const MOST: usize = 900;

    /// Takes up to `wanted` messages.
    pub(super) fn take(&mut self, now: f64, wanted: usize) -> usize {
        if now - self.since >= Self::WINDOW {
            *self = Self { since: now, sent: 0 };
        }
        let taken = wanted.min(Self::MOST - self.sent);
        self.sent += taken;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_nine_thousand_a_second_are_sent() {
        let mut allowance = Allowance::default();
        let sent: usize = (0..100_000).map(|step| allowance.take(1e9 + f64::from(step) / 10.0, 7)).sum();
        assert!((89_000..=90_900).contains(&sent), "{sent} in ten seconds");
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.take(1e9, 2_000), 900);
        assert_eq!(allowance.take(1e9 + 99.0, 1), 0);
        assert_eq!(allowance.take(1e9 + 60_000.0, 2_000), 900);
    }
}
