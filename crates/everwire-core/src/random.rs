use crate::time::Time;

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): a stream of numbers that
/// follows from the seed alone, so that a simulation with the same seed is the same simulation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A time drawn evenly from `low..=high`; `low` where `high` is not above it.
    pub(crate) fn between(&mut self, low: Time, high: Time) -> Time {
        low + Time::from_secs_f64((high - low).as_secs_f64() * self.fraction())
    }

    /// A number drawn evenly from `0.0..1.0`, from the upper 53 bits: what an `f64` can hold exactly.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_of_seed_0_are_those_of_the_published_generator() {
        let mut random = Random::new(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn draws_stay_within_their_bounds_and_use_the_whole_range() {
        let mut random = Random::new(7);
        let (low, high) = (Time::from_secs(1), Time::from_secs(3));
        let draws: Vec<_> = (0..10_000).map(|_| random.between(low, high)).collect();
        assert!(draws.iter().all(|draw| (low..=high).contains(draw)));
        assert!(draws.iter().min() < Some(&Time::from_millis(1_002)));
        assert!(draws.iter().max() > Some(&Time::from_millis(2_998)));
    }
}
