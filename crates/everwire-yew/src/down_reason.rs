//! Why a connection is not open, as data and as text.

use std::fmt::Write as _;

use everwire::client::{ClientError, ErrorCode};
use everwire::{Cause, Ended, OpenError};

/// Why a connection is not open.
///
/// [`explain`](Self::explain) returns it as text. A browser reports every failed handshake and every broken connection as close code
/// 1006, whatever the cause, so that the text names what is likely and what to check.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DownReason {
    /// A connection was lost or an attempt failed; another attempt follows.
    Dropped {
        /// Why.
        cause: Cause,
        /// Distinguishes a lost connection from a failed attempt.
        was_open: WasOpen,
    },
    /// The connection is over; no attempt follows by itself.
    Ended {
        /// How it ended.
        ended: Ended,
        /// Distinguishes a lost connection from a failed attempt.
        was_open: WasOpen,
    },
    /// The connection of a client was closed with a code of `everwire.v1`, such as for a protocol error; another attempt follows. The
    /// client or the server closed it: the other side repeats the code, so that it does not say which.
    ClientDropped {
        /// Why.
        code: ErrorCode,
        /// The explanation in the close frame; mostly empty.
        reason: String,
    },
    /// The client is over for a reason other than its connection's: the application closed it, or the server refused it.
    ClientOver(ClientError),
    /// The socket could not be made.
    Unusable(OpenError),
}

/// Whether a connection was open before it went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WasOpen {
    /// An attempt failed, and so did all before it: the address itself may be wrong.
    #[default]
    Never,
    /// An attempt failed that follows an earlier connection to the same address.
    Earlier,
    /// An open connection was lost or closed.
    UntilNow,
}

impl DownReason {
    /// Whether a side ended the connection as planned: this page, or the server with code 1000 (done) or 1001 (going away).
    pub fn is_normal(&self) -> bool {
        match self {
            Self::Dropped { cause, .. } => ends_normally(cause),
            Self::Ended { ended: Ended::ByApplication { .. }, .. } => true,
            Self::Ended { ended: Ended::Final(cause) | Ended::Exhausted(cause), .. } => ends_normally(cause),
            Self::ClientOver(ClientError::Closed) => true,
            Self::Ended { .. } | Self::ClientDropped { .. } | Self::ClientOver(_) | Self::Unusable(_) => false,
        }
    }

    /// What happened, what is likely behind it and what to do, in one or two sentences.
    ///
    /// `address` is the one of the connection, if it is known: the text names its host and path, never its query.
    /// `is_offline` is what the browser says of its network at this moment.
    pub fn explain(&self, address: Option<&str>, is_offline: bool) -> String {
        let address = address.and_then(Address::parse);
        let address = address.as_ref();
        match self {
            Self::Dropped { .. } | Self::ClientDropped { .. } if is_offline => {
                "This device is offline. It reconnects as soon as the network is back.".to_owned()
            }
            Self::Dropped { cause, was_open } => dropped(cause, *was_open, address),
            Self::Ended { ended, was_open } => over(ended, *was_open, address, is_offline),
            Self::ClientDropped { code, reason } => client_dropped(*code, reason, address),
            Self::ClientOver(error) => client_over(error, address),
            Self::Unusable(error) => sentence(&error.to_string()),
        }
    }
}

fn ends_normally(cause: &Cause) -> bool {
    matches!(cause, Cause::Requested | Cause::Closed { code: 1000 | 1001, .. })
}

fn dropped(cause: &Cause, was_open: WasOpen, address: Option<&Address<'_>>) -> String {
    let host = address.map(|address| address.host);
    let server = host.unwrap_or("The server");
    match cause {
        // No close frame came, which is all that a browser reports.
        Cause::Closed { code: 1006, local_fault, .. } => match was_open {
            WasOpen::UntilNow if *local_fault => {
                "The connection broke off while this device changed networks or slept.".to_owned()
            }
            WasOpen::UntilNow => {
                "The connection broke off. The server may have stopped, or the network between failed.".to_owned()
            }
            WasOpen::Earlier => {
                format!("{server} does not accept the connection. It may be down, restarting or full.")
            }
            WasOpen::Never => never_opened(address),
        },
        Cause::Closed { code, reason, .. } => closed(*code, reason),
        Cause::ConnectTimeout => {
            format!("{server} did not answer in time. It may be overloaded, or a firewall may be in the way.")
        }
        Cause::HeartbeatTimeout { ever_answered: true } => {
            format!("The connection went silent: {} stopped answering.", host.unwrap_or("the server"))
        }
        Cause::HeartbeatTimeout { ever_answered: false } => {
            format!("{server} never answered a ping. If it does not support them, choose another heartbeat.")
        }
        Cause::NetworkChanged => "The network changed during the attempt.".to_owned(),
        Cause::ProviderFailed(error) => sentence(&format!("There is no address to connect to: {error}")),
        Cause::AddressRefused(error) => match address.and_then(Address::blocked_port) {
            Some(port) => blocked(port),
            None => sentence(&format!("The browser refuses this address: {error}")),
        },
        Cause::Suspended => "The browser put this page aside. It reconnects when the page is shown again.".to_owned(),
        Cause::Requested => "A new connection was requested.".to_owned(),
        cause => sentence(&cause.to_string()),
    }
}

/// No attempt has ever succeeded, so that everything about the address is open to doubt.
fn never_opened(address: Option<&Address<'_>>) -> String {
    let Some(address) = address else {
        return "No WebSocket answers at this address. Check the server and the address.".to_owned();
    };
    if let Some(port) = address.blocked_port() {
        return blocked(port);
    }
    let Address { host, path, is_secure } = address;
    let other = if *is_secure { "ws without TLS" } else { "wss" };
    format!("No WebSocket answers at {host}{path}. Check the server and the path, or try {other}.")
}

fn blocked(port: u16) -> String {
    format!("Browsers do not connect to port {port}: it is kept for another protocol. Use another port.")
}

/// The server sent a close frame.
fn closed(code: u16, reason: &str) -> String {
    let mut words = match (code, meaning(code)) {
        (1000, _) => "The server ended the connection".to_owned(),
        (1005, _) => "The server closed the connection without a code".to_owned(),
        (_, Some(meaning)) => format!("The server closed the connection: {meaning} ({code})"),
        (_, None) => format!("The server closed the connection with code {code}"),
    };
    push_reason(&mut words, reason);
    words.push('.');
    words
}

fn push_reason(words: &mut String, reason: &str) {
    if !reason.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(words, ": “{reason}”");
    }
}

fn over(ended: &Ended, was_open: WasOpen, address: Option<&Address<'_>>, is_offline: bool) -> String {
    match ended {
        Ended::ByApplication { was_clean: false, .. } => {
            "Closed by this page. The server did not confirm it in time.".to_owned()
        }
        Ended::ByApplication { code, reason, .. } => match (*code, reason.as_str()) {
            (1000, "") => "Closed by this page.".to_owned(),
            (1000, reason) => format!("Closed by this page: “{reason}”."),
            (code, "") => format!("Closed by this page with code {code}."),
            (code, reason) => format!("Closed by this page with code {code}: “{reason}”."),
        },
        Ended::Final(cause) | Ended::Exhausted(cause) if is_offline && !ends_normally(cause) => {
            "This device is offline. Reconnect when the network is back.".to_owned()
        }
        Ended::Final(cause) if ends_normally(cause) => dropped(cause, was_open, address),
        Ended::Final(cause) => {
            format!("{} Another attempt would end the same way.", dropped(cause, was_open, address))
        }
        Ended::Exhausted(cause) => format!("{} No attempts are left.", dropped(cause, was_open, address)),
        _ => "The connection is over.".to_owned(),
    }
}

fn client_dropped(code: ErrorCode, reason: &str, address: Option<&Address<'_>>) -> String {
    let number = code.close_code().unwrap_or_default();
    let mut words = match (code, protocol_error(code)) {
        (_, Some(what)) => format!("Protocol error: {what} ({number})"),
        (ErrorCode::Unauthorized, _) => {
            let host = address.map_or("The server", |address| address.host);
            format!("{host} does not accept the credentials: they are missing, wrong or expired ({number})")
        }
        _ => return closed(number, reason),
    };
    push_reason(&mut words, reason);
    words.push_str(". The page connects again.");
    words
}

fn client_over(error: &ClientError, address: Option<&Address<'_>>) -> String {
    let host = address.map_or("The server", |address| address.host);
    match error {
        ClientError::Closed => "Closed by this page.".to_owned(),
        ClientError::NotEverwire => {
            let path = address.map_or("this address", |address| address.path);
            format!("{host} does not speak everwire.v1 at {path}. Check the path.")
        }
        ClientError::Refused { code, reason } => {
            let mut words = match (code, protocol_error(*code)) {
                (_, Some(what)) => format!("Protocol error, several times in a row: {what}"),
                (ErrorCode::Unauthorized, _) => format!("{host} does not accept the credentials of this page"),
                (ErrorCode::TakenOver, _) => "Another connection took over the session of this page".to_owned(),
                (ErrorCode::Gone, _) => format!("{host} ended the session of this page"),
                (code, _) => format!("{host} refused this page ({code})"),
            };
            push_reason(&mut words, reason);
            words.push_str(". Reload the page to connect again.");
            words
        }
        error => sentence(&error.to_string()),
    }
}

/// What is wrong where client and server do not understand each other.
fn protocol_error(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::Malformed => "a message could not be read",
        ErrorCode::Unexpected => "a message came out of turn",
        ErrorCode::Credits => "more messages waited for an answer than the server allows",
        ErrorCode::Sequence => "a message is missing",
        _ => return None,
    })
}

/// What a close code means: RFC 6455, section 7.4.1, IANA's registry of close codes, and for codes from 4400 to 4499 the HTTP status
/// that private protocols derive them from.
fn meaning(code: u16) -> Option<&'static str> {
    Some(match code {
        1001 => "it is going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1007 => "invalid data",
        1008 => "policy violation",
        1009 => "message too large",
        1010 => "missing extension",
        1011 => "internal error",
        1012 => "it is restarting",
        1013 => "it is overloaded, try again later",
        1014 => "bad gateway",
        3000 | 4401 => "unauthorized",
        3003 | 4403 => "forbidden",
        3008 | 4408 => "timeout",
        4400 => "bad request",
        4404 => "not found",
        4429 => "too many requests",
        _ => return None,
    })
}

/// The parts of an address that an explanation names. A query may hold credentials and is left out.
struct Address<'a> {
    host: &'a str,
    path: &'a str,
    is_secure: bool,
}

impl<'a> Address<'a> {
    /// `None` for an address without a host: one relative to the page.
    fn parse(address: &'a str) -> Option<Self> {
        let (scheme, rest) = address.trim().split_once("://")?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        let is_secure = ["wss", "https"].iter().any(|secure| scheme.eq_ignore_ascii_case(secure));
        (!host.is_empty()).then_some(Self { host, path, is_secure })
    }

    /// The port, where browsers block it.
    fn blocked_port(&self) -> Option<u16> {
        let (_, port) = self.host.rsplit_once(':')?;
        port.parse().ok().filter(|port| BLOCKED_PORTS.contains(port))
    }
}

/// The ports that browsers connect to by no means ("bad port" in the Fetch standard).
const BLOCKED_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Begins with a capital and ends with a period.
fn sentence(words: &str) -> String {
    let words = words.trim_end_matches('.');
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

#[cfg(test)]
mod tests {
    use everwire::client::ErrorCode;

    use super::*;

    fn lost(cause: Cause, was_open: WasOpen) -> DownReason {
        DownReason::Dropped { cause, was_open }
    }

    fn cut() -> Cause {
        Cause::closed(1006, "", false)
    }

    fn ended(ended: Ended) -> DownReason {
        DownReason::Ended { ended, was_open: WasOpen::UntilNow }
    }

    #[test]
    fn no_explanation_of_a_browsers_1006_shows_that_number() {
        for was_open in [WasOpen::Never, WasOpen::Earlier, WasOpen::UntilNow] {
            for address in [None, Some("ws://a.example/x"), Some("wss://a.example/x"), Some("ws://a.example:25/")] {
                for is_offline in [false, true] {
                    let words = lost(cut(), was_open).explain(address, is_offline);
                    assert!(!words.contains("1006") && words.ends_with('.'), "{words}");
                    let words =
                        DownReason::Ended { ended: Ended::Exhausted(cut()), was_open }.explain(address, is_offline);
                    assert!(!words.contains("1006") && words.ends_with('.'), "{words}");
                }
            }
        }
    }

    #[test]
    fn an_address_that_never_worked_is_named_with_what_to_check() {
        let explain = |address| lost(cut(), WasOpen::Never).explain(Some(address), false);
        assert_eq!(
            explain("ws://127.0.0.1:9001/ehco?token=secret"),
            "No WebSocket answers at 127.0.0.1:9001/ehco. Check the server and the path, or try wss."
        );
        assert!(explain("wss://me:word@a.example/echo").starts_with("No WebSocket answers at a.example/echo. "));
        assert!(explain("wss://a.example:9001").ends_with("or try ws without TLS."));
    }

    #[test]
    fn a_port_that_browsers_block_is_named() {
        let words = |address, cause| lost(cause, WasOpen::Never).explain(Some(address), false);
        assert!(words("ws://a.example:25/", cut()).contains("do not connect to port 25"));
        assert!(words("ws://[::1]:6667/", Cause::AddressRefused("insecure".to_owned())).contains("port 6667"));
        assert!(!words("ws://[::1]/", cut()).contains("kept for"), "the end of an IPv6 address is no port");
        assert!(!words("ws://a.example:9001/", cut()).contains("kept for"));
    }

    #[test]
    fn a_server_that_was_there_before_is_down_and_not_misspelt() {
        let words = lost(cut(), WasOpen::Earlier).explain(Some("ws://a.example:9001/echo"), false);
        assert_eq!(words, "a.example:9001 does not accept the connection. It may be down, restarting or full.");
        assert!(lost(cut(), WasOpen::Earlier).explain(None, false).starts_with("The server does not accept"));
    }

    #[test]
    fn a_connection_that_broke_off_is_put_down_to_this_side_or_the_other() {
        assert!(lost(cut(), WasOpen::UntilNow).explain(None, false).contains("server may have stopped"));
        let ours = Cause::Closed { code: 1006, reason: String::new(), was_clean: false, local_fault: true };
        assert!(lost(ours, WasOpen::UntilNow).explain(None, false).contains("this device"));
    }

    #[test]
    fn offline_says_so_whatever_the_cause() {
        for cause in [cut(), Cause::ConnectTimeout, Cause::closed(1011, "", true)] {
            let words = lost(cause, WasOpen::UntilNow).explain(Some("ws://a.example/"), true);
            assert_eq!(words, "This device is offline. It reconnects as soon as the network is back.");
        }
        let given_up = ended(Ended::Exhausted(cut())).explain(None, true);
        assert_eq!(given_up, "This device is offline. Reconnect when the network is back.");
        assert_eq!(
            ended(Ended::Final(Cause::closed(1000, "", true))).explain(None, true),
            "The server ended the connection."
        );
    }

    #[test]
    fn a_close_frame_is_explained_with_its_meaning_code_and_reason() {
        let words = |code, reason| lost(Cause::closed(code, reason, true), WasOpen::UntilNow).explain(None, false);
        assert_eq!(words(1011, ""), "The server closed the connection: internal error (1011).");
        assert_eq!(words(1012, "deploy"), "The server closed the connection: it is restarting (1012): “deploy”.");
        assert_eq!(words(4321, "tea"), "The server closed the connection with code 4321: “tea”.");
        assert_eq!(words(1005, ""), "The server closed the connection without a code.");
    }

    #[test]
    fn an_end_that_a_side_wanted_is_normal_and_sounds_like_it() {
        for code in [1000, 1001] {
            let by_server = ended(Ended::Final(Cause::closed(code, "", true)));
            assert!(by_server.is_normal());
            assert!(!by_server.explain(None, false).contains("attempt"), "{code}");
            assert!(lost(Cause::closed(code, "", true), WasOpen::UntilNow).is_normal());
        }
        let by_page =
            |code, reason: &str| ended(Ended::ByApplication { code, reason: reason.to_owned(), was_clean: true });
        assert!(by_page(1000, "").is_normal());
        assert!(lost(Cause::Requested, WasOpen::UntilNow).is_normal());
        assert_eq!(by_page(1000, "").explain(None, true), "Closed by this page.");
        assert_eq!(by_page(3001, "done").explain(None, false), "Closed by this page with code 3001: “done”.");
        let counted = ended(Ended::Final(Cause::closed(1000, "counted down", true)));
        assert_eq!(counted.explain(None, false), "The server ended the connection: “counted down”.");
    }

    #[test]
    fn an_end_that_is_a_failure_says_why_nothing_follows() {
        let refused = ended(Ended::Final(Cause::closed(1008, "too many messages", true)));
        assert!(!refused.is_normal());
        assert_eq!(
            refused.explain(None, false),
            "The server closed the connection: policy violation (1008): “too many messages”. Another attempt would end the same way."
        );
        let exhausted = ended(Ended::Exhausted(Cause::ConnectTimeout));
        assert!(!exhausted.is_normal() && exhausted.explain(None, false).ends_with("No attempts are left."));
        assert!(!lost(cut(), WasOpen::UntilNow).is_normal());
    }

    #[test]
    fn other_causes_become_sentences() {
        let words = |cause| lost(cause, WasOpen::Earlier).explain(None, false);
        assert_eq!(
            words(Cause::HeartbeatTimeout { ever_answered: true }),
            "The connection went silent: the server stopped answering."
        );
        assert!(words(Cause::HeartbeatTimeout { ever_answered: false }).contains("choose another heartbeat"));
        assert_eq!(
            words(Cause::ProviderFailed("no token.".to_owned())),
            "There is no address to connect to: no token."
        );
        assert!(words(Cause::ConnectTimeout).starts_with("The server did not answer in time."));
    }

    #[test]
    fn a_client_that_the_server_refused_says_what_to_do() {
        let words =
            |error| DownReason::ClientOver(error).explain(Some("wss://a.example/connection?token=secret"), false);
        assert_eq!(
            words(ClientError::NotEverwire),
            "a.example does not speak everwire.v1 at /connection. Check the path."
        );
        let refused = |reason: &str| ClientError::Refused { code: ErrorCode::Gone, reason: reason.to_owned() };
        assert_eq!(words(refused("")), "a.example ended the session of this page. Reload the page to connect again.");
        assert!(words(refused("removed")).contains("page: “removed”. Reload"));
        assert!(DownReason::ClientOver(ClientError::Closed).is_normal());
        assert!(!DownReason::ClientOver(ClientError::NotEverwire).is_normal());
    }

    #[test]
    fn a_close_code_of_the_protocol_is_put_into_words() {
        let words = |code| {
            let reason = DownReason::ClientDropped { code, reason: String::new() };
            assert!(!reason.is_normal());
            reason.explain(Some("wss://a.example/connection"), false)
        };
        assert_eq!(
            words(ErrorCode::Malformed),
            "Protocol error: a message could not be read (4501). The page connects again."
        );
        assert!(words(ErrorCode::Unauthorized).starts_with("a.example does not accept the credentials: "));
        let over =
            |code| DownReason::ClientOver(ClientError::Refused { code, reason: String::new() }).explain(None, false);
        assert_eq!(
            over(ErrorCode::Malformed),
            "Protocol error, several times in a row: a message could not be read. Reload the page to connect again."
        );
        for code in ErrorCode::ALL.into_iter().filter(|code| code.is_fatal()) {
            // A 1013 is WebSocket's own, and a client that is over for it has ended by its reconnect policy.
            let is_own = code != ErrorCode::Unavailable;
            assert!(is_own != over(code).contains("refused this page"), "{}", over(code));
        }
    }
}
