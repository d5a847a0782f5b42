//! An HTTP proxy, and the tunnel through it.

use core::{fmt, str::FromStr};
use std::io;

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::{Host, Url};

use super::headers::basic_auth;

/// The longest head of an answer that a proxy may send, as in most HTTP servers.
const MAX_HEAD: usize = 8 << 10;

/// An HTTP proxy that tunnels connections by the method `CONNECT`, for [`SocketBuilder::proxy`](crate::SocketBuilder::proxy); native
/// programs only.
///
/// Both `ws://` and `wss://` go through the tunnel; TLS is end to end, so the proxy sees the server's host and port and nothing else of
/// `wss://`. The proxy resolves the server's name. The connection to the proxy itself is plain TCP.
///
/// ```no_run
/// use everwire::{Proxy, Socket};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = Proxy::new("http://proxy.example:3128")?.basic_auth("user", "password")?;
/// let socket = Socket::builder("ws://intranet.example/feed").proxy(proxy).open()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) host: Host<String>,
    pub(super) port: u16,
    /// The value of the header `Proxy-Authorization`.
    credentials: Option<String>,
}

/// Why a proxy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// Not the URL of an HTTP proxy.
    #[error("not the URL of an HTTP proxy ({0}): write it as http://host:port")]
    Url(String),
    /// Basic authentication cannot carry a user with a colon (RFC 7617).
    #[error("the user of a proxy must not contain a colon, which would end it in Basic authentication")]
    Colon,
}

impl Proxy {
    /// Parses `http://host:port`, with port 80 if there is none. A `user:password@` is sent as Basic authentication.
    ///
    /// The environment (`HTTP_PROXY`, `NO_PROXY`) is not read: an application that follows it passes what it finds there.
    ///
    /// # Errors
    /// The URL is malformed, has another scheme, or a path; or its user has a colon.
    pub fn new(url: impl AsRef<str>) -> Result<Self, ProxyError> {
        let problem = |problem: &str| ProxyError::Url(problem.to_owned());
        let url = Url::parse(url.as_ref()).map_err(|error| problem(&error.to_string()))?;
        match url.scheme() {
            "http" => {}
            "https" => return Err(problem("TLS to the proxy itself is not supported")),
            _ => return Err(problem("its scheme is not http")),
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(problem("it has more than a host and a port"));
        }
        let (Some(host), Some(port)) = (url.host().map(|host| host.to_owned()), url.port_or_known_default()) else {
            return Err(problem("it names no host"));
        };
        let proxy = Self { host, port, credentials: None };
        if url.username().is_empty() && url.password().is_none() {
            return Ok(proxy);
        }
        let user = percent_decode_str(url.username()).collect();
        let password = percent_decode_str(url.password().unwrap_or_default()).collect();
        proxy.with_credentials(user, password)
    }

    /// Authenticates by Basic authentication, in UTF-8. A proxy that wants another scheme answers 407, which is a failed attempt.
    ///
    /// # Errors
    /// The user has a colon.
    pub fn basic_auth(self, user: impl Into<String>, password: impl Into<String>) -> Result<Self, ProxyError> {
        self.with_credentials(user.into().into_bytes(), password.into().into_bytes())
    }

    fn with_credentials(mut self, user: Vec<u8>, password: Vec<u8>) -> Result<Self, ProxyError> {
        self.credentials = Some(basic_auth(user, password).ok_or(ProxyError::Colon)?);
        Ok(self)
    }

    /// Opens a tunnel to a server over a connection to the proxy, which carries the tunnel afterwards.
    ///
    /// Not by `hyper-util`, whose tunnel reports no status: the advice for 403, 407 and 502 differs.
    pub(super) async fn tunnel(
        &self,
        proxy: &mut (impl AsyncRead + AsyncWrite + Unpin),
        host: &Host<String>,
        port: u16,
    ) -> io::Result<()> {
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some(credentials) = &self.credentials {
            request.push_str("Proxy-Authorization: ");
            request.push_str(credentials);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        proxy.write_all(request.as_bytes()).await?;
        let status = read_status(proxy).await?;
        if (200..300).contains(&status.code) {
            return Ok(());
        }
        let advice = match status.code {
            407 if self.credentials.is_none() => ": set its credentials by Proxy::basic_auth",
            407 => ": it refuses the credentials of Proxy::basic_auth, or wants another scheme than Basic",
            _ => "",
        };
        Err(io::Error::other(format!("it answered {} {}{advice}", status.code, status.reason)))
    }
}

/// Prints host and port, without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// Credentials are left out.
impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Proxy").field(&format_args!("{self}")).finish()
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(url: &str) -> Result<Self, ProxyError> {
        Self::new(url)
    }
}

struct Status {
    code: u16,
    reason: String,
}

/// Reads the head of the answer to `CONNECT`, and nothing after it.
async fn read_status(proxy: &mut (impl AsyncRead + Unpin)) -> io::Result<Status> {
    let mut head = Vec::new();
    loop {
        if proxy.take(1 << 10).read_buf(&mut head).await? == 0 {
            return Err(io::Error::other("it closed the connection without an answer"));
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response
            .parse(&head)
            .map_err(|error| io::Error::other(format!("its answer is not HTTP ({error}): is it an HTTP proxy?")))?;
        match parsed {
            // The client speaks first through the tunnel. What comes before belongs to no server.
            httparse::Status::Complete(length) if length < head.len() && is_success(&response) => {
                return Err(io::Error::other("it sent data before the tunnel was used"));
            }
            httparse::Status::Complete(_) => {
                let reason = response.reason.unwrap_or_default().to_owned();
                return Ok(Status { code: response.code.unwrap_or_default(), reason });
            }
            httparse::Status::Partial if head.len() >= MAX_HEAD => {
                return Err(io::Error::other(format!("the head of its answer is longer than {MAX_HEAD} bytes")));
            }
            httparse::Status::Partial => {}
        }
    }
}

fn is_success(response: &httparse::Response<'_, '_>) -> bool {
    response.code.is_some_and(|code| (200..300).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_host_is_a_proxy() {
        for (url, printed) in [
            ("http://proxy.example:3128", "proxy.example:3128"),
            ("http://proxy.example", "proxy.example:80"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(Proxy::new(url).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_not_the_url_of_an_http_proxy_is_refused_with_its_form() {
        for url in ["", "proxy.example:3128", "socks5://h:1", "https://h:1", "http://h/path", "http://h/?x", "http://"]
        {
            let error = Proxy::new(url).unwrap_err();
            assert!(error.to_string().contains("http://host:port"), "{url}: {error}");
        }
    }

    #[test]
    fn credentials_of_the_url_and_of_the_setter_are_the_same_and_are_not_printed() {
        let proxy = Proxy::new("http://h:1").unwrap().basic_auth("Aladdin", "open sesame").unwrap();
        assert_eq!(proxy, Proxy::new("http://Aladdin:open%20sesame@h:1").unwrap());
        assert_eq!(proxy.credentials.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(format!("{proxy} {proxy:?}"), "h:1 Proxy(h:1)");
        assert_eq!(Proxy::new("http://h:1").unwrap().basic_auth("a:b", ""), Err(ProxyError::Colon));
        let error = Proxy::new("http://user:secret@h h").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}
