use std::fmt::Write;
use std::sync::Arc;

use super::endpoint::EndpointMetrics;

/// A family of samples with one value an endpoint and set of labels.
type Family = (&'static str, &'static str, &'static str, fn(&EndpointMetrics) -> Vec<(String, u64)>);

const FAMILIES: [Family; 6] = [
    ("everwire_connections", "gauge", "Open WebSocket connections.", |of| vec![(String::new(), of.connections())]),
    ("everwire_connections_total", "counter", "WebSocket connections since the start.", |of| {
        vec![(String::new(), of.connections_total())]
    }),
    (
        "everwire_indirect_connections_total",
        "counter",
        "WebSocket connections since the start that messages are not written to directly, as with TLS.",
        |of| vec![(String::new(), of.indirect_connections_total())],
    ),
    ("everwire_messages_total", "counter", "Text and binary messages.", |of| {
        let totals = of.totals();
        vec![(direction("in"), totals.messages_in), (direction("out"), totals.messages_out)]
    }),
    ("everwire_message_bytes_total", "counter", "Payload bytes of those messages.", |of| {
        let totals = of.totals();
        vec![(direction("in"), totals.bytes_in), (direction("out"), totals.bytes_out)]
    }),
    ("everwire_drops_total", "counter", "Connections that the server refused or ended, by reason.", |of| {
        let drops = of.all_drops().into_iter();
        drops.map(|(reason, count)| (format!(",reason=\"{}\"", escaped(reason)), count)).collect()
    }),
];

/// Writes the text exposition format of Prometheus, version 0.0.4.
pub(super) fn render(endpoints: &[Arc<EndpointMetrics>], handshake_timeouts: u64, connections_cut: u64) -> String {
    let mut text = String::new();
    for (name, kind, help, samples) in FAMILIES {
        head(&mut text, name, kind, help);
        for endpoint in endpoints {
            let of = escaped(endpoint.name());
            for (labels, value) in samples(endpoint) {
                line(&mut text, format_args!("{name}{{endpoint=\"{of}\"{labels}}} {value}"));
            }
        }
    }
    let name = "everwire_handshake_timeouts_total";
    head(&mut text, name, "counter", "Connections that did not send a whole request in time.");
    line(&mut text, format_args!("{name} {handshake_timeouts}"));
    let name = "everwire_connections_cut_total";
    head(&mut text, name, "counter", "Connections over the limits that were ended without an answer.");
    line(&mut text, format_args!("{name} {connections_cut}"));
    text
}

fn direction(direction: &str) -> String {
    format!(",direction=\"{direction}\"")
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}"));
    line(text, format_args!("# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
