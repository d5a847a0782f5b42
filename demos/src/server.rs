//! The companion server that the pages talk to.

use std::cell::RefCell;

use everwire_companion_api::server::Faults;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Response, window};

use crate::{http, storage};

const KEY: &str = "server";

/// Where the companion server listens when it does not serve the pages itself, as with `trunk serve`.
const PORT: u16 = 9001;

/// The server that the visitor chose, or else the one that is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    choice: Option<String>,
}

impl Server {
    /// The visitor's choice of last time.
    pub(crate) fn remembered() -> Self {
        Self { choice: storage::read(KEY).and_then(|choice| base_of(&choice).ok()) }
    }

    /// Takes what the visitor typed and remembers it; nothing means: find it.
    pub(crate) fn choose(typed: &str) -> Result<Self, BadServer> {
        let choice = if typed.trim().is_empty() { None } else { Some(base_of(typed)?) };
        storage::write(KEY, choice.as_deref());
        Ok(Self { choice })
    }

    /// The server that an address leads to, and the rest of the address. One without a server leaves it to be found.
    pub(crate) fn of(address: &str) -> (Self, String) {
        let start = address.find("://").map_or(0, |scheme| scheme + 3);
        let end = address[start..].find(['/', '?']).map_or(address.len(), |end| start + end);
        let (base, endpoint) = address.split_at(end);
        (Self { choice: base_of(base).ok() }, endpoint.to_owned())
    }

    /// What the visitor chose.
    pub(crate) fn choice(&self) -> Option<&str> {
        self.choice.as_deref()
    }

    /// The address in front of an endpoint's path: `ws://127.0.0.1:9001`.
    pub(crate) async fn base(self) -> Result<String, NotFound> {
        match self.choice {
            Some(choice) => Ok(choice),
            None => match found() {
                Some(base) => Ok(base),
                None => find().await,
            },
        }
    }

    /// The address in front of an endpoint's path, as far as it is known by now.
    pub(crate) fn known_base(&self) -> Option<String> {
        self.choice.clone().or_else(found)
    }

    /// Host and port, as far as they are known by now.
    pub(crate) fn host(&self) -> Option<String> {
        self.known_base()?.split_once("://").map(|(_, host)| host.to_owned())
    }

    /// What a visitor can do to it. A server that does not answer offers nothing.
    pub(crate) async fn faults(self) -> Faults {
        let Ok(base) = self.base().await else { return Faults::default() };
        http::get_json(&format!("{}/faults", origin_of(&base))).await.unwrap_or_default()
    }

    /// Ends its process by SIGKILL. Its supervisor starts it again.
    pub(crate) async fn kill(self) {
        if let Ok(base) = self.base().await {
            http::post(&format!("{}/kill", origin_of(&base))).await;
        }
    }
}

/// Where the server answers HTTP.
pub(crate) fn origin_of(base: &str) -> String {
    base.replacen("ws", "http", 1)
}

/// What was typed is no address of a server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write it like ws://127.0.0.1:9001 or wss://demo.example")]
pub(crate) struct BadServer;

/// Nobody tells where the server is.
#[derive(Debug, thiserror::Error)]
#[error("the server that these pages come from does not answer")]
pub(crate) struct NotFound;

/// Scheme, host and port, as the start of a WebSocket address. A host alone is taken for one without TLS.
fn base_of(typed: &str) -> Result<String, BadServer> {
    let typed = typed.trim();
    let (scheme, rest) = typed.split_once("://").unwrap_or(("ws", typed));
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let scheme = match scheme {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(BadServer),
    };
    let is_host = !rest.is_empty() && !rest.contains(|char: char| char.is_whitespace() || "/?#@\\".contains(char));
    if is_host { Ok(format!("{scheme}://{rest}")) } else { Err(BadServer) }
}

thread_local! {
    /// What was found stays true for as long as the page is loaded.
    static FOUND: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn found() -> Option<String> {
    FOUND.with_borrow(Clone::clone)
}

/// Asks the origin of the pages whether it is the companion server. If not, the pages come from a builder like trunk, which
/// answers whatever is asked with a page, and the companion server runs beside it.
async fn find() -> Result<String, NotFound> {
    let window = window().ok_or(NotFound)?;
    let location = window.location();
    let host = location.host().map_err(|_| NotFound)?;
    let hostname = location.hostname().map_err(|_| NotFound)?;
    let is_secure = location.protocol().is_ok_and(|protocol| protocol == "https:");
    let scheme = if is_secure { "wss" } else { "ws" };

    let answer = JsFuture::from(window.fetch_with_str("/healthz")).await.map_err(|_| NotFound)?;
    let answer: Response = answer.dyn_into().map_err(|_| NotFound)?;
    let text = JsFuture::from(answer.text().map_err(|_| NotFound)?).await.map_err(|_| NotFound)?;
    // A server that drains is the companion server too, and dialling it tells when it is back.
    let is_companion = text.as_string().is_some_and(|text| matches!(text.trim(), "ok" | "draining"));
    let base = if is_companion { format!("{scheme}://{host}") } else { format!("{scheme}://{hostname}:{PORT}") };
    FOUND.set(Some(base.clone()));
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_taken_as_people_write_it() {
        for (typed, base) in [
            ("ws://127.0.0.1:9001", "ws://127.0.0.1:9001"),
            (" demo.example ", "ws://demo.example"),
            ("https://demo.example/", "wss://demo.example"),
            ("[::1]:9001", "ws://[::1]:9001"),
        ] {
            assert_eq!(base_of(typed).as_deref(), Ok(base), "{typed}");
        }
    }

    #[test]
    fn an_address_is_a_server_and_the_rest() {
        let of = |address| {
            let (server, endpoint) = Server::of(address);
            (server.choice().map(str::to_owned), endpoint)
        };
        let server = Some("wss://demo.example:9".to_owned());
        assert_eq!(of("wss://demo.example:9/sum?x=a/b"), (server.clone(), "/sum?x=a/b".to_owned()));
        assert_eq!(of("wss://demo.example:9?x"), (server.clone(), "?x".to_owned()));
        assert_eq!(of("wss://demo.example:9"), (server, String::new()));
        assert_eq!(of(""), (None, String::new()));
    }

    #[test]
    fn what_is_more_or_less_than_a_server_is_refused() {
        for typed in ["ftp://demo.example", "ws://", "ws://demo.example/echo", "a b", "me@demo.example"] {
            assert_eq!(base_of(typed), Err(BadServer), "{typed}");
        }
    }
}
