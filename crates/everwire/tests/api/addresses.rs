//! Addresses in native programs, as the handshake sends them.

use std::net::Ipv4Addr;

use everwire::{Address, Cause, Headers, OpenError, Socket, SocketBuilder};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
};

use crate::{
    server::TestServer,
    tools::{dropped, eager, opened, within},
};

/// The lines of the request that a socket sends; `open` gets the port of the server.
async fn request(open: impl FnOnce(u16) -> SocketBuilder) -> Vec<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let _socket = open(listener.local_addr().unwrap().port()).open().unwrap();
    let (stream, _) = within("a connection came", listener.accept()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut request = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
        request.push(line);
    }
    request
}

/// The raw text of the address used to go out.
#[tokio::test]
async fn an_address_is_dialled_as_a_browser_would_also_where_a_provider_gives_it() {
    for (address, line, host) in [
        ("ws://127.0.0.1:PORT?q=ä b", "GET /?q=%C3%A4%20b HTTP/1.1", "127.0.0.1:PORT"),
        (" ws://127.1:PORT/a/../ü\t/ ", "GET /%C3%BC/ HTTP/1.1", "127.0.0.1:PORT"),
        ("http:\\\\LOCALHOST:PORT\\x", "GET /x HTTP/1.1", "localhost:PORT"),
    ] {
        let with = |text: &str, port: u16| text.replace("PORT", &port.to_string());
        for is_provided in [false, true] {
            let mut port = 0;
            let request = request(|free| {
                port = free;
                let address = with(address, port);
                if is_provided {
                    Socket::builder_with_url_provider(move |_| core::future::ready(Ok::<_, String>(address.clone())))
                } else {
                    Socket::builder(address)
                }
            });
            let request = request.await;
            assert_eq!(request[0], line);
            assert!(request.contains(&format!("Host: {}", with(host, port))), "{request:?}");
        }
    }
}

/// They used to be dropped silently.
#[tokio::test]
async fn credentials_of_an_address_are_sent() {
    let request = request(|port| Socket::builder(format!("ws://Aladdin:open%20sesame@127.0.0.1:{port}/"))).await;
    assert!(request.contains(&"authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()), "{request:?}");
    assert!(!request[..2].concat().contains("sesame"), "{request:?}");
}

#[tokio::test]
async fn credentials_of_an_address_are_not_in_the_url_of_the_socket() {
    let server = TestServer::start().await;
    let with_credentials = server.url("/echo").replacen("://", "://user:secret@", 1);
    let mut socket = Socket::open(with_credentials).unwrap();
    assert_eq!(opened(&mut socket).await.url, server.url("/echo"));
    assert_eq!(socket.handle().url(), server.url("/echo"));
}

#[tokio::test]
async fn credentials_in_the_address_and_in_a_header_are_refused() {
    let headers = Headers::new([("Authorization", "Bearer x")]).unwrap();
    let refused = Socket::builder("ws://user:secret@127.0.0.1:9/").headers(headers.clone()).open().unwrap_err();
    assert!(matches!(&refused, OpenError::Address { problem, .. } if problem.contains("leave out one")), "{refused}");
    let provide = |_| core::future::ready(Ok::<_, String>(Address::from("ws://user:secret@127.0.0.1:9/")));
    let mut socket = Socket::builder_with_url_provider(provide).headers(headers).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause;
    let Cause::ProviderFailed(problem) = cause else { panic!("{cause:?}") };
    assert!(problem.contains("leave out one") && !problem.contains("secret"), "{problem}");
}

/// A browser dials `http:` as `ws:`, and so does a native program.
#[tokio::test]
async fn an_address_for_http_opens_a_web_socket() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo").replacen("ws:", "http:", 1)).unwrap();
    assert_eq!(opened(&mut socket).await.url, server.url("/echo"));
}
