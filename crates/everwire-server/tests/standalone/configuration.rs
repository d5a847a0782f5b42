//! Mistakes in flags, files and the environment.

use std::fs;

use crate::support::{Process, failure, file, program, request};

/// What the server says of a configuration file that it refuses.
fn mistake(toml: &str) -> String {
    let (_folder, path) = file("everwire.toml", toml);
    let (status, log) = failure(&mut program(&["--config", path.to_str().unwrap()]));
    assert_eq!(status, Some(2), "{toml}\n{log}");
    log
}

#[test]
fn a_mistake_in_the_configuration_is_reported_with_its_line_and_what_is_allowed() {
    for (toml, expected) in [
        (
            "[[channels]]\nname = \"a\"\nsubscribe = \"everyone\"",
            &["everwire.toml:3: ", "everyone", "\"anyone\"", "\"signed-in\"", "subscribe ="][..],
        ),
        ("[[channels]]\nname = \"a\"\n\npublsh = \"anyone\"", &["everwire.toml:4: ", "publsh", "publish"]),
        ("[[channels]]\nsubscribe = \"anyone\"", &["everwire.toml:1: ", "name"]),
        ("[[channels]]\nname = \"a b\"", &["everwire.toml:2: ", "a b", "no space"]),
        ("[[channels]]\nname = \"a*b\"", &["everwire.toml:2: ", "at the end"]),
        ("[[channels]]\nname = \"a\"\nsubscribe = \"owner\"", &["everwire.toml:2: ", "owner", "`*`"]),
        ("[[channels]]\nname = \"a\"\n[[channels]]\nname = \"a\"", &["everwire.toml:4: ", "a second rule"]),
        ("[[channels]]\nname = \"a*\"\n[[channels]]\nname = \"a*\"", &["everwire.toml:4: ", "a second rule"]),
        ("[[channels]]\nname = \"a\"\nkind = \"stat\"", &["everwire.toml:3: ", "stat", "stream", "state"]),
        (
            "[[channels]]\nname = \"a\"\nhistory = { messages = -1 }",
            &["everwire.toml:3: ", "a negative number", "a number from 0", "history ="],
        ),
        ("[[channels]]\nname = \"a\"\nmessage_bytes = \"1 elephant\"", &["everwire.toml:3: ", "1 elephant", "1MiB"]),
        ("[[channels]]\nname = \"a\nb\"", &["everwire.toml:3: "]),
        ("[proxy]\nuser_header = \"x user\"", &["everwire.toml:2: ", "not the name of a header"]),
        (
            "[proxy]\nuser_header = \"x-user\"\naddresses = [\"10.0.0.0/8\", \"10.0.0\"]",
            &["everwire.toml:3: ", "10.0.0.0/8"],
        ),
        ("[[tokens]]\ntoken = \"\"\nuser = \"ada\"", &["everwire.toml:2: ", "must not be empty"]),
        (
            "[[tokens]]\ntoken = \"a\"\nuser = \"ada\"\n[[tokens]]\ntoken = \"a\"\nuser = \"bob\"",
            &["everwire.toml:5: ", "the same token"],
        ),
        ("[limits]\nsession = 7", &["everwire.toml:2: ", "session", "session_seconds"]),
    ] {
        let log = mistake(toml);
        assert!(expected.iter().all(|part| log.contains(part)), "{toml}\n{log}");
    }
}

#[test]
fn flags_that_cannot_be_used_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n \n").unwrap();
    for (flags, expected) in [
        (&[][..], "--allow-all"),
        (&["--config", missing], "missing"),
        (&["--config", missing, "--allow-all"], "cannot be used with"),
        (&["--allow-all", "--fsync", "interval"], "--journal"),
        (&["--allow-all", "--journal", "/dev/null/data"], "/dev/null/data"),
        (&["--allow-all", "--api-listen", "127.0.0.1:0"], "--api-listen needs a key"),
        (&["--allow-all", "--api-key", ""], "--api-key has no key"),
        (&["--allow-all", "--api-key", "a b"], "space"),
        (&["--allow-all", "--api-key-file", missing], "cannot read the keys"),
        (&["--allow-all", "--api-key-file", empty.to_str().unwrap()], "has no key"),
    ] {
        let (status, log) = failure(&mut program(flags));
        assert_eq!(status, Some(2), "{flags:?}\n{log}");
        assert!(log.contains(expected), "{flags:?}\n{log}");
    }
    let (status, log) = failure(program(&["--allow-all"]).env("EVERWIRE_API_KEY", ""));
    assert!(status == Some(2) && log.contains("EVERWIRE_API_KEY has no key"), "{log}");
}

#[tokio::test]
async fn every_key_of_the_flags_the_file_and_the_environment_opens_the_api() {
    let (_folder, path) = file("keys", "key-of-the-file-1\n\nkey-of-the-file-2\n");
    let flags = [
        "--allow-all",
        "--api-key",
        "key-of-the-flag-1",
        "--api-key",
        "key-of-the-flag-2",
        "--api-key-file",
        path.to_str().unwrap(),
    ];
    let process = Process::by(program(&flags).env("EVERWIRE_API_KEY", "key-of-the-environment"));
    for key in
        ["key-of-the-file-1", "key-of-the-file-2", "key-of-the-flag-1", "key-of-the-flag-2", "key-of-the-environment"]
    {
        let headers = format!("Authorization: Bearer {key}\r\n");
        let stream = everwire_test_client::connect(process.api);
        let answer = request(stream, process.api, "GET", "/api/channels", &headers, b"").await;
        assert_eq!(answer.status, 200, "{key}");
    }
}

#[tokio::test]
async fn without_a_key_there_is_no_api_and_the_answer_says_why() {
    let process = Process::by(&mut program(&["--allow-all"]));
    let answer = process.api("POST", "/channels/chat/messages", "", b"hi").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "api-off"));
    assert!(answer.message().contains("--api-key-file"), "{}", answer.body);
}

#[test]
fn help_shows_how_to_begin_and_the_flags() {
    let output = program(&["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "/everwire",
        "--allow-all",
        "--config",
        "--journal",
        "--fsync",
        "--api-key-file",
        "EVERWIRE_API_KEY",
        "--api-listen",
        "--listen",
        "--allow-origin",
        "--tls-cert",
        "--drain",
    ] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}
