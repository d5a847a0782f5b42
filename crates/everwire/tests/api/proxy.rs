//! Connections through an HTTP proxy, in native programs.

use core::time::Duration;
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use everwire::{Cause, Proxy, Socket};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};

use crate::support::{TestServer, dropped, eager, opened, text, within};

/// A proxy that reports each request, and answers it as `answer` says: with a tunnel to the server for a 2xx, otherwise with the answer alone.
struct TestProxy {
    address: SocketAddr,
    requests: UnboundedReceiver<String>,
    task: JoinHandle<()>,
}

impl TestProxy {
    async fn start(server: SocketAddr, answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reports, requests) = unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = String::new();
                while !request.ends_with("\r\n\r\n") {
                    request.push(char::from(client.read_u8().await.unwrap()));
                }
                let answer = answer(&request);
                reports.send(request).unwrap();
                client.write_all(answer.as_bytes()).await.unwrap();
                if answer.starts_with("HTTP/1.1 2") {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
                }
            }
        });
        Self { address, requests, task }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn proxy(&self) -> Proxy {
        Proxy::new(self.url()).unwrap()
    }

    async fn request(&mut self) -> String {
        within("the proxy got a request", self.requests.recv()).await.unwrap()
    }
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn established(_: &str) -> String {
    "HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n".to_owned()
}

/// The cause of the first attempt through a proxy that answers so.
async fn refusal(answer: impl Into<String>) -> String {
    let answer = answer.into();
    let proxy = TestProxy::start(([127, 0, 0, 1], 1).into(), move |_| answer.clone()).await;
    let mut socket = Socket::builder("ws://example.org/").proxy(proxy.proxy()).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause;
    let Cause::Closed { code: 1006, reason, was_clean: false, .. } = cause else { panic!("{cause:?}") };
    assert!(reason.contains(&format!("proxy {}: ", proxy.address)), "{reason}");
    reason
}

#[tokio::test]
async fn messages_pass_through_the_tunnel_of_a_proxy_to_an_address_that_only_the_proxy_can_reach() {
    let server = TestServer::start().await;
    let proxy = TestProxy::start(server.address(), established).await;
    let mut socket = Socket::builder("ws://192.0.2.1:81/echo").proxy(proxy.proxy()).open().unwrap();
    socket.send("through").unwrap();
    assert_eq!(text(&mut socket).await, "through");
}

#[tokio::test]
async fn the_proxy_resolves_the_name_and_gets_the_port_also_where_it_is_the_standard_one() {
    let server = TestServer::start().await;
    for (url, authority) in [
        ("ws://host.invalid/", "host.invalid:80"),
        ("ws://host.invalid:81/", "host.invalid:81"),
        ("ws://[::1]/", "[::1]:80"),
    ] {
        let mut proxy = TestProxy::start(server.address(), established).await;
        let _socket = Socket::builder(url).proxy(proxy.proxy()).open().unwrap();
        assert_eq!(proxy.request().await, format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    }
}

#[cfg(feature = "rustls-own-roots")]
#[tokio::test]
async fn tls_is_end_to_end_through_a_proxy() {
    let (server, roots) = crate::tls::server().await;
    let mut proxy = TestProxy::start(server.address(), established).await;
    let url = server.url("/echo").replacen("127.0.0.1", "localhost", 1);
    let mut socket = Socket::builder(url).root_certificates(roots).proxy(proxy.proxy()).open().unwrap();
    socket.send("secret").unwrap();
    assert!(proxy.request().await.starts_with("CONNECT localhost:"));
    assert_eq!(text(&mut socket).await, "secret");
}

#[tokio::test]
async fn credentials_are_sent_to_the_proxy_as_basic_authentication() {
    let server = TestServer::start().await;
    let mut proxy = TestProxy::start(server.address(), established).await;
    let authenticated = Proxy::new(proxy.url().replacen("//", "//Aladdin:open%20sesame@", 1)).unwrap();
    let mut socket = Socket::builder(server.url("/echo")).proxy(authenticated).open().unwrap();
    opened(&mut socket).await;
    let request = proxy.request().await;
    assert!(request.contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{request}");
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_a_failed_attempt_that_says_how_to_set_them() {
    let wants = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    let reason = refusal(wants).await;
    assert!(reason.contains("407 Proxy Authentication Required") && reason.contains("Proxy::basic_auth"), "{reason}");
}

#[tokio::test]
async fn credentials_that_a_proxy_refuses_are_not_in_the_cause() {
    let refuses = |_: &str| "HTTP/1.1 407 No\r\n\r\n".to_owned();
    let proxy = TestProxy::start(([127, 0, 0, 1], 1).into(), refuses).await;
    let wrong = proxy.proxy().basic_auth("user", "secret").unwrap();
    let mut socket = Socket::builder("ws://example.org/").proxy(wrong).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause.to_string();
    assert!(cause.contains("refuses the credentials") && !cause.contains("secret"), "{cause}");
}

#[tokio::test]
async fn the_attempt_after_a_bad_gateway_goes_through() {
    let server = TestServer::start().await;
    let requests = AtomicU32::new(0);
    let proxy = TestProxy::start(server.address(), move |request| match requests.fetch_add(1, Ordering::Relaxed) {
        0 => "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\ndown".to_owned(),
        _ => established(request),
    })
    .await;
    let mut socket = Socket::builder(server.url("/echo")).proxy(proxy.proxy()).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause.to_string();
    assert!(cause.contains("it answered 502 Bad Gateway"), "{cause}");
    opened(&mut socket).await;
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::new(format!("http://{free}")).unwrap();
    let mut socket = Socket::builder("ws://example.org/").proxy(proxy).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause.to_string();
    assert!(cause.contains(&format!("proxy {free}: ")) && cause.contains("refused"), "{cause}");
}

#[tokio::test]
async fn what_is_no_answer_of_a_proxy_is_a_failed_attempt_that_says_so() {
    for (answer, advice) in [
        ("", "closed the connection"),
        ("HTTP/1.1 20", "closed the connection"),
        ("220 mail.example ESMTP\r\n", "is it an HTTP proxy?"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n", "before the tunnel was used"),
    ] {
        let reason = refusal(answer).await;
        assert!(reason.contains(advice), "{answer:?}: {reason}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000));
    let reason = refusal(endless).await;
    assert!(reason.contains("longer than 8192 bytes"), "{reason}");
}

/// A proxy that accepts and never answers would otherwise hold the attempt for as long as TCP does.
#[tokio::test]
async fn a_proxy_that_does_not_answer_is_a_failed_attempt_after_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::new(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let builder = Socket::builder("ws://example.org/").proxy(proxy).connect_timeout(Duration::from_millis(50));
    let mut socket = builder.backoff(eager()).open().unwrap();
    assert_eq!(dropped(&mut socket).await.cause, Cause::ConnectTimeout);
}
