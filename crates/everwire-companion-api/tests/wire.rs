//! Every text that goes over the wire. A server and a page of different builds understand each other as long as these stay the same.

use std::fmt::Debug;

use everwire_companion_api::{ErrorMessage, chat, files, lab, live, monitor, server, ticker, tracker};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a text, and expects the value to be written as the same text.
#[track_caller]
fn round_trip<T: Serialize + DeserializeOwned>(text: &str) -> T {
    let value: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(serde_json::to_string(&value).expect("it has a JSON form"), text);
    value
}

#[track_caller]
fn is_refused<T: DeserializeOwned + Debug>(text: &str) {
    let read = serde_json::from_str::<T>(text);
    assert!(read.is_err(), "{text} was read as {read:?}");
}

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[test]
fn an_error_is_a_message_without_a_type() {
    let text = r#"{"error":"you have no such file; it may already be deleted"}"#;
    assert!(round_trip::<ErrorMessage>(text).error.starts_with("you have no such file"));
}

#[test]
fn the_texts_of_the_chat_stay_the_same() {
    let message = r#"{"id":"0123456789abcdef","author":{"id":"u-7f","name":"Ada"},"text":"Good morning!"}"#;
    round_trip::<chat::Message>(message);
    round_trip::<chat::Typing>(r#"{"author":{"id":"u-7f","name":"Ada"}}"#);
    round_trip::<chat::HistoryRequest>(r#"{"room":"lobby","limit":50}"#);
    round_trip::<chat::HistoryRequest>(r#"{"room":"lobby","before":51,"limit":50}"#);
    let unreadable = r#"{"offset":9,"time":1795219200100,"message":null}"#;
    let stored = format!(r#"{{"offset":8,"time":1795219200000,"message":{message}}}"#);
    round_trip::<chat::HistoryPage>(&format!(
        r#"{{"epoch":"9f","first":1,"last":9,"messages":[{stored},{unreadable}]}}"#
    ));
}

#[test]
fn what_visitors_are_and_can_do_stays_the_same() {
    assert!(round_trip::<server::Faults>(r#"{"faults":true,"kill":false}"#).faults);
    let issued = r#"{"token":"e30.c2ln","user":"x8Lw4Kd1_q-9","expires":1796034626258}"#;
    assert_eq!(round_trip::<server::IssuedToken>(issued).expires, 1_796_034_626_258);
    assert_eq!(round_trip::<server::Visitor>(r#"{"name":"Ada","user":"x8Lw4Kd1_q-9"}"#).name, "Ada");
}

#[test]
fn the_texts_of_the_trading_floor_stay_the_same() {
    round_trip::<live::Price>(r#"{"company":"Fjord Networks","price":187.2,"open":190.0}"#);
    round_trip::<live::Rate>(r#"{"bid":1.08341,"ask":1.08349}"#);
    round_trip::<live::LogLine>(
        r#"{"time":1796031026258.928,"level":"warn","target":"everwire_companion","message":"it rains"}"#,
    );
    round_trip::<live::LogLine>(r#"{"time":1.0,"level":"info","target":"a","message":"b","dropped":3}"#);
    round_trip::<live::Sample>(r#"{"connections":3,"messages_in":1.5,"messages_out":20.0}"#);
    round_trip::<live::Sample>(
        r#"{"machine":{"processor":12.5,"memory":1,"memory_size":2},"connections":3,"messages_in":1.5,"messages_out":20.0}"#,
    );
    round_trip::<live::Headline>(r#"{"text":"Umbrellas up, spirits down"}"#);
    round_trip::<live::Banner>(r#"{"phase":"auction","text":"Last orders.","until":1796031055000.0}"#);
}

#[test]
fn the_texts_of_a_files_client_stay_the_same() {
    for text in [
        format!(r#"{{"type":"upload","stream":1,"name":"a.txt","size":5,"resume":"{KEY}"}}"#),
        format!(r#"{{"type":"finish","stream":3,"sha256":"{SHA256}"}}"#),
        format!(r#"{{"type":"cancel","resume":"{KEY}"}}"#),
        format!(r#"{{"type":"remove","id":"b8923c4b65342e65c7801e44d5aba6f5","resume":"{KEY}"}}"#),
    ] {
        round_trip::<files::ClientMessage>(&text);
    }
}

#[test]
fn the_texts_of_a_files_server_stay_the_same() {
    let file = format!(
        r#"{{"id":"b8923c4b65342e65c7801e44d5aba6f5","name":"a.txt","size":5,"sha256":"{SHA256}","added":1796031026258.928,"expires":1796034626258.928}}"#
    );
    let limits =
        r#"{"file_bytes":2147483648,"store_bytes":4294967296,"files":100,"unfinished":3600000.0,"finished":3600000.0}"#;
    for text in [
        format!(r#"{{"type":"files","files":[],"limits":{limits}}}"#),
        format!(r#"{{"type":"files","files":[{file}],"limits":{limits}}}"#),
        format!(r#"{{"type":"added","file":{file}}}"#),
        r#"{"type":"removed","ids":["b8923c4b65342e65c7801e44d5aba6f5"]}"#.to_owned(),
        r#"{"type":"ready","stream":1,"offset":0,"window":4194304,"chunk":262144}"#.to_owned(),
        r#"{"type":"ack","stream":2,"offset":5}"#.to_owned(),
        format!(r#"{{"type":"stored","stream":3,"file":{file}}}"#),
        format!(r#"{{"type":"mismatch","stream":2,"sha256":"{SHA256}"}}"#),
        r#"{"type":"refused","stream":4,"error":"The name holds a path; send the name alone, without / and \\.","is_final":true}"#.to_owned(),
        r#"{"type":"failed","stream":5,"error":"The upload was cancelled from another page: send it again if you want it."}"#.to_owned(),
        r#"{"type":"taken","stream":1}"#.to_owned(),
    ] {
        round_trip::<files::ServerMessage>(&text);
    }
}

#[test]
fn a_resume_key_has_16_to_128_letters_and_digits() {
    let cancel = |key: &str| format!(r#"{{"type":"cancel","resume":"{key}"}}"#);
    for key in ["0123456789abcdef", "A-b_0123456789ab", &"x".repeat(128)] {
        round_trip::<files::ClientMessage>(&cancel(key));
    }
    for key in ["", "0123456789abcde", "0123456789abcde/", "0123456789abcdé0", &"x".repeat(129)] {
        is_refused::<files::ClientMessage>(&cancel(key));
    }
}

#[test]
fn a_chunk_says_where_it_belongs() {
    let header = files::ChunkHeader { stream: 1, offset: 0x0203 };
    assert_eq!(header.to_bytes(), [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 3]);
    let chunk = [&header.to_bytes()[..], b"bytes"].concat();
    assert_eq!(files::ChunkHeader::parse(&chunk), Some(header));
    assert_eq!(files::ChunkHeader::parse(&chunk[..11]), None);
}

#[test]
fn the_texts_of_lab_items_stay_the_same() {
    for (text, item) in [
        (r#"{"cursor":35920620538}"#, lab::Item::Start { cursor: 35_920_620_538, gap: 0 }),
        (r#"{"cursor":35920620538,"gap":7}"#, lab::Item::Start { cursor: 35_920_620_538, gap: 7 }),
        (r#"{"call":7}"#, lab::Item::Call { call: 7 }),
    ] {
        assert_eq!(round_trip::<lab::Item>(text), item);
    }
    let text = r#"{"seq":35920620539,"time":1796031026992.252,"pad":"..........."}"#;
    let message = lab::Item::Message { seq: 35_920_620_539, time: 1_796_031_026_992.252 };
    assert_eq!(serde_json::from_str::<lab::Item>(text).unwrap(), message);
    assert_eq!(lab::padded_message(35_920_620_539, 1_796_031_026_992.252, 64), text);
    is_refused::<lab::Item>(r#"{"hello":1}"#);
}

#[test]
fn a_lab_message_has_the_size_that_was_chosen() {
    for size in [64, 128, 1024] {
        assert_eq!(lab::padded_message(35_904_384_000, 1_795_219_200_123.456, size).len(), size);
    }
}

#[test]
fn the_text_of_lab_accounts_stay_the_same() {
    let text = r#"{"acc":{"requests":1,"read":268,"written":456,"messages":4,"payload":256}}"#;
    assert_eq!(round_trip::<lab::Accounts>(text)["acc"].written, 456);
    round_trip::<lab::Accounts>("{}");
}

#[test]
fn the_texts_of_a_monitor_stay_the_same() {
    let machine =
        r#"{"system":"Linux (Debian GNU/Linux 12)","cores":2,"memory":25276502016,"swap":0,"server_pid":13545}"#;
    let point = r#"{"time":1796031023429.215,"cores":[100.0,12.5],"memory":2026958848,"swap":0,"load":[4.87,2.92,3.67],"connections":1,"messages_in":0.0,"messages_out":1.0,"queued":0,"largest_queue":0}"#;
    let endpoint =
        r#"{"path":"/echo","connections":1,"messages_in":1.0,"messages_out":2.0,"bytes_in":3.0,"bytes_out":4.5}"#;
    let worker = r#"{"connections":1,"messages_in":1.0,"messages_out":2.0,"queued":3,"largest_queue":2}"#;
    let vmstat = r#"{"r":1,"b":0,"swpd":0,"free":4,"buff":5,"cache":6,"si":0,"so":0,"bi":7,"bo":8,"in":300,"cs":500,"us":20,"sy":15,"id":65,"wa":0,"st":0}"#;
    let process = r#"{"pid":13216,"name":"firefox-esr","cpu":104.5,"memory":369881088,"state":"runnable","user":"root","time":2570}"#;
    let stranger = r#"{"pid":54,"name":"kworker","cpu":3.0,"memory":0,"state":"idle","time":2860}"#;
    let detail = format!(
        r#"{{"processes":{{"count":117,"running":2,"top":[{process},{stranger}]}},"vmstat":{vmstat},"endpoints":[{endpoint}],"workers":[{worker}]}}"#
    );
    let poor_point = point.replace(r#""load":[4.87,2.92,3.67],"#, "");
    let poor_detail = r#"{"endpoints":[],"workers":[]}"#;
    for text in [
        r#"{"type":"welcome","history":[]}"#.to_owned(),
        format!(r#"{{"type":"welcome","machine":{machine},"history":[{point},{poor_point}],"detail":{detail}}}"#),
        format!(r#"{{"type":"sample","machine":{machine},"point":{point},"detail":{detail}}}"#),
        format!(r#"{{"type":"sample","machine":{machine},"point":{poor_point},"detail":{poor_detail}}}"#),
    ] {
        let message = round_trip::<monitor::ServerMessage>(&text);
        assert!(!matches!(message, monitor::ServerMessage::Off(_)), "{text}");
    }
    let off = r#"{"error":"The monitor is off, since it exposes information about the machine; start the server with --monitor."}"#;
    assert!(matches!(round_trip(off), monitor::ServerMessage::Off(_)));
    is_refused::<monitor::ServerMessage>(r#"{"type":"sample"}"#);
}

#[test]
fn the_texts_of_a_ticker_stay_the_same() {
    for text in [
        r#"{"type":"snapshot","epoch":"6617b0f3d4b54-1","seq":0,"server_time":1796031024811.549,"rate":20.0,"stocks":[{"symbol":"NVDA","company":"NVIDIA Corporation","price":17.86,"open":17.86,"low":17.86,"high":17.86}]}"#,
        r#"{"type":"updates","server_time":1796031024864.961,"updates":[{"seq":1,"symbol":"XOM","price":70.83,"time":1796031024864.961}]}"#,
    ] {
        round_trip::<ticker::ServerMessage>(text);
    }
}

#[test]
fn the_texts_of_a_tracker_stay_the_same() {
    let position = r#""id":4504841007236231,"lat":52.5,"lon":13.25,"accuracy":10.0,"time":1796031025133.4"#;
    for text in [
        r#"{"type":"welcome","id":4504841007236231}"#.to_owned(),
        r#"{"type":"positions","positions":[]}"#.to_owned(),
        format!(r#"{{"type":"positions","positions":[{{{position}}}]}}"#),
        format!(r#"{{"type":"position",{position}}}"#),
        r#"{"type":"left","id":4504841007236231}"#.to_owned(),
    ] {
        round_trip::<tracker::ServerMessage>(&text);
    }
    is_refused::<tracker::ServerMessage>(r#"{"type":"position","id":3}"#);
    is_refused::<tracker::ServerMessage>(r#"{"hello":1}"#);
}

#[test]
fn the_texts_of_a_trackers_client_stay_the_same() {
    for text in [
        r#"{"type":"position","lat":52.5,"lon":13.25,"accuracy":10.0,"secret":"5a1f1e0c33d8477fb0a4d2c96e7b8a10"}"#,
        r#"{"type":"position","lat":1.0,"lon":2.0,"accuracy":3.0}"#,
        r#"{"type":"leave","secret":"5a1f1e0c33d8477fb0a4d2c96e7b8a10"}"#,
        r#"{"type":"leave"}"#,
    ] {
        round_trip::<tracker::ClientMessage>(text);
    }
    is_refused::<tracker::ClientMessage>(r#"{"type":"leave","secret":"too short"}"#);
    is_refused::<tracker::ClientMessage>(&format!(r#"{{"type":"leave","secret":"{}"}}"#, "x".repeat(129)));
}

#[test]
fn a_participants_id_is_between_the_ids_of_connections_and_the_end_of_javascripts_integers() {
    let mut sha256 = [0; 32];
    assert_eq!(tracker::participant_id(&sha256), 1 << 52);
    sha256[..8].fill(0xff);
    assert_eq!(tracker::participant_id(&sha256), (1 << 53) - 1);
    sha256[..8].copy_from_slice(&0x0123_4567_89ab_cdef_u64.to_be_bytes());
    assert_eq!(tracker::participant_id(&sha256), 1 << 52 | 0x1234_5678_9abc);
}
