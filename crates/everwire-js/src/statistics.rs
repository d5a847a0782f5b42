//! What is known of the link, by number.

use core::time::Duration;

use everwire_core::Connection;

use crate::{body::Body, codes::stat, time::to_millis};

pub(crate) fn read(connection: &Connection<Body>, stat: u32) -> f64 {
    let latency = connection.latency();
    let summary = latency.summary();
    let time = match stat {
        stat::ANSWERED => return summary.count as f64,
        stat::LOST => return summary.lost as f64,
        stat::LAST => summary.last,
        stat::MIN => summary.min,
        stat::MAX => summary.max,
        stat::MEAN => summary.mean,
        stat::STANDARD_DEVIATION => summary.standard_deviation,
        stat::JITTER => summary.jitter,
        stat::P50 => summary.p50,
        stat::P90 => summary.p90,
        stat::P99 => summary.p99,
        stat::CLOCK_OFFSET => return latency.clock().server_time(Duration::ZERO).unwrap_or(f64::NAN),
        stat::FAILURES => return connection.failures().into(),
        stat::IS_READY => return connection.is_ready().into(),
        _ => None,
    };
    time.map_or(f64::NAN, to_millis)
}
