//! The process: how it starts and stops, what its configuration lets clients do, and what the documentation shows.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use everwire_core::protocol::SUBPROTOCOL;
use everwire_test_client::{Client as Socket, TIMEOUT, connect};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::{Client, KEY, PROGRAM, Process, configured, failure, file, option, program, request, word};

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_has_its_history_and_its_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--allow-all", "--journal", directory.path().to_str().unwrap()];
    let process = Process::start(&flags);
    let (mut client, welcome) = process.attach().await;
    client.ask("sub chat live", "subscribed chat ").await;
    let ack = client.ask("pub chat 1\nfirst", "ack 1 ").await;
    drop(process);

    let process = Process::start(&flags);
    let mut client = process.connect().await;
    let (session, secret) = (word(&welcome, 1), option(&welcome, "secret").unwrap());
    let hello = format!("hello attempt=1 session={session} secret={secret} acked=0 ␞ sub chat last:9");
    let welcome = client.ask(&hello, "welcome ").await;
    assert_eq!((word(&welcome, 1), option(&welcome, "secret")), (session, None));
    assert_eq!(client.line().await, ack);
    client.expect("subscribed chat ").await;
    assert!(client.expect("msg chat ").await.ends_with("\nfirst"));
}

#[tokio::test]
async fn the_welcome_has_the_heartbeat_of_the_flag() {
    let (_, welcome) = Process::start(&["--allow-all", "--heartbeat", "1.5"]).attach().await;
    assert_eq!(option(&welcome, "heartbeat"), Some("1500"));
}

#[tokio::test]
async fn a_server_with_an_fsync_interval_that_is_killed_takes_back_what_was_published_within_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = ["--journal", directory.path().to_str().unwrap(), "--fsync", "interval", "--fsync-interval", "3600"];
    let flags = [&["--allow-all"][..], &journal].concat();
    for _ in 0..2 {
        let process = Process::start(&flags);
        assert_eq!(process.ok("POST", "/channels/chat/messages", "hi").await["offset"], 1);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_closes_the_sockets_with_1001_and_stores_what_was_published() {
    let directory = tempfile::tempdir().unwrap();
    let journal = ["--journal", directory.path().to_str().unwrap(), "--fsync", "interval", "--fsync-interval", "3600"];
    let flags = [&["--allow-all", "--drain", "0.2", "--api-listen", "127.0.0.1:0"][..], &journal].concat();
    let mut process = Process::start(&flags);
    let (mut client, _) = process.attach().await;
    client.ask("pub chat 1\nfirst", "ack 1 ").await;
    process.signal("-TERM");
    assert_eq!(client.client.closed().await.0, 1001);
    drop(client);
    assert!(process.end().await.success());

    let process = Process::start(&flags);
    let (mut client, _) = process.attach().await;
    client.ask("sub chat last:9", "subscribed chat ").await;
    assert!(client.expect("msg chat ").await.ends_with("\nfirst"));
}

/// The API as well, also on its own address: a key must not be sent in the clear.
#[tokio::test]
async fn clients_and_the_api_use_tls_with_a_certificate() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert_file, cert.pem()).unwrap();
    fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let tls = ["--tls-cert", cert_file.to_str().unwrap(), "--tls-key", key_file.to_str().unwrap()];
    let process = Process::start(&[&["--allow-all", "--api-listen", "127.0.0.1:0"][..], &tls].concat());
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let open =
        async |address| connector.connect(ServerName::try_from("localhost").unwrap(), connect(address)).await.unwrap();
    let url = format!("wss://localhost:{}/everwire", process.address.port());
    let protocol = [("sec-websocket-protocol", SUBPROTOCOL)];
    let mut client = Client::over(Socket::over(open(process.address).await, &url, &protocol).await.unwrap());
    client.ask("hello attempt=0", "welcome ").await;
    client.ask("sub chat live", "subscribed ").await;
    let key = format!("Authorization: Bearer {KEY}\r\n");
    let stream = open(process.api).await;
    let answer = request(stream, process.api, "POST", "/api/channels/chat/messages", &key, b"hi").await;
    assert_eq!((answer.status, &answer.json()["offset"]), (200, &json!(1)), "{}", answer.body);
    client.expect("msg chat ").await;
}

/// Without a handler, the signal that the system sends at the limit on file sizes would end the process.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_publish_that_finds_no_room_on_the_disk_is_refused_and_not_stored() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&["--allow-all", "--journal", directory.path().to_str().unwrap()]);
    let publish = async || process.api("POST", "/channels/chat/messages", "", &[b'x'; 100_000]).await;
    process.limit_file_size(3 << 20);
    let (mut stored, mut refused) = (0, publish().await);
    while refused.status == 200 {
        stored += 1;
        assert!(stored < 100, "there is room for no 100 of them");
        refused = publish().await;
    }
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"), "{}", refused.body);
    assert!(refused.message().contains("nothing was stored"), "{}", refused.body);
    assert!(refused.head.to_lowercase().contains("retry-after: "), "{}", refused.head);
    process.limit_file_size(rlimit::INFINITY);
    assert_eq!(publish().await.json()["offset"], stored + 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_publish_of_unknown_fate_says_so_and_the_health_fails_until_the_disk_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&["--allow-all", "--journal", directory.path().to_str().unwrap()]);
    let publish = async |headers| process.api("POST", "/channels/chat/messages", headers, b"hi").await;
    process.limit_file_size(0);
    let failed = publish("").await;
    assert_eq!((failed.status, failed.code().as_str()), (500, "unknown"), "{}", failed.body);
    assert!(failed.message().contains("Idempotency-Key"), "{}", failed.body);
    let health = process.health().await;
    assert_eq!((health.status, &health.json()["status"]), (503, &json!("journal failing")), "{}", health.body);
    let failed = publish("Idempotency-Key: a\r\n").await;
    assert_eq!((failed.status, failed.code().as_str()), (503, "unavailable"), "{}", failed.body);
    process.limit_file_size(rlimit::INFINITY);
    let healthy = async { while process.health().await.status != 200 {} };
    timeout(TIMEOUT, healthy).await.expect("the journal works again");
    assert_eq!(publish("Idempotency-Key: a\r\n").await.status, 200);
}

/// The error for a configuration file that the server refuses.
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

const RULES: &str = r#"
[[tokens]]
token = "token of Ada"
user = "ada"
presence = "Ada"

[[channels]]
name = "news"
subscribe = "anyone"

[[channels]]
name = "chat:*"
subscribe = "anyone"
publish = "signed-in"
presence = "signed-in"

[[channels]]
name = "chat:staff"
subscribe = ["ada", "grace"]

[[channels]]
name = "inbox:*"
subscribe = "owner"
"#;

/// Which of the lines are allowed.
async fn allowed(client: &mut Client, lines: &[&str]) -> Vec<bool> {
    let mut answers = Vec::new();
    for line in lines {
        client.client.send(line).await;
        answers.push(loop {
            let answer = client.line().await;
            match answer.split(' ').next().unwrap() {
                "subscribed" | "ack" => break true,
                "unsub" | "nack" => {
                    assert!(answer.contains(" denied"), "{answer}");
                    break false;
                }
                _ => {}
            }
        });
    }
    answers
}

const CLIENT_LINES: [&str; 8] = [
    "sub news live",
    "pub news 1\nhi",
    "sub chat:lobby live presence=1",
    "pub chat:lobby 2\nhi",
    "sub chat:staff live",
    "sub inbox:ada live",
    "sub inbox:bob live",
    "sub other live",
];

#[tokio::test]
async fn clients_may_do_what_the_most_specific_rule_says() {
    let process = configured(RULES);
    let (mut anonymous, _) = process.attach().await;
    assert_eq!(allowed(&mut anonymous, &CLIENT_LINES).await, [true, false, false, false, false, false, false, false]);
    let mut ada = process.connect().await;
    ada.ask("hello attempt=0\ntoken of Ada", "welcome ").await;
    assert_eq!(allowed(&mut ada, &CLIENT_LINES).await, [true, false, true, true, true, true, false, false]);
}

#[tokio::test]
async fn an_unknown_token_is_refused_and_not_treated_as_anonymous() {
    let process = configured(RULES);
    for hello in ["hello attempt=0\ntoken of Adb", "hello attempt=0\n"] {
        let mut client = process.connect().await;
        let error = client.ask(hello, "error unauthorized fatal=1").await;
        assert!(error.ends_with("the server does not know this token"), "{error}");
        assert_eq!(client.client.closed().await.0, 3000);
    }
}

#[tokio::test]
async fn the_user_is_that_of_the_proxys_header() {
    let process = configured("[proxy]\nuser_header = \"X-User\"\n\n[[channels]]\nname = \"*\"\nsubscribe = \"owner\"");
    for (headers, may_read_of_ada) in
        [(&[("x-user", "ada")][..], true), (&[("x-user", "bob")], false), (&[("x-user", "")], false), (&[], false)]
    {
        let mut client = process.connect_with(headers).await;
        client.ask("hello attempt=0", "welcome ").await;
        assert_eq!(allowed(&mut client, &["sub ada live"]).await, [may_read_of_ada], "{headers:?}");
    }
}

/// One of them may come from the client, forwarded by the proxy.
#[tokio::test]
async fn a_header_with_two_users_is_refused() {
    let process = configured("[proxy]\nuser_header = \"x-user\"");
    let mut client = process.connect_with(&[("x-user", "ada"), ("x-user", "bob")]).await;
    client.ask("hello attempt=0", "error unauthorized fatal=1\nthe proxy names more than one user").await;
}

/// Any client can send the header.
#[tokio::test]
async fn the_proxys_header_is_ignored_from_other_addresses() {
    let rules = "[[channels]]\nname = \"*\"\nsubscribe = \"owner\"\n[proxy]\nuser_header = \"x-user\"\naddresses = [\"10.0.0.0/8\"]";
    let process = configured(rules);
    let mut client = process.connect_with(&[("x-user", "ada")]).await;
    client.ask("hello attempt=0", "welcome ").await;
    assert_eq!(allowed(&mut client, &["sub ada live"]).await, [false]);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_they_are_allowed() {
    let process = Process::start(&["--allow-all", "--allow-origin", "https://app.example.org"]);
    let connect = async |origin| {
        let headers = [("sec-websocket-protocol", "everwire.v1"), ("origin", origin)];
        Socket::try_connect(process.address, "/everwire", &headers).await.map(drop).map_err(|(status, _)| status)
    };
    assert_eq!(connect("https://evil.example.org").await, Err(403));
    assert_eq!(connect("https://app.example.org").await, Ok(()));
}

const README: &str = include_str!("../../../../README.md");
const GUIDE: &str = include_str!("../../../../docs/standalone.md");

/// The blocks of code in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    page.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The configuration of the README.
fn configuration() -> &'static str {
    blocks(README, "toml").into_iter().find(|toml| toml.contains("[[channels]]")).unwrap()
}

#[tokio::test]
async fn the_configurations_of_the_documentation_are_valid() {
    for toml in [configuration(), blocks(GUIDE, "toml")[0]] {
        let (_folder, path) = file("everwire.toml", toml);
        let process = Process::start(&["--config", path.to_str().unwrap()]);
        process.ok("POST", "/channels/news/messages", "hi").await;
    }
}

#[tokio::test]
async fn the_python_script_of_the_readme_publishes() {
    let [script] = blocks(README, "python")[..] else { panic!("one script") };
    assert!(script.lines().filter(|line| !line.is_empty()).count() <= 5);
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("the script is not tried: there is no python3");
        return;
    }
    let (folder, path) = file("everwire.toml", configuration());
    fs::write(folder.path().join("api-key"), "the key of the script\n".replace(' ', "-")).unwrap();
    let key = folder.path().join("api-key");
    let flags = ["--config", path.to_str().unwrap(), "--api-key-file", key.to_str().unwrap()];
    let process = Process::by(&mut program(&flags));
    let mut client = process.subscribed("sub news live").await;
    let script = script.replace("127.0.0.1:9001", &process.address.to_string());
    let output = Command::new("python3").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["channel"], &answer["offset"]), (&json!("news"), &json!(1)));
    let line = client.expect("msg news ").await;
    assert!(line.ends_with("\n{\"text\": \"Hello\"}"), "{line}");
}

#[tokio::test]
async fn the_routes_of_the_guide_are_those_of_the_server() {
    let process = Process::open();
    let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let routes: Vec<_> = rows.filter_map(|row| row.split_once(" /api")).collect();
    assert_eq!(routes.len(), 12);
    for (method, path) in routes {
        let path = path.replace("CHANNEL", "chat").replace("KEY", "a").replace("USER", "a").replace("SESSION", "a");
        let answer = process.api(method, &path, "", b"").await;
        let is_there = answer.status == 200 || ["bad-request", "no-session"].contains(&answer.code().as_str());
        assert!(is_there, "{method} {path}: {}", answer.body);
    }
}

/// The script on the page of the npm package, by which a back end publishes to `orders` with curl alone. Nothing where no curl can run it.
#[cfg(unix)]
fn shell_script(url: &str, key: &str) -> Option<Command> {
    let [script] = blocks(include_str!("../../../everwire-js/README.md"), "sh")[..] else { panic!("one script") };
    let has_json = Command::new("curl").args(["--json", "{}", "--version"]).output();
    if !has_json.is_ok_and(|output| output.status.success()) {
        eprintln!("the script is not tried: there is no curl since 7.82");
        return None;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "publish.sh", "orders"]).envs([("EVERWIRE_URL", url), ("EVERWIRE_API_KEY", key)]);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(shell)
}

#[cfg(unix)]
#[tokio::test]
async fn the_shell_script_of_the_npm_package_publishes_each_line_once_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().to_str().unwrap();
    let process = Process::start(&["--allow-all", "--journal", journal]);
    let address = process.address.to_string();
    let url = format!("http://{address}");
    let Some(mut shell) = shell_script(&url, KEY) else { return };
    let mut shell = shell.spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let mut answers = BufReader::new(shell.stdout.take().unwrap()).lines();
    input.write_all(b"{\"order\":1}\n").unwrap();
    assert!(answers.next().unwrap().unwrap().contains("\"offset\":1"));
    drop(process);
    input.write_all(b"{\"order\":2}\n{\"order\":3}\n").unwrap();
    drop(input);
    let flags = ["--allow-all", "--api-key", KEY, "--journal", journal, "--listen", &address];
    let process = Process::by(Command::new(PROGRAM).args(flags));
    for offset in [2, 3] {
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.contains(&format!("\"offset\":{offset}")), "{answer}");
    }
    assert!(shell.wait().unwrap().success());
    let mut client = process.subscribed("sub orders last:10").await;
    for order in 1..=3 {
        let line = client.expect("msg orders ").await;
        assert!(line.ends_with(&format!("\n{{\"order\":{order}}}")), "{line}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_shell_script_of_the_npm_package_stops_where_the_server_refuses_a_line() {
    let (_folder, path) = file("everwire.toml", configuration());
    let process = Process::start(&["--config", path.to_str().unwrap()]);
    let url = format!("http://{}", process.address);
    // `orders` has no rule.
    for (key, refusal) in
        [("wrong", "401: {\"error\":{\"code\":\"unauthorized\""), (KEY, "403: {\"error\":{\"code\":\"no-rule\"")]
    {
        let Some(mut shell) = shell_script(&url, key) else { return };
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(b"{\"order\":1}\n{\"order\":2}\n").unwrap();
        let output = shell.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert!(errors.starts_with(&format!("publish.sh: line 1 is refused, status {refusal}")), "{errors}");
        assert_eq!(errors.lines().count(), 1, "it is not repeated: {errors}");
    }
}
