//! What a dialect adds to a URL, and the URL for output.

use url::Url;

use super::Dialect;

/// The address to dial: socket.io and SocketCluster have paths of their own, and socket.io names its protocol in the query.
pub(crate) fn complete(dialect: Dialect, mut url: Url) -> Url {
    let is_bare = url.path() == "/";
    match dialect {
        Dialect::Plain => {}
        Dialect::SocketIo => {
            if is_bare {
                url.set_path("/socket.io/");
            }
            for (name, value) in [("EIO", "4"), ("transport", "websocket")] {
                if url.query_pairs().all(|(present, _)| present != name) {
                    url.query_pairs_mut().append_pair(name, value);
                }
            }
        }
        Dialect::Socketcluster if is_bare => url.set_path("/socketcluster/"),
        Dialect::Socketcluster => {}
    }
    url
}

/// The address for output, without credentials.
pub(crate) fn shown(url: &Url) -> Url {
    let mut shown = url.clone();
    // Neither can fail for an address with a host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(dialect: Dialect, url: &str) -> String {
        complete(dialect, Url::parse(url).unwrap()).to_string()
    }

    #[test]
    fn a_dialect_adds_what_the_address_does_not_say() {
        assert_eq!(completed(Dialect::Plain, "ws://h/echo"), "ws://h/echo");
        assert_eq!(completed(Dialect::SocketIo, "ws://h:3000"), "ws://h:3000/socket.io/?EIO=4&transport=websocket");
        assert_eq!(completed(Dialect::Socketcluster, "ws://h:8000"), "ws://h:8000/socketcluster/");
    }

    #[test]
    fn what_an_address_says_is_left_as_it_is() {
        let url = "ws://h/chat/?EIO=4&token=x";
        assert_eq!(completed(Dialect::SocketIo, url), format!("{url}&transport=websocket"));
        assert_eq!(completed(Dialect::Socketcluster, "ws://h/live"), "ws://h/live");
    }
}
