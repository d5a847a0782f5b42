//! The standard heartbeat, by the vectors that the JavaScript driver is tested with too.

use everwire_core::ping::{Answer, Ping};
use serde_json::Value;

fn vectors(kind: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("vectors/ping.json")).expect("the vectors are JSON");
    vectors[kind].as_array().expect("there are such vectors").clone()
}

fn text(vector: &Value) -> &str {
    vector["text"].as_str().expect("the vector has a text")
}

fn number(vector: &Value) -> u64 {
    vector["number"].as_u64().expect("the vector has a number")
}

fn answer(vector: &Value) -> Answer {
    Answer { number: number(vector), server_time: vector["time"].as_f64() }
}

#[test]
fn a_ping_is_read_as_it_is_written() {
    for vector in vectors("pings") {
        let ping = Ping { number: number(&vector) };
        assert_eq!(ping.to_string(), text(&vector));
        assert_eq!(Ping::parse(text(&vector)), Some(ping));
    }
}

#[test]
fn what_only_resembles_a_ping_is_a_message_like_any_other() {
    for text in vectors("no pings") {
        let text = text.as_str().unwrap();
        assert_eq!(Ping::parse(text), None, "{text:?}");
    }
}

#[test]
fn an_answer_is_read_as_a_server_writes_it() {
    for vector in vectors("pongs") {
        assert_eq!(answer(&vector).to_string(), text(&vector));
        assert_eq!(Answer::parse(text(&vector)), Some(answer(&vector)), "{vector}");
    }
}

#[test]
fn an_answer_may_be_an_echo_or_have_white_space_as_json_libraries_write_it() {
    for vector in vectors("answers") {
        assert_eq!(Answer::parse(text(&vector)), Some(answer(&vector)), "{vector}");
    }
}

#[test]
fn what_an_application_may_say_is_not_taken_for_an_answer() {
    for text in vectors("no answers") {
        let text = text.as_str().unwrap();
        assert_eq!(Answer::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_time_that_json_cannot_write_is_left_out() {
    for time in [f64::NAN, f64::INFINITY] {
        assert_eq!(Answer { number: 1, server_time: Some(time) }.to_string(), r#"{"pong":1}"#);
    }
}
