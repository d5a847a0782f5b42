//! The routes as a part of another application.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use everwire_server::{Config, Everwire, router};
use tokio::net::TcpListener;

use crate::client::Client;
use crate::harness::http;

/// Serves an application and returns where.
async fn serve(app: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// An application that has everything already.
fn application() -> Router {
    Router::new()
        .route("/", get(|| async { "my page" }))
        .route("/healthz", get(|| async { "my health" }))
        .route("/metrics", get(|| async { "my metrics" }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "my fallback") })
}

#[tokio::test]
async fn an_application_with_a_fallback_and_probes_of_its_own_can_merge_the_routes() {
    for app in [application().merge(router(Config::default())), router(Config::default()).merge(application())] {
        let address = serve(app).await;
        assert_eq!(Client::connect(address, "/echo").await.ask("hi").await, "hi");
        for (path, answer) in
            [("/", "my page"), ("/healthz", "my health"), ("/metrics", "my metrics"), ("/elsewhere", "my fallback")]
        {
            assert!(http(address, path, "").await.ends_with(answer), "{path}");
        }
    }
}

#[tokio::test]
async fn an_application_that_has_nothing_of_its_own_has_the_servers_probes() {
    let page = || Router::new().route("/", get(|| async { "my page" }));
    let everwire = Everwire::new(Config::default());
    let with_probes = || everwire.router().merge(everwire.probes());
    for app in [everwire.router(), page().merge(everwire.router()), with_probes()] {
        let address = serve(app).await;
        assert!(http(address, "/healthz", "").await.ends_with("ok\n"));
        assert!(http(address, "/metrics", "").await.contains("everwire_connections{endpoint=\"/echo\"} 0"));
        assert!(http(address, "/elsewhere", "").await.starts_with("HTTP/1.1 404 "));
    }
}

#[tokio::test]
async fn an_application_without_probes_can_have_the_servers() {
    let everwire = Everwire::new(Config::default());
    let app = Router::new().nest("/live", everwire.router()).nest("/ops", everwire.probes());
    let address = serve(app).await;
    let _client = Client::connect(address, "/live/echo").await;
    assert!(http(address, "/ops/healthz", "").await.ends_with("ok\n"));
    assert!(http(address, "/ops/metrics", "").await.contains("everwire_connections{endpoint=\"/echo\"} 1"));
}

#[tokio::test]
async fn under_a_path_of_the_application_answers_name_the_paths_that_there_are() {
    let address = serve(application().nest("/live", router(Config::default()))).await;
    assert_eq!(Client::connect(address, "/live/echo").await.ask("hi").await, "hi");
    assert!(http(address, "/live/echo", "").await.contains("\r\n\r\n/live/echo is a WebSocket"));
    assert!(http(address, "/live/elsewhere", "").await.ends_with("my fallback"));
}

#[tokio::test]
async fn under_a_path_of_the_application_the_pages_redirect_within_it() {
    let dist = tempfile::tempdir().unwrap();
    std::fs::create_dir(dist.path().join("docs")).unwrap();
    std::fs::write(dist.path().join("docs").join("index.html"), "the documentation").unwrap();
    let config = Config { dist: Some(dist.path().to_owned()), ..Config::default() };
    let address = serve(Router::new().nest("/live", router(config))).await;
    assert!(http(address, "/live/docs", "").await.contains("location: /live/docs/\r\n"));
    assert!(http(address, "/live/docs/", "").await.ends_with("the documentation"));
}
