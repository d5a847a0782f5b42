use std::fs;

use tempfile::TempDir;

use crate::harness::{Harness, http};

async fn harness() -> (Harness, TempDir) {
    let dist = TempDir::new().unwrap();
    fs::write(dist.path().join("index.html"), "<!doctype html><title>the application</title>").unwrap();
    fs::write(dist.path().join("app_bg.wasm"), b"\0asm").unwrap();
    fs::write(dist.path().join("app.js"), "export {}").unwrap();
    let folder = dist.path().to_owned();
    (Harness::start(|config| config.dist = Some(folder)).await, dist)
}

#[tokio::test]
async fn files_have_their_content_types() {
    let (harness, _dist) = harness().await;
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
    let (harness, _dist) = harness().await;
    for path in ["/demos/map", "/somewhere", "/somewhere/?x=1.5"] {
        let answer = harness.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("the application"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_not_the_application() {
    let (harness, _dist) = harness().await;
    let answer = harness.get("/old_bg.wasm").await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("the application"), "{answer}");
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let (harness, dist) = harness().await;
    let outside = dist.path().parent().unwrap().join("everwire-outside.txt");
    fs::write(&outside, "secret").unwrap();
    for path in ["/../everwire-outside.txt", "/%2e%2e/everwire-outside.txt", "/..%2feverwire-outside.txt"] {
        assert!(!harness.get(path).await.contains("secret"), "{path}");
    }
    fs::remove_file(outside).unwrap();
}

#[tokio::test]
async fn a_browser_that_opens_an_endpoints_path_sees_the_application_and_a_socket_the_endpoint() {
    let (harness, _dist) = harness().await;
    let page = http(harness.address(), "/ticker", "Accept: text/html,*/*\r\n").await;
    assert!(page.contains("the application"), "{page}");
    assert!(harness.get("/ticker").await.starts_with("HTTP/1.1 426 "));
    assert_eq!(harness.client("/echo").await.ask("hi").await, "hi");
    assert!(harness.get("/healthz").await.ends_with("ok\n"));
}
