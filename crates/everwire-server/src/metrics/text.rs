use std::fmt::Write;

use super::process::resident_bytes;
use super::{DropReason, EndpointMetrics, Metrics};
use crate::endpoints::Endpoint;

/// A family of samples with one value an endpoint and set of labels.
type Family = (&'static str, &'static str, &'static str, fn(&EndpointMetrics) -> Vec<(&'static str, u64)>);

const FAMILIES: [Family; 5] = [
    ("everwire_connections", "gauge", "Open WebSocket connections.", |of| vec![("", of.connections())]),
    ("everwire_connections_total", "counter", "WebSocket connections since the start.", |of| {
        vec![("", of.opened.value())]
    }),
    ("everwire_messages_total", "counter", "Text and binary messages.", |of| {
        vec![(r#"direction="in""#, of.messages_in.value()), (r#"direction="out""#, of.messages_out.value())]
    }),
    ("everwire_message_bytes_total", "counter", "Payload bytes of those messages.", |of| {
        vec![(r#"direction="in""#, of.bytes_in.value()), (r#"direction="out""#, of.bytes_out.value())]
    }),
    ("everwire_drops_total", "counter", "Connections that the server refused or ended, by reason.", |of| {
        DropReason::ALL.iter().map(|reason| (reason.label(), of.drops(*reason))).collect()
    }),
];

/// Writes the text exposition format of Prometheus, version 0.0.4.
pub(crate) fn render(metrics: &Metrics) -> String {
    let mut text = String::new();
    for (name, kind, help, samples) in FAMILIES {
        head(&mut text, name, kind, help);
        for endpoint in Endpoint::ALL {
            for (label, value) in samples(metrics.of(endpoint)) {
                let label = match (name, label) {
                    (_, "") => String::new(),
                    ("everwire_drops_total", reason) => format!(",reason=\"{reason}\""),
                    (_, label) => format!(",{label}"),
                };
                line(&mut text, format_args!("{name}{{endpoint=\"{}\"{label}}} {value}", endpoint.path()));
            }
        }
    }
    let name = "everwire_handshake_timeouts_total";
    head(&mut text, name, "counter", "Connections that did not send a whole request in time.");
    line(&mut text, format_args!("{name} {}", metrics.handshake_timeouts.value()));
    let name = "everwire_connections_cut_total";
    head(&mut text, name, "counter", "Connections over the limits that were ended without an answer.");
    line(&mut text, format_args!("{name} {}", metrics.connections_cut.value()));
    if let Some(bytes) = resident_bytes() {
        let name = "process_resident_memory_bytes";
        head(&mut text, name, "gauge", "Resident memory of the server's process.");
        line(&mut text, format_args!("{name} {bytes}"));
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}"));
    line(text, format_args!("# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
