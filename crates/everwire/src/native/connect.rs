//! One attempt to connect: the parsed URL, the TCP or TLS connection, and the handshake.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::{io, net::IpAddr};

use everwire_core::Protocols;
use percent_encoding::percent_decode_str;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error,
        client::IntoClientRequest,
        error::{ProtocolError, SubProtocolError},
        handshake::client::{Request, Response},
        http::{HeaderValue, Uri, header},
        protocol::WebSocketConfig,
    },
};
use url::{Host, Url};

use super::{
    headers::{Headers, basic_auth},
    options::Options,
    proxy::Proxy,
    trace::Trace,
};
use crate::{Cause, OpenError, builder::AddressFuture, event::without_secrets};

/// The most payload bytes of a frame and of a batch. Larger messages are fragmented, as in Chromium, so that a pong need not wait for
/// their end.
pub(super) const WRITE_BYTES: usize = 128 << 10;

/// The limit of tungstenite's write buffer, which holds a batch, and pongs while the network accepts nothing.
const MAX_WRITE_BUFFER: usize = 4 * WRITE_BYTES;

/// A WebSocket of tungstenite.
pub(super) type Stream = WebSocketStream<Transport>;

/// Makes one attempt: resolves the address, opens the transport and performs the handshake.
pub(super) struct Connector {
    pub(super) address: AddressFuture,
    pub(super) protocols: Protocols,
    pub(super) options: Options,
    /// The cause of an attempt whose address is invalid.
    pub(super) invalid_address: fn(String) -> Cause,
    /// How many attempts failed since a connection was last stable.
    pub(super) failures: u32,
    pub(super) trace: Trace,
}

/// An open WebSocket.
pub(super) struct Connected {
    pub(super) stream: Stream,
    /// The server's answer to the handshake.
    pub(super) response: Response,
    /// The URL, without credentials.
    pub(super) url: String,
}

impl Connector {
    pub(super) async fn connect(self) -> Result<Connected, Cause> {
        let Self { address, protocols, options, invalid_address, failures, trace } = self;
        let address = address.await.map_err(Cause::ProviderFailed)?;
        trace.connecting(&address.url, failures);
        let target = Target::parse(&address.url, &options).map_err(|error| invalid_address(without_query(error)))?;
        let offered = address.protocols.as_ref().unwrap_or(&protocols);
        let request = target.request(offered, &options.headers).map_err(invalid_address)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(options.read_buffer)
            .write_buffer_size(WRITE_BYTES)
            .max_write_buffer_size(MAX_WRITE_BUFFER)
            .max_message_size(Some(options.max_message_bytes))
            .max_frame_size(Some(options.max_message_bytes));
        let handshake = async {
            let transport = Transport::connect(&target, &options).await?;
            client_async_with_config(request, transport, Some(config)).await
        };
        match handshake.await {
            Ok((stream, response)) => Ok(Connected { stream, response, url: target.url }),
            Err(error) => Err(Cause::closed(1006, error.to_string(), false)),
        }
    }
}

/// The error of a handshake in which the server chose none of the offered subprotocols.
pub(super) fn missing_subprotocol() -> Error {
    Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol))
}

/// The text of the error. Causes are shown and logged, and the query of a provider's URL may be a token.
fn without_query(error: OpenError) -> String {
    match error {
        OpenError::Address { url, problem } => OpenError::Address { url: without_secrets(&url), problem }.to_string(),
        other => other.to_string(),
    }
}

/// A parsed address: where to connect to, and the parts that go into the request. It is parsed as the URL and the WebSocket standard
/// say, so that every absolute address that a browser accepts works here.
#[derive(Debug)]
pub(super) struct Target {
    /// The address as it was parsed, without credentials.
    pub(super) url: String,
    pub(super) host: Host<String>,
    pub(super) port: u16,
    pub(super) is_secure: bool,
    /// The value of the header `Host`.
    authority: HeaderValue,
    /// The path and the query, behind a scheme and a placeholder for the authority: tungstenite checks them and does not send them.
    request_target: Uri,
    /// The value of the header `Authorization`, where the address has a user or a password.
    credentials: Option<String>,
}

impl Target {
    /// Parses an address.
    ///
    /// # Errors
    /// Not an address for a WebSocket, or one that contradicts the options.
    pub(super) fn parse(address: &str, options: &Options) -> Result<Self, OpenError> {
        let invalid = |problem: &str| OpenError::address(address, problem);
        let parsed = Url::parse(address).map_err(|error| invalid(&format!("{error}; write it as wss://host/path")))?;
        let mut url = web_socket_url(parsed).map_err(invalid)?;
        let credentials = credentials(&url).map_err(invalid)?;
        if credentials.is_some() && options.headers.contains(&header::AUTHORIZATION) {
            return Err(invalid("it has credentials, and the headers have `Authorization`: leave out one of the two"));
        }
        let is_secure = url.scheme() == "wss";
        if is_secure {
            options.check_tls().map_err(|problem| invalid(&problem))?;
        }
        // Neither can fail for a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let (Some(host), Some(port)) = (url.host().map(|host| host.to_owned()), url.port_or_known_default()) else {
            return Err(invalid("it names no host; write it as wss://host/path"));
        };
        let request_target = Uri::builder()
            .scheme(url.scheme())
            .authority("host")
            .path_and_query(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .build()
            .map_err(|error| invalid(&error.to_string()))?;
        let authority = HeaderValue::from_str(&url[url::Position::BeforeHost..url::Position::AfterPort])
            .map_err(|error| invalid(&error.to_string()))?;
        Ok(Self { url: url.into(), host, port, is_secure, authority, request_target, credentials })
    }

    /// The request of the handshake.
    ///
    /// # Errors
    /// None in practice: the parts were validated before.
    pub(super) fn request(&self, offered: &Protocols, headers: &Headers) -> Result<Request, String> {
        let request = ClientRequestBuilder::new(self.request_target.clone());
        let request = offered.as_slice().iter().fold(request, ClientRequestBuilder::with_sub_protocol);
        let credentials = self.credentials.iter().map(|credentials| (header::AUTHORIZATION.as_str(), &**credentials));
        let headers = headers.iter().chain(credentials);
        let request = headers.fold(request, |request, (name, value)| request.with_header(name, value));
        let mut request = request.into_client_request().map_err(|error| error.to_string())?;
        request.headers_mut().insert(header::HOST, self.authority.clone());
        Ok(request)
    }
}

/// Applies the rules of a browser's constructor (WHATWG WebSockets, "constructor").
fn web_socket_url(mut url: Url) -> Result<Url, &'static str> {
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err("its scheme has to be ws or wss"),
    };
    if url.fragment().is_some() {
        return Err("leave out the part from # on, which a server never sees");
    }
    url.set_scheme(scheme).map_err(|()| "its scheme has to be ws or wss")?;
    Ok(url)
}

/// The value of `Authorization` (RFC 7617), in UTF-8.
fn credentials(url: &Url) -> Result<Option<String>, &'static str> {
    let password = url.password();
    if url.username().is_empty() && password.is_none() {
        return Ok(None);
    }
    let user = percent_decode_str(url.username()).collect();
    let password = percent_decode_str(password.unwrap_or_default()).collect();
    let colon = "its user has a colon, which Basic authentication cannot send: it would end the user";
    basic_auth(user, password).map(Some).ok_or(colon)
}

/// A TCP connection, perhaps with TLS over it.
pub(super) enum Transport {
    Plain(Tcp),
    #[cfg(feature = "rustls-own-roots")]
    Tls(Box<tokio_rustls::client::TlsStream<Tcp>>),
}

/// A TCP connection that records whether bytes have arrived.
pub(super) struct Tcp {
    stream: TcpStream,
    has_received: bool,
}

impl Transport {
    /// Connects to the server, through the proxy if there is one.
    pub(super) async fn connect(target: &Target, options: &Options) -> Result<Self, Error> {
        let stream = match &options.proxy {
            None => connect_tcp(&target.host, target.port, options.local_address).await?,
            Some(proxy) => {
                let tunnel = connect_through(proxy, target, options.local_address).await;
                tunnel.map_err(|error| io::Error::new(error.kind(), format!("proxy {proxy}: {error}")))?
            }
        };
        stream.set_nodelay(true)?;
        let tcp = Tcp { stream, has_received: false };
        if target.is_secure { Self::secure(tcp, target, options).await } else { Ok(Self::Plain(tcp)) }
    }

    #[cfg(feature = "rustls-own-roots")]
    async fn secure(tcp: Tcp, target: &Target, options: &Options) -> Result<Self, Error> {
        use tokio_rustls::{
            TlsConnector,
            rustls::{self, CertificateError, pki_types::ServerName},
        };
        let config = options.tls_config().map_err(io::Error::other)?;
        let name = match &target.host {
            Host::Domain(domain) => ServerName::try_from(domain.clone()).map_err(io::Error::other)?,
            Host::Ipv4(address) => IpAddr::V4(*address).into(),
            Host::Ipv6(address) => IpAddr::V6(*address).into(),
        };
        let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
            let known = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
            match known {
                Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => io::Error::other(format!(
                    "{error}; if you trust it, add its authority by SocketBuilder::root_certificates"
                )),
                _ => error,
            }
        })?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Unreachable: `Target::parse` rejects `wss://` without TLS.
    #[cfg(not(feature = "rustls-own-roots"))]
    async fn secure(_: Tcp, _: &Target, options: &Options) -> Result<Self, Error> {
        Err(io::Error::other(options.check_tls().err().unwrap_or_default()).into())
    }

    /// Whether bytes have arrived since the last call, those of an incomplete message included.
    pub(super) fn take_has_received(&mut self) -> bool {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => stream.get_mut().0,
        };
        core::mem::take(&mut tcp.has_received)
    }
}

async fn connect_through(proxy: &Proxy, target: &Target, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let mut stream = connect_tcp(&proxy.host, proxy.port, local).await?;
    proxy.tunnel(&mut stream, &target.host, target.port).await?;
    Ok(stream)
}

/// Connects to the first of a host's addresses that accepts. A local address restricts them to its family.
async fn connect_tcp(host: &Host<String>, port: u16, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let host = match host {
        Host::Domain(domain) => domain.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let Some(local) = local else { return TcpStream::connect((host, port)).await };
    let mut connected = Err(io::Error::other(format!("{host} has no address that {local} can connect to")));
    for remote in lookup_host((host, port)).await?.filter(|remote| remote.is_ipv4() == local.is_ipv4()) {
        let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind((local, 0).into())?;
        connected = socket.connect(remote).await;
        if connected.is_ok() {
            break;
        }
    }
    connected
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.has_received |= buffer.filled().len() > before;
        read
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(feature = "rustls-own-roots")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::without_credentials;

    /// Addresses and their serialization, `None` where parsing has to fail. From the test data of the URL standard
    /// (web-platform-tests, `url/resources/urltestdata.json`): all of its absolute addresses for ws and wss, and what it has for http
    /// with `http` written as `ws`, one or two of each kind.
    #[rustfmt::skip]
    const URL_TEST_DATA: &[(&str, Option<&str>)] = &[
        ("ws:/example.com/", Some("ws://example.com/")),
        ("wss:/example.com/", Some("wss://example.com/")),
        ("ws:example.com/", Some("ws://example.com/")),
        ("wss:example.com/", Some("wss://example.com/")),
        ("ws://foo:80/", Some("ws://foo/")),
        ("ws://foo:81/", Some("ws://foo:81/")),
        ("ws://foo:443/", Some("ws://foo:443/")),
        ("ws://foo:815/", Some("ws://foo:815/")),
        ("wss://foo:80/", Some("wss://foo:80/")),
        ("wss://foo:81/", Some("wss://foo:81/")),
        ("wss://foo:443/", Some("wss://foo/")),
        ("wss://foo:815/", Some("wss://foo:815/")),
        ("wss:// !\"$%&'()*+,-.;<=>@[]^_`{|}~@host/",
            Some("wss://%20!%22$%&'()*+,-.%3B%3C%3D%3E%40%5B%5D%5E_%60%7B%7C%7D~@host/")),
        ("wss://joe: !\"$%&'()*+,-.:;<=>@[]^_`{|}~@host/",
            Some("wss://joe:%20!%22$%&'()*+,-.%3A%3B%3C%3D%3E%40%5B%5D%5E_%60%7B%7C%7D~@host/")),
        ("wss://!\"$&'()*+,-.;=_`{}~/", Some("wss://!\"$&'()*+,-.;=_`{}~/")),
        ("wss://host/ !\"$%&'()*+,-./:;<=>@[\\]^_`{|}~", Some("wss://host/%20!%22$%&'()*+,-./:;%3C=%3E@[/]^_%60%7B|%7D~")),
        ("wss://host/dir/? !\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
            Some("wss://host/dir/?%20!%22$%&%27()*+,-./:;%3C=%3E?@[\\]^_`{|}~")),
        ("wss://host/dir/# !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", None),
        ("wss://test:@test", Some("wss://test@test/")),
        ("wss://:@test", Some("wss://test/")),
        ("ws://a:b@www.example.com", Some("ws://a:b@www.example.com/")),
        ("ws://:b@www.example.com", Some("ws://:b@www.example.com/")),
        ("ws://user@/www.example.com", None),
        ("ws://example.com/foo/bar/../ton/../../a", Some("ws://example.com/a")),
        ("ws://example.com/foo/%2e./%2e%2e/.%2e/%2e.bar", Some("ws://example.com/%2e.bar")),
        ("ws://example.com/foo%2zbar", Some("ws://example.com/foo%2zbar")),
        ("ws://example.com/foo\tbar", Some("ws://example.com/foobar")),
        ("ws://example.com\\\\foo\\\\bar", Some("ws://example.com//foo//bar")),
        ("ws://example.com/\u{4f60}\u{597d}", Some("ws://example.com/%E4%BD%A0%E5%A5%BD")),
        ("ws://example.com/\u{202e}/foo", Some("ws://example.com/%E2%80%AE/foo")),
        ("wss://x/\0y", Some("wss://x/%00y")),
        ("wss://x/?\0y", Some("wss://x/?%00y")),
        ("ws://example.org/test?\u{2323}", Some("ws://example.org/test?%E2%8C%A3")),
        ("ws://example.org/test?%GH", Some("ws://example.org/test?%GH")),
        ("wss://www.example.com/path{\u{7f}path.html?query'\u{7f}=query",
            Some("wss://www.example.com/path%7B%7Fpath.html?query%27%7F=query")),
        ("ws://www.google.com", Some("ws://www.google.com/")),
        ("ws://www.google.com/foo?bar=baz#", None),
        ("ws://192.0x00A80001", Some("ws://192.168.0.1/")),
        ("wss://0x.0x.0", Some("wss://0.0.0.0/")),
        ("wss://256.0.0.1/test", None),
        ("ws://[1:0:1:0:1:0:1:0]", Some("ws://[1:0:1:0:1:0:1:0]/")),
        ("ws://[www.google.com]/", None),
        ("wss://[0::0::0]", None),
        ("wss://fa\u{df}.ExAmPlE/", Some("wss://xn--fa-hia.example/")),
        ("wss://%e2%98%83", Some("wss://xn--n3h/")),
        ("ws://a.b.c.xn--pokxncvks", None),
        ("ws://ho\nst/", Some("ws://host/")),
        ("ws://ho%20st/", None),
        ("ws://a b/", None),
        ("ws://foo:-80/", None),
        ("ws://?", None),
    ];

    /// With some root certificates, without which `wss://` is rejected.
    #[cfg(feature = "rustls-own-roots")]
    fn options() -> Options {
        let rcgen::CertifiedKey { cert, .. } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let roots = crate::RootCertificates::from_pem(cert.pem()).unwrap();
        Options { tls: Some(roots.config()), ..Options::default() }
    }

    #[cfg(not(feature = "rustls-own-roots"))]
    fn options() -> Options {
        Options::default()
    }

    #[test]
    fn addresses_are_parsed_as_the_url_standard_says() {
        for (address, expected) in URL_TEST_DATA {
            let is_for_tls = cfg!(not(feature = "rustls-own-roots")) && address.starts_with("wss");
            let expected = expected.filter(|_| !is_for_tls);
            let parsed = Target::parse(address, &options());
            let Some(expected) = expected else {
                assert!(parsed.is_err(), "{address:?}: {parsed:?}");
                continue;
            };
            let target = parsed.unwrap_or_else(|error| panic!("{address:?}: {error}"));
            assert_eq!(target.url, without_credentials(expected), "{address:?}");
            let request = target.request(&Protocols::default(), &Headers::default()).unwrap();
            let line = request.uri().path_and_query().unwrap().as_str();
            let host = request.headers()[header::HOST].to_str().unwrap();
            assert_eq!(format!("{}://{host}{line}", Url::parse(expected).unwrap().scheme()), target.url, "{address:?}");
        }
    }

    /// As a browser does (web-platform-tests, `websockets/Create-http-urls.any.js`, `Create-invalid-urls.any.js`).
    #[test]
    fn http_means_ws_and_other_schemes_are_rejected() {
        assert_eq!(Target::parse("http://h:80/x", &options()).unwrap().url, "ws://h/x");
        for address in
            ["ftp://h/", "mailto:a@b.c", "about:blank", "ws://h/#", "#test", "/path", "", "ws://foo bar.com/"]
        {
            assert!(Target::parse(address, &options()).is_err(), "{address}");
        }
    }

    #[test]
    fn a_user_and_a_password_are_sent_as_basic_authentication_and_not_shown() {
        for (address, expected) in [
            ("ws://Aladdin:open%20sesame@h/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("ws://test:123%C2%A3@h/", Some("Basic dGVzdDoxMjPCow==")),
            ("ws://user@h/", Some("Basic dXNlcjo=")),
            ("ws://:a:b@h/", Some("Basic OmE6Yg==")),
            ("ws://:@h/", None),
        ] {
            let target = Target::parse(address, &options()).unwrap();
            let request = target.request(&Protocols::default(), &Headers::default()).unwrap();
            let sent = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
            assert_eq!(sent, expected, "{address}");
            assert_eq!(
                (target.url.as_str(), &request.headers()[header::HOST]),
                ("ws://h/", &HeaderValue::from_static("h"))
            );
        }
    }

    #[test]
    fn credentials_that_cannot_be_sent_are_rejected_and_not_printed() {
        let headers = Headers::new([("Authorization", "Bearer x")]).unwrap();
        let both = Target::parse("ws://user:secret@h/", &Options { headers, ..options() }).unwrap_err();
        assert!(both.to_string().contains("leave out one of the two"), "{both}");
        let colon = Target::parse("ws://us%3Aer:secret@h/", &options()).unwrap_err();
        assert!(colon.to_string().contains("has a colon"), "{colon}");
        let invalid = Target::parse("ws://user:secret@h h/", &options()).unwrap_err();
        for error in [both, colon, invalid] {
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
