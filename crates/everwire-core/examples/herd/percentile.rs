use std::time::Duration;

/// What so many percent of the durations do not exceed.
pub(crate) fn percentile(durations: &[Duration], percent: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}
