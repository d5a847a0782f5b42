//! The routes as a part of another application.

use axum::Router;
use axum::http::StatusCode;
use everwire_companion::{Companion, Config};
use everwire_test_client::http;
use tokio::net::TcpListener;

#[tokio::test]
async fn under_a_path_of_the_application_the_pages_redirect_within_it() {
    let dist = tempfile::tempdir().unwrap();
    std::fs::create_dir(dist.path().join("docs")).unwrap();
    std::fs::write(dist.path().join("docs").join("index.html"), "the documentation").unwrap();
    let config = Config { dist: Some(dist.path().to_owned()), ..Config::default() };
    let app = Router::new().nest("/live", Companion::new(config).unwrap().router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app.fallback(|| async { StatusCode::NOT_FOUND })).await });
    assert!(http(address, "/live/docs", "").await.contains("location: /live/docs/\r\n"));
    assert!(http(address, "/live/docs/", "").await.ends_with("the documentation"));
}
