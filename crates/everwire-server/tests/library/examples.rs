//! The examples, which are what a reader copies.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use everwire_server::{DropReason, Everwire};
use everwire_test_client::{Client, http};

use crate::support::{BOTH, By, serve};
use crate::{counter, mounted};

#[tokio::test]
async fn a_visitor_without_a_login_cookie_is_refused_before_the_handshake() {
    for by in BOTH {
        let everwire = Everwire::default();
        let address = serve(by, &everwire, counter::app(&everwire)).await;
        let refused = Client::try_connect(address, "/counter", &[]).await.err();
        assert_eq!(refused, Some((401, "Log in first.".to_owned())), "{by:?}");
        let metrics = everwire.endpoint_metrics("/counter");
        assert_eq!((metrics.drops(DropReason::Rejected), metrics.connections_total()), (1, 0));
    }
}

#[tokio::test]
async fn everyone_sees_who_has_raised_the_counter() {
    for by in BOTH {
        let everwire = Everwire::default();
        let address = serve(by, &everwire, counter::app(&everwire)).await;
        let login = http(address, "/login/ann", "").await;
        assert!(login.contains("set-cookie: user=ann;"), "{login}");
        let mut ann = Client::try_connect(address, "/counter", &[("cookie", "a=b; user=ann")]).await.unwrap();
        let mut bob = Client::try_connect(address, "/counter", &[("cookie", "user=bob")]).await.unwrap();
        assert_eq!((ann.text().await, bob.text().await), ("0".to_owned(), "0".to_owned()));
        ann.send("").await;
        assert_eq!(ann.text().await, "1 by ann, seen by 2");
        assert_eq!(bob.ask("").await, "1 by ann, seen by 2");
        assert_eq!(bob.text().await, "2 by bob, seen by 2");
        let mut late = Client::try_connect(address, "/counter", &[("cookie", "user=eve")]).await.unwrap();
        assert_eq!(late.text().await, "2");
    }
}

#[tokio::test]
async fn a_route_has_limits_of_its_own() {
    let everwire = Everwire::default();
    let address = serve(By::Everwire, &everwire, counter::app(&everwire)).await;
    let mut ann = Client::try_connect(address, "/counter", &[("cookie", "user=ann")]).await.unwrap();
    for _ in 0..11 {
        ann.send("").await;
    }
    assert_eq!(ann.closed().await, (1008, "more than 10 messages a second".to_owned()));
}

#[tokio::test]
async fn an_application_keeps_its_pages_its_fallback_and_the_paths_of_its_probes() {
    for by in BOTH {
        let everwire = Everwire::default();
        let address = serve(by, &everwire, mounted::app(&everwire)).await;
        let mut one = Client::connect(address, "/live/broadcast").await;
        let mut other = Client::connect(address, "/live/broadcast").await;
        assert_eq!(one.ask("hi").await, "hi");
        assert_eq!(other.text().await, "hi");
        assert_eq!(Client::connect(address, "/live/echo").await.ask("echo").await, "echo");
        for (path, answer) in [("/", "my page"), ("/ops/healthz", "ok\n"), ("/healthz", "my fallback")] {
            assert!(http(address, path, "").await.ends_with(answer), "{path} by {by:?}");
        }
        assert!(
            http(address, "/ops/metrics", "").await.contains("everwire_connections{endpoint=\"/live/broadcast\"} 2")
        );
        assert!(http(address, "/live/echo", "").await.contains("\r\n\r\n/live/echo is a WebSocket"));
        assert!(http(address, "/live/elsewhere", "").await.ends_with("my fallback"));
    }
}

#[tokio::test]
async fn the_probes_can_be_merged_into_an_application_that_has_none() {
    let everwire = Everwire::default();
    let app = Router::new().route("/", get(|| async { "my page" })).merge(everwire.probes());
    let address = serve(By::Axum, &everwire, app).await;
    assert!(http(address, "/healthz", "").await.ends_with("ok\n"));
    assert!(http(address, "/metrics", "").await.contains("# TYPE everwire_connections gauge"));
    assert!(http(address, "/elsewhere", "").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn an_application_that_drains_closes_its_sockets_and_refuses_new_ones() {
    let everwire = Everwire::default();
    let address = serve(By::Axum, &everwire, mounted::app(&everwire)).await;
    let mut client = Client::connect(address, "/live/echo").await;
    assert_eq!(client.ask("hi").await, "hi");
    let (closed, ()) = tokio::join!(client.close_frame(), everwire.drain(Duration::ZERO));
    assert_eq!(closed, (1001, "the server is stopping".to_owned()));
    let (status, body) = Client::try_connect(address, "/live/echo", &[]).await.err().unwrap();
    assert_eq!((status, body.contains("stopping")), (503, true));
    assert!(http(address, "/ops/healthz", "").await.starts_with("HTTP/1.1 503 "));
}
