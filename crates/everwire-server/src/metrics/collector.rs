use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::endpoint::Metrics;

/// Encodes the counters on each scrape. The counters themselves are not those of prometheus-client, which all workers would share:
/// see [`Counter`](super::counter::Counter).
impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let endpoints = self.endpoints();
        let name = "everwire_connections";
        let mut gauge = encoder.encode_descriptor(name, "Open WebSocket connections.", None, MetricType::Gauge)?;
        for of in &endpoints {
            ConstGauge::new(of.connections()).encode(gauge.encode_family(&[("endpoint", of.name())])?)?;
        }
        counter(
            &mut encoder,
            "everwire_connections",
            "WebSocket connections since the start.",
            endpoints.iter().map(|of| ([("endpoint", of.name())], of.connections_total())),
        )?;
        counter(
            &mut encoder,
            "everwire_indirect_connections",
            "WebSocket connections since the start that messages are not written to directly, as with TLS.",
            endpoints.iter().map(|of| ([("endpoint", of.name())], of.indirect_connections_total())),
        )?;
        let totals: Vec<_> = endpoints.iter().map(|of| (of.name(), of.totals())).collect();
        counter(
            &mut encoder,
            "everwire_messages",
            "Text and binary messages.",
            totals.iter().flat_map(|(name, totals)| by_direction(name, totals.messages_in, totals.messages_out)),
        )?;
        counter(
            &mut encoder,
            "everwire_message_bytes",
            "Payload bytes of those messages.",
            totals.iter().flat_map(|(name, totals)| by_direction(name, totals.bytes_in, totals.bytes_out)),
        )?;
        counter(
            &mut encoder,
            "everwire_drops",
            "Connections that the server refused or ended, by reason.",
            endpoints.iter().flat_map(|of| {
                let drops = of.all_drops().into_iter();
                drops.map(|(reason, count)| ([("endpoint", of.name()), ("reason", reason)], count))
            }),
        )?;
        let counters = [
            (
                "everwire_handshake_timeouts",
                "Connections that did not send a whole request in time.",
                &self.handshake_timeouts,
            ),
            (
                "everwire_connections_cut",
                "Connections over the limits that were ended without an answer.",
                &self.connections_cut,
            ),
        ];
        for (name, help, counter) in counters {
            let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(counter.value()).encode(family)?;
        }
        Ok(())
    }
}

/// Encodes a counter with its samples. The encoder adds `_total` to the name.
fn counter<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: impl Iterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in samples {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn by_direction(endpoint: &str, received: u64, sent: u64) -> [([(&str, &str); 2], u64); 2] {
    [("in", received), ("out", sent)]
        .map(|(direction, count)| ([("endpoint", endpoint), ("direction", direction)], count))
}
