//! Addresses that are asked for, and new connections on demand.

use core::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use std::sync::Arc;

use everwire::{Address, AtRisk, Attempt, Cause, Ended, Protocols, Socket};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{closed, dropped, eager, opened, text},
};

/// A rejected address promise leaves the client stuck for ever (reconnecting-websocket#134).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_provider_that_fails_does_not_stick_the_client() {
    let server = TestServer::start().await;
    let url = server.url("/echo");
    let provide = move |attempt: Attempt| {
        let answer = if attempt.failures < 2 { Err("no token today") } else { Ok(url.clone()) };
        async move { answer }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    for _ in 0..2 {
        assert_eq!(dropped(&mut socket).await.cause, Cause::ProviderFailed("no token today".to_owned()));
    }
    opened(&mut socket).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_provider_that_hangs_does_not_outlast_the_connect_timeout() {
    // The second time it answers at once. What it says is an error, since the timeout is too short for a handshake on a busy machine.
    let provide = |attempt: Attempt| async move {
        if attempt.failures == 0 { pending().await } else { Err::<String, _>("asked again") }
    };
    let timeout = Duration::from_millis(200);
    let mut socket =
        Socket::builder_with_url_provider(provide).backoff(eager()).connect_timeout(timeout).open().unwrap();
    assert_eq!(dropped(&mut socket).await.cause, Cause::ConnectTimeout);
    assert_eq!(dropped(&mut socket).await.cause, Cause::ProviderFailed("asked again".to_owned()));
}

/// An expired token is replayed for ever (streamlabs/desktop#6203, supabase-js#2613).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn credentials_are_not_replayed_but_asked_for_at_each_attempt() {
    let server = TestServer::start().await;
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    let url = server.url("/echo");
    let provide = move |_| {
        let token = format!("token-{}", counter.fetch_add(1, Ordering::Relaxed));
        let address = Address::new(url.clone()).protocols(Protocols::new([token]).unwrap());
        async move { Ok::<_, String>(address) }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    assert_eq!(opened(&mut socket).await.protocol, "token-0");
    socket.reconnect();
    assert_eq!(opened(&mut socket).await.protocol, "token-1");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// A token that has expired ends the connection for good, though the next one is at hand (nyaruka/rapidpro#6836).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn credentials_that_the_server_refuses_are_renewed_where_a_provider_gives_them() {
    let server = TestServer::start().await;
    let urls = [server.url("/echo?fault=close:4401"), server.url("/echo?fault=close:3000"), server.url("/echo")];
    let asked = Arc::new(AtomicU32::new(0));
    let provide = move |_| {
        let url = urls[asked.fetch_add(1, Ordering::Relaxed) as usize].clone();
        async move { Ok::<_, String>(url) }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    for refused in [4401, 3000] {
        let dropped = dropped(&mut socket).await;
        assert!(matches!(dropped.cause, Cause::Closed { code, .. } if code == refused), "{dropped:?}");
        assert!(dropped.retry_in >= Some(eager().floor.into()), "{dropped:?}");
    }
    opened(&mut socket).await;
    let mut fixed = Socket::builder(server.url("/echo?fault=close:4401")).backoff(eager()).open().unwrap();
    let ended = closed(&mut fixed).await.ended;
    assert!(matches!(ended, Ended::Final(Cause::Closed { code: 4401, .. })), "{ended:?}");
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_provider_that_gives_a_bad_address_may_give_a_better_one() {
    let server = TestServer::start().await;
    let url = server.url("/echo");
    let provide = move |attempt: Attempt| {
        let url = if attempt.failures == 0 { "ftp://example.org".to_owned() } else { url.clone() };
        async move { Ok::<_, String>(url) }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause;
    assert!(matches!(cause, Cause::ProviderFailed(_)), "{cause:?}");
    opened(&mut socket).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_new_connection_can_be_asked_for_and_the_old_one_is_not_heard_any_more() {
    let server = TestServer::start().await;
    // It goes on for longer than any machine takes to ask.
    let mut socket = Socket::open(server.url("/countdown?from=100000&every=1")).unwrap();
    assert_eq!(text(&mut socket).await, "100000");
    socket.reconnect();
    let dropped = dropped(&mut socket).await;
    assert_eq!((dropped.cause, dropped.at_risk), (Cause::Requested, AtRisk::default()));
    opened(&mut socket).await;
    assert_eq!(text(&mut socket).await, "100000");
    assert_eq!(text(&mut socket).await, "99999");
}
