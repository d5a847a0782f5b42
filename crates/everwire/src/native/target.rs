use everwire_core::Protocols;
use percent_encoding::percent_decode_str;
use tokio_tungstenite::tungstenite::{
    ClientRequestBuilder,
    client::IntoClientRequest,
    handshake::client::Request,
    http::{HeaderValue, Uri, header},
};
use url::{Host, Url};

use super::{
    headers::{Headers, basic_auth},
    options::Options,
};
use crate::OpenError;

/// A parsed address: where to connect to, and what of it goes into the request. The URL and the WebSocket standard say how it is parsed,
/// so whatever a browser accepts works here, except relative addresses.
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
        let wrong = |problem: &str| OpenError::address(address, problem);
        let parsed = Url::parse(address).map_err(|error| wrong(&format!("{error}; write it as wss://host/path")))?;
        let mut url = web_socket_url(parsed).map_err(wrong)?;
        let credentials = credentials(&url).map_err(wrong)?;
        if credentials.is_some() && options.headers.contains(&header::AUTHORIZATION) {
            return Err(wrong("it has credentials, and the headers have `Authorization`: leave out one of the two"));
        }
        let is_secure = url.scheme() == "wss";
        if is_secure {
            options.check_tls().map_err(|problem| wrong(&problem))?;
        }
        // Neither can fail for a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let (Some(host), Some(port)) = (url.host().map(|host| host.to_owned()), url.port_or_known_default()) else {
            return Err(wrong("it names no host; write it as wss://host/path"));
        };
        let request_target = Uri::builder()
            .scheme(url.scheme())
            .authority("host")
            .path_and_query(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .build()
            .map_err(|error| wrong(&error.to_string()))?;
        let authority = HeaderValue::from_str(&url[url::Position::BeforeHost..url::Position::AfterPort])
            .map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { url: url.into(), host, port, is_secure, authority, request_target, credentials })
    }

    /// The request of the handshake.
    ///
    /// # Errors
    /// None in practice: the parts were validated when they were made.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::without_credentials;

    /// Addresses and their serialization, `None` where parsing has to fail. From the test data of the URL standard
    /// (web-platform-tests, `url/resources/urltestdata.json`): all of its absolute addresses for ws and wss, and what it has for http
    /// with `http` written as `ws`, one or two of each kind.
    #[rustfmt::skip]
    const OF_THE_STANDARD: &[(&str, Option<&str>)] = &[
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

    /// Any roots do, so that `wss://` is accepted.
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
        for (address, expected) in OF_THE_STANDARD {
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
    fn http_means_ws_and_other_schemes_are_refused() {
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
    fn credentials_that_cannot_be_sent_are_refused_and_not_printed() {
        let headers = Headers::new([("Authorization", "Bearer x")]).unwrap();
        let both = Target::parse("ws://user:secret@h/", &Options { headers, ..options() }).unwrap_err();
        assert!(both.to_string().contains("leave out one of the two"), "{both}");
        let colon = Target::parse("ws://us%3Aer:secret@h/", &options()).unwrap_err();
        assert!(colon.to_string().contains("has a colon"), "{colon}");
        let wrong = Target::parse("ws://user:secret@h h/", &options()).unwrap_err();
        for error in [both, colon, wrong] {
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
