use std::fs;

use everwire_test_client::{TIMEOUT, http};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::harness::Harness;

/// A server of an application, and the folder that the application's folder is in.
async fn harness() -> (Harness, TempDir) {
    let parent = TempDir::new().unwrap();
    let dist = parent.path().join("dist");
    fs::create_dir(&dist).unwrap();
    fs::write(dist.join("index.html"), "<!doctype html><title>the application</title>").unwrap();
    fs::write(dist.join("app_bg.wasm"), b"\0asm").unwrap();
    fs::write(dist.join("app.js"), "export {}").unwrap();
    fs::create_dir(dist.join("docs")).unwrap();
    fs::write(dist.join("docs").join("index.html"), "the documentation").unwrap();
    (Harness::start(|config| config.dist = Some(dist)).await, parent)
}

#[tokio::test]
async fn files_have_their_content_types() {
    let (harness, _parent) = harness().await;
    for (path, content_type) in
        [("/", "text/html"), ("/app_bg.wasm", "application/wasm"), ("/app.js", "text/javascript")]
    {
        let answer = harness.get(path).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("content-type: {content_type}")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_path_of_the_application_shows_the_application() {
    let (harness, _parent) = harness().await;
    for path in ["/demos/map", "/somewhere", "/somewhere/?x=1.5"] {
        let answer = harness.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("the application"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_not_the_application() {
    let (harness, _parent) = harness().await;
    let answer = harness.get("/old_bg.wasm").await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("the application"), "{answer}");
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let (harness, parent) = harness().await;
    fs::write(parent.path().join("outside.txt"), "secret").unwrap();
    for path in ["/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt"] {
        assert!(!harness.get(path).await.contains("secret"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_opens_an_endpoints_path_sees_the_application_and_a_socket_the_endpoint() {
    let (harness, _parent) = harness().await;
    let page = http(harness.address(), "/ticker", "Accept: text/html,*/*\r\n").await;
    assert!(page.contains("the application"), "{page}");
    assert!(harness.get("/ticker").await.starts_with("HTTP/1.1 426 "));
    assert_eq!(harness.client("/echo").await.ask("hi").await, "hi");
    assert!(harness.get("/healthz").await.ends_with("ok\n"));
}

#[tokio::test]
async fn a_path_that_is_too_long_for_a_file_is_not_found() {
    let (harness, _parent) = harness().await;
    for name in ["a".repeat(300), "a".repeat(300) + ".js", "%C3%A4".repeat(150), "a/".repeat(3000)] {
        for encodings in ["", "Accept-Encoding: gzip, br\r\n"] {
            let answer = http(harness.address(), &format!("/{name}"), encodings).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        }
    }
}

/// A browser takes what follows `//` for the name of another host, even if it has backslashes instead of slashes.
#[tokio::test]
async fn a_redirect_stays_on_this_server() {
    let (harness, _parent) = harness().await;
    for path in ["/docs", "//docs", "///docs", "/\\docs", "/docs?x=1", "//docs?x=//evil.example"] {
        let answer = harness.get(path).await;
        if let Some(location) = answer.lines().find_map(|line| line.strip_prefix("location: ")) {
            assert!(location.starts_with("/docs/"), "{path}: {location}");
        }
    }
    assert!(harness.get("/docs").await.contains("location: /docs/\r\n"));
    assert!(harness.get("//docs?x=1").await.contains("location: /docs/?x=1\r\n"));
    assert!(harness.get("/docs/").await.ends_with("the documentation"));
}

/// Opening one blocks until it has a writer.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_among_the_pages_is_not_found_and_blocks_no_request() {
    let (harness, parent) = harness().await;
    let dist = parent.path().join("dist");
    let made =
        std::process::Command::new("mkfifo").args(["a.js", "b.js.gz", "page"]).current_dir(&dist).status().unwrap();
    assert!(made.success());
    fs::write(dist.join("b.js"), "export {}").unwrap();
    let get = async |path| {
        let answer = http(harness.address(), path, "Accept-Encoding: gzip\r\n");
        timeout(TIMEOUT, answer).await.expect("an answer in time")
    };
    assert!(get("/a.js").await.starts_with("HTTP/1.1 404 "));
    assert!(get("/b.js").await.ends_with("export {}"));
    assert!(get("/page").await.contains("the application"));
}

/// A build writes them next to the file.
#[tokio::test]
async fn a_compressed_file_is_sent_to_clients_that_accept_it() {
    let (harness, parent) = harness().await;
    let dist = parent.path().join("dist");
    for (name, text) in [
        ("app_bg.wasm.br", "by brotli"),
        ("app_bg.wasm.gz", "by gzip"),
        ("app.js.gz", "by gzip"),
        ("index.html.gz", "by gzip"),
    ] {
        fs::write(dist.join(name), text).unwrap();
    }
    for (path, accepted, encoding, content_type, body) in [
        ("/app_bg.wasm", "gzip, deflate, br", "br", "application/wasm", "by brotli"),
        ("/app_bg.wasm", "gzip", "gzip", "application/wasm", "by gzip"),
        ("/app_bg.wasm", "br;q=0, gzip", "gzip", "application/wasm", "by gzip"),
        ("/app.js", "br, gzip", "gzip", "text/javascript", "by gzip"),
        ("/", "gzip", "gzip", "text/html", "by gzip"),
        ("/demos/map", "gzip", "gzip", "text/html", "by gzip"),
    ] {
        let answer = http(harness.address(), path, &format!("Accept-Encoding: {accepted}\r\n")).await;
        for line in [
            format!("content-encoding: {encoding}\r\n"),
            format!("content-type: {content_type}"),
            "vary: accept-encoding".to_owned(),
        ] {
            assert!(answer.contains(&line), "{path} to {accepted}: {line} is missing in {answer}");
        }
        assert!(answer.ends_with(body), "{path} to {accepted}: {answer}");
    }
    let plain = harness.get("/app_bg.wasm").await;
    assert!(plain.ends_with("\0asm") && !plain.contains("content-encoding"), "{plain}");
    assert!(plain.contains("vary: accept-encoding"), "a cache between must not mix the two up: {plain}");
}

#[tokio::test]
async fn files_with_a_hash_in_their_name_are_cached_and_all_others_are_revalidated() {
    let (harness, parent) = harness().await;
    let dist = parent.path().join("dist");
    let hashed = ["demos-3f2a91b07c4d5e68.js", "demos-3f2a91b07c4d5e68_bg.wasm", "base-90ab12cd34ef5678.css"];
    let others =
        ["app.js", "leaflet-1.9.4.js", "deadbeef.js", "feedbacked-facade.js", "countries-50m.json", "20261130.txt"];
    for name in hashed.iter().chain(&others) {
        fs::write(dist.join(name), "").unwrap();
    }
    let kept = "cache-control: public, max-age=31536000, immutable\r\n";
    for name in hashed {
        let answer = harness.get(&format!("/{name}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(kept), "{name}: {answer}");
    }
    for name in
        others.iter().chain(&["", "index.html", "demos/map", "gone-3f2a91b07c4d5e68.js", "gone-3f2a91b07c4d5e68"])
    {
        let answer = harness.get(&format!("/{name}")).await;
        assert!(answer.contains("cache-control: no-cache\r\n"), "{name}: {answer}");
    }
}
