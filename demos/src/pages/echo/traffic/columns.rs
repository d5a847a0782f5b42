use super::Series;

/// For how long a value is taken to hold where no other follows, in milliseconds: a ping is sent at least every 15 s while
/// the link is fine, and a message now and then says nothing about the time between.
const HEARTBEAT_HOLDS: f64 = 16_000.0;
const ECHO_HOLDS: f64 = 2_000.0;

/// The columns of a chart of the last minute: how many seconds from now, the heartbeats, the mean and the greatest of the echoes. A
/// value stands for the time until the next one; where none does there is a gap.
pub(in crate::pages::echo) fn columns(heartbeats: &Series, echoes: &Series, now: f64) -> Vec<Vec<f64>> {
    let start = now - Series::SPAN_MS;
    let of = |series: &Series| series.bins().map(|bin| bin.time).filter(|time| *time >= start).collect::<Vec<_>>();
    // The ends are there so that the chart always shows a whole minute, and moves on also when nothing happens.
    let mut times = [vec![start, now], of(heartbeats), of(echoes)].concat();
    times.sort_by(f64::total_cmp);
    times.dedup();
    vec![
        times.iter().map(|time| (time - now) / 1e3).collect(),
        held(&times, heartbeats.bins().map(|bin| (bin.time, bin.mean)), HEARTBEAT_HOLDS),
        held(&times, echoes.bins().map(|bin| (bin.time, bin.mean)), ECHO_HOLDS),
        held(&times, echoes.bins().map(|bin| (bin.time, bin.max)), ECHO_HOLDS),
    ]
}

/// The latest value at each time, or not a number where it is too old.
fn held(times: &[f64], values: impl Iterator<Item = (f64, f64)>, holds: f64) -> Vec<f64> {
    let mut values = values.peekable();
    let mut latest = None;
    let at = |time: &f64| {
        while let Some(value) = values.next_if(|(from, _)| from <= time) {
            latest = Some(value);
        }
        latest.filter(|(from, _)| time - from <= holds).map_or(f64::NAN, |(_, value)| value)
    };
    times.iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[(f64, f64)]) -> Series {
        let mut series = Series::default();
        values.iter().for_each(|(time, value)| series.record(*time, *value));
        series
    }

    #[test]
    fn a_value_holds_until_the_next_one_and_not_for_ever() {
        let now = 100_000.0;
        let heartbeats = series(&[(50_000.0, 5.0), (60_000.0, 6.0)]);
        let echoes = series(&[(55_000.0, 1.0), (55_100.0, 3.0), (90_000.0, 9.0)]);
        let columns = columns(&heartbeats, &echoes, now);
        assert_eq!(columns[0], [-60.0, -50.0, -45.0, -40.0, -10.0, 0.0]);
        let nan_as_zero = |column: &Vec<f64>| {
            column.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect::<Vec<_>>()
        };
        assert_eq!(nan_as_zero(&columns[1]), [0.0, 5.0, 5.0, 6.0, 0.0, 0.0]);
        assert_eq!(nan_as_zero(&columns[2]), [0.0, 0.0, 2.0, 0.0, 9.0, 0.0]);
        assert_eq!(nan_as_zero(&columns[3]), [0.0, 0.0, 3.0, 0.0, 9.0, 0.0]);
    }

    #[test]
    fn the_columns_are_of_one_length_and_a_minute_long_also_where_there_is_nothing() {
        let columns = columns(&Series::default(), &Series::default(), 90_000.0);
        assert_eq!(columns[0], [-60.0, 0.0]);
        assert!(columns.iter().all(|column| column.len() == 2));
    }
}
