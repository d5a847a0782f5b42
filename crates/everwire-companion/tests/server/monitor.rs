use everwire_test_client::{Client, TIMEOUT};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;

pub(crate) async fn watched() -> Harness {
    Harness::start(|config| config.monitor = true).await
}

/// The next sample.
async fn sample(client: &mut Client) -> Value {
    loop {
        let news = client.json().await;
        if news["type"] == "sample" {
            return news;
        }
    }
}

/// The first sample that meets a condition.
pub(crate) async fn sample_with(client: &mut Client, what: &str, mut is_wanted: impl FnMut(&Value) -> bool) -> Value {
    let wanted = async {
        loop {
            let sample = sample(client).await;
            if is_wanted(&sample) {
                return sample;
            }
        }
    };
    timeout(TIMEOUT, wanted).await.unwrap_or_else(|_| panic!("no sample with {what}"))
}

fn endpoint<'a>(sample: &'a Value, path: &str) -> &'a Value {
    let endpoints = sample["detail"]["endpoints"].as_array().unwrap();
    endpoints.iter().find(|endpoint| endpoint["path"] == path).unwrap()
}

#[tokio::test]
async fn without_the_flag_the_monitor_sends_only_what_to_do() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/monitor").await;
    let answer = client.json().await;
    assert!(answer["error"].as_str().unwrap().contains("start the server with --monitor"), "{answer}");
    assert_eq!(client.closed().await, (4403, "the monitor is off".to_owned()));
}

#[tokio::test]
async fn a_sample_comes_each_second() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    assert_eq!(client.json().await["type"], "welcome");
    let times = [sample(&mut client).await, sample(&mut client).await, sample(&mut client).await];
    let [first, _, third] = times.map(|sample| sample["point"]["time"].as_f64().unwrap());
    // Two seconds pass between them, plus or minus the delays of a busy machine.
    assert!((1_000.0..10_000.0).contains(&(third - first)), "{first} {third}");
}

#[tokio::test]
async fn a_later_watcher_gets_the_history() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    let first = sample(&mut client).await;
    let second = sample(&mut client).await;
    let mut later = harness.client("/monitor").await;
    let welcome = later.json().await;
    let history = welcome["history"].as_array().unwrap();
    // There may be points from before the first watcher, and from after it.
    let start = history.iter().position(|point| *point == first["point"]).unwrap();
    assert_eq!(history[start + 1], second["point"]);
    assert_eq!(welcome["machine"], second["machine"]);
    assert!(welcome["detail"]["endpoints"].is_array(), "tables are there at once too");
}

#[tokio::test]
async fn a_reloaded_page_has_no_gap() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    let first = sample(&mut client).await;
    drop(client);
    let mut again = harness.client("/monitor").await;
    assert!(again.json().await["history"].as_array().unwrap().contains(&first["point"]));
}

#[tokio::test]
async fn every_watcher_is_sent_the_same_sample() {
    let harness = watched().await;
    let mut clients = [harness.client("/monitor").await, harness.client("/monitor").await];
    // The first watcher may have been sent samples that the second was not.
    let sent = sample(&mut clients[1]).await;
    let time = sent["point"]["time"].clone();
    let same = sample_with(&mut clients[0], "the same time", |sample| sample["point"]["time"] == time).await;
    assert_eq!(same, sent);
}

#[tokio::test]
async fn connections_and_messages_are_those_of_the_endpoint_and_of_a_worker() {
    let harness = watched().await;
    let mut monitor = harness.client("/monitor").await;
    let mut echo = harness.client("/echo").await;
    let _other = harness.client("/echo").await;
    let load = tokio::spawn(async move {
        loop {
            echo.ask("four").await;
        }
    });
    let sample = sample_with(&mut monitor, "messages", |sample| {
        endpoint(sample, "/echo")["messages_in"].as_f64().unwrap() > 100.0
    })
    .await;
    load.abort();
    let echo = endpoint(&sample, "/echo");
    assert_eq!((&echo["connections"], &endpoint(&sample, "/sum")["connections"]), (&2.into(), &0.into()));
    let number = |value: &Value| value.as_f64().unwrap();
    let each_way = (number(&echo["messages_in"]) - number(&echo["messages_out"])).abs();
    assert!(each_way <= 0.05 * number(&echo["messages_in"]), "each is answered: {echo}");
    assert!((number(&echo["bytes_in"]) / number(&echo["messages_in"]) - 4.0).abs() < 0.1, "{echo}");
    assert_eq!(sample["point"]["connections"], 3);

    let workers = sample["detail"]["workers"].as_array().unwrap();
    let sum = |key: &str| workers.iter().map(|worker| number(&worker[key])).sum::<f64>();
    assert!((sum("messages_in") - number(&sample["point"]["messages_in"])).abs() < 10.0, "{sample}");
    assert_eq!(sum("connections"), 3.0);
}

#[tokio::test]
async fn bytes_queued_for_a_slow_reader_are_reported() {
    let harness = Harness::start(|config| {
        config.monitor = true;
        config.connection.backlog_bytes = 64 << 20;
    })
    .await;
    let mut monitor = harness.client("/monitor").await;
    let mut slow = Client::with_small_buffer(harness.address(), "/broadcast").await;
    slow.ask(r#"{"ping":1}"#).await;
    let mut fast = harness.client("/broadcast").await;
    // More than the buffers of the system hold, and less than the limit of the backlog.
    for _ in 0..8 {
        fast.echoes(Message::binary(vec![0; 512 << 10])).await;
    }
    let sample = sample_with(&mut monitor, "something that waits", |sample| {
        sample["point"]["largest_queue"].as_u64().unwrap() > 64 << 10
    })
    .await;
    assert!(sample["point"]["queued"].as_u64() >= sample["point"]["largest_queue"].as_u64(), "{sample}");
}

#[tokio::test]
async fn a_message_to_the_monitor_is_answered_with_an_error() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    client.send("hello").await;
    let answered = async {
        loop {
            let news = client.json().await;
            if let Some(error) = news["error"].as_str() {
                return error.to_owned();
            }
        }
    };
    let error = timeout(TIMEOUT, answered).await.expect("an answer");
    assert!(error.contains("only sends"), "{error}");
}

#[tokio::test]
async fn a_watched_server_stops_in_time() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    sample(&mut client).await;
    let closed = tokio::spawn(async move { client.closed().await });
    timeout(TIMEOUT, harness.server.stop()).await.expect("an end");
    assert_eq!(closed.await.unwrap().0, 1001);
}
