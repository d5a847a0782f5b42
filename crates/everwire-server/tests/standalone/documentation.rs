//! What the documentation shows.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{KEY, PROGRAM, Process, file, program};

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
