/// Numbers that look random and follow from a seed (SplitMix64, Steele, Lea and Flood 2014), so that a walk can be walked
/// again in a test. Good enough for a walk; not for anything that has to be secret.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Evenly from 0 to below 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from -1 to below 1.
    pub(super) fn either_way(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    /// Whether something happens that does so in this part of all cases.
    pub(super) fn chance(&mut self, part: f64) -> bool {
        self.unit() < part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_gives_others() {
        let first = |seed| Dice::new(seed).unit();
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let mut dice = Dice::new(1);
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            tenths[(dice.unit() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
    }
}
