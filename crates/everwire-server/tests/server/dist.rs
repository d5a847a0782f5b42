use std::fs;

use tempfile::TempDir;

use crate::harness::{Harness, http};

/// A server of an application, and the folder that the application's folder is in.
async fn harness() -> (Harness, TempDir) {
    let parent = TempDir::new().unwrap();
    let dist = parent.path().join("dist");
    fs::create_dir(&dist).unwrap();
    fs::write(dist.join("index.html"), "<!doctype html><title>the application</title>").unwrap();
    fs::write(dist.join("app_bg.wasm"), b"\0asm").unwrap();
    fs::write(dist.join("app.js"), "export {}").unwrap();
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
