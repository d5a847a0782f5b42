use everwire_test_client::TIMEOUT;
use tokio::time::timeout;

use crate::harness::Harness;

#[tokio::test]
async fn connections_messages_and_bytes_are_counted_for_each_endpoint() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/echo").await;
    for _ in 0..3 {
        client.ask("four").await;
    }
    let _other = harness.client("/sum").await;
    assert_eq!(harness.metric(r#"everwire_connections{endpoint="/echo"}"#).await, 1);
    for direction in ["in", "out"] {
        let labels = format!(r#"{{endpoint="/echo",direction="{direction}"}}"#);
        assert_eq!(harness.metric(&format!("everwire_messages_total{labels}")).await, 3);
        assert_eq!(harness.metric(&format!("everwire_message_bytes_total{labels}")).await, 12);
    }
    drop(client);
    let gone = async { while harness.metric(r#"everwire_connections{endpoint="/echo"}"#).await != 0 {} };
    timeout(TIMEOUT, gone).await.expect("a connection that ended is not open");
    assert_eq!(harness.metric(r#"everwire_connections_total{endpoint="/echo"}"#).await, 1);
}

#[tokio::test]
async fn every_line_is_in_the_text_format_of_prometheus() {
    let harness = Harness::start(|_| {}).await;
    let answer = harness.get("/metrics").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut family = "";
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(sample.split('{').next().unwrap(), family, "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_resident_memory_is_reported() {
    let harness = Harness::start(|_| {}).await;
    assert!(harness.metric("process_resident_memory_bytes").await > 1 << 20);
}
