//! The rate slider's scale: each step multiplies.

/// The most updates a second that can be asked for here.
pub(super) const MOST: u32 = 20_000;

/// The steps of the slider.
pub(super) const STEPS: u32 = 120;

/// The rate at a step, with two digits that mean something.
pub(super) fn at_step(step: u32) -> u32 {
    let share = f64::from(step.min(STEPS)) / f64::from(STEPS);
    let rate = f64::from(MOST).powf(share);
    let digits = 10_f64.powf((rate.log10().floor() - 1.0).max(0.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to MOST")]
    let rate = ((rate / digits).round() * digits) as u32;
    rate.min(MOST)
}

/// The step that is nearest to a rate.
pub(super) fn step_of(rate: u32) -> u32 {
    let share = f64::from(rate.clamp(1, MOST)).ln() / f64::from(MOST).ln();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to STEPS")]
    let step = (share * f64::from(STEPS)).round() as u32;
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_goes_from_one_to_the_most_and_never_back() {
        let rates: Vec<u32> = (0..=STEPS).map(at_step).collect();
        assert_eq!((rates[0], rates[STEPS as usize]), (1, MOST));
        assert!(rates.is_sorted());
    }

    #[test]
    fn rates_that_people_ask_for_are_near_a_step() {
        for rate in [1, 20, 100, 1_000, 20_000] {
            let near = f64::from(at_step(step_of(rate)));
            assert!((near / f64::from(rate) - 1.0).abs() < 0.06, "{rate}: {near}");
        }
    }
}
