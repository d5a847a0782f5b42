//! What is known of the link, by number.

use core::time::Duration;

use everwire_core::{Connection, Time};

use crate::{body::Body, codes::stat};

pub(crate) fn read(connection: &Connection<Body>, stat: u32) -> f64 {
    let latency = connection.latency();
    let histogram = latency.histogram();
    let time = match stat {
        stat::ANSWERED => return histogram.count() as f64,
        stat::LOST => return latency.lost() as f64,
        stat::LAST => latency.last(),
        stat::MIN => histogram.min(),
        stat::MAX => histogram.max(),
        stat::MEAN => latency.mean(),
        stat::STANDARD_DEVIATION => latency.standard_deviation(),
        stat::JITTER => latency.jitter(),
        stat::P50 => histogram.percentile(50.0),
        stat::P90 => histogram.percentile(90.0),
        stat::P99 => histogram.percentile(99.0),
        stat::CLOCK_OFFSET => return latency.clock().server_time(Duration::ZERO).unwrap_or(f64::NAN),
        stat::FAILURES => return connection.failures().into(),
        stat::IS_READY => return connection.is_ready().into(),
        _ => None,
    };
    time.map_or(f64::NAN, |time: Duration| Time::from(time).as_millis_f64())
}
