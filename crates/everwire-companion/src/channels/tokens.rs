//! Who visitors are: the tokens of `GET /token`, which are the credentials of a client's `hello`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use everwire_companion_api::server::{IssuedToken, Visitor};
use everwire_server::channels::{Denied, Identity};
use everwire_server::{Clock, DropReason, HandshakeError};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::companion::Companion;
use crate::config::Config;
use crate::protocol::{Parameters, to_json};
use crate::server::StartError;

const MAX_NAME: usize = 40;
/// The rule for names, as errors state it.
pub(super) const BAD_NAME: &str = "a name has 1 to 40 characters, and no control characters";

/// The file of the key in the folder of the journal.
const KEY_FILE: &str = "token-key";

/// Issues and checks the tokens of visitors.
#[derive(Debug)]
pub(crate) struct Tokens {
    key: Key,
    lifetime: Duration,
    clock: Clock,
}

/// The content of a token, which its signature proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    user: String,
    name: String,
    /// Milliseconds since 1970.
    expires: u64,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum TokenError {
    #[error("this server did not issue the token; get one from /token?name=NAME")]
    Forged,
    #[error("the token has expired; get another one from /token?name=NAME&renew=TOKEN")]
    Expired,
}

impl Tokens {
    /// With the key in the folder of the journal, which a new server creates; without a journal, the key and so the tokens last as long as
    /// the server.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let key = match &config.journal {
            Some(folder) => {
                let path = folder.join(KEY_FILE);
                Key::in_file(&path).map_err(|source| StartError::TokenKey { path, source })?
            }
            None => Key(random().map_err(StartError::Random)?),
        };
        Ok(Self { key, lifetime: config.token_ttl, clock: config.clock.clone() })
    }

    /// A token for a visitor of this name, who stays the user of another token of this server, also of one that has expired.
    fn issue(&self, name: &str, earlier: Option<&str>) -> io::Result<IssuedToken> {
        let user = match earlier.and_then(|earlier| self.claims(earlier)) {
            Some(claims) => claims.user,
            None => BASE64URL_NOPAD.encode(&random::<9>()?),
        };
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let expires = self.now().saturating_add(lifetime);
        let claims = Claims { user: user.clone(), name: name.to_owned(), expires };
        let claims = BASE64URL_NOPAD.encode(to_json(&claims).as_bytes());
        let signature = BASE64URL_NOPAD.encode(&self.key.mac(&claims).finalize().into_bytes());
        Ok(IssuedToken { token: format!("{claims}.{signature}"), user, expires })
    }

    /// The content of a token, if this server signed it.
    fn claims(&self, token: &str) -> Option<Claims> {
        let (claims, signature) = token.split_once('.')?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        // Takes the same time for every wrong signature.
        self.key.mac(claims).verify_slice(&signature).ok()?;
        serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()
    }

    fn check(&self, token: &str) -> Result<Claims, TokenError> {
        let claims = self.claims(token).ok_or(TokenError::Forged)?;
        if claims.expires <= self.now() { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// The identity that a token proves: its user, and a [`Visitor`] for the others and for request handlers.
    pub(super) fn identity(&self, token: &str) -> Result<Identity, Denied> {
        let Claims { user, name, .. } = self.check(token).map_err(|bad| Denied::new(bad.to_string()))?;
        let visitor = Visitor { name, user: user.clone() };
        Ok(Identity::user(user).with_presence(to_json(&visitor)).with_data(visitor))
    }

    fn now(&self) -> u64 {
        self.clock.now_ms() as u64
    }
}

/// `GET /token?name=NAME&renew=TOKEN`.
pub(crate) async fn token(State(companion): State<Companion>, request: Parts) -> Response {
    issued(&companion, &request).unwrap_or_else(IntoResponse::into_response)
}

fn issued(companion: &Companion, request: &Parts) -> Result<Response, HandshakeError> {
    let everwire = companion.everwire();
    everwire.check_admitted(request)?;
    let query = Parameters::of(&request.uri);
    let name = query.text("name").map(str::trim).filter(|name| is_name(name));
    let name = name.ok_or_else(|| HandshakeError::bad_request(format!("/token?name=Ada: {BAD_NAME}.")))?;
    let issued = companion.tokens().issue(name, query.text("renew")).map_err(|error| {
        tracing::error!(%error, "no token was issued");
        let message = "The server cannot make a token at the moment; try again later.";
        HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::Rejected, message)
    })?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(issued)).into_response())
}

/// Whether others can read the name of a visitor. Emoji have joiners, so that not every invisible character is refused.
pub(super) fn is_name(name: &str) -> bool {
    // These reverse the direction of the text that follows, also in other visitors' messages.
    let turns_text = |char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_bad = |char: char| char.is_control() || turns_text(char) || matches!(char, '\u{2028}' | '\u{2029}');
    !name.is_empty() && name.chars().count() <= MAX_NAME && !name.contains(is_bad)
}

/// The key of the signatures, as long as a block of SHA-256.
struct Key([u8; 64]);

impl Key {
    /// The key in a file that only this server uses.
    fn in_file(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => bytes.try_into().map(Self).map_err(|_| {
                let advice = "it does not hold 64 bytes; delete it, and visitors get other users";
                io::Error::new(io::ErrorKind::InvalidData, advice)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = Self(random()?);
                key.write(path)?;
                Ok(key)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes and renames, so that a server killed meanwhile leaves the whole key or none.
    fn write(&self, path: &Path) -> io::Result<()> {
        let unfinished = path.with_extension("new");
        let mut file = create_private(&unfinished)?;
        file.write_all(&self.0)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&self.0.into()).chain_update(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// A file that only the user of the server can read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn random<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Tokens with a clock that the test moves.
    fn tokens(journal: Option<&Path>) -> (Tokens, Arc<AtomicU32>) {
        let now = Arc::new(AtomicU32::new(1_000));
        let clock = Arc::clone(&now);
        let config = Config {
            journal: journal.map(Path::to_owned),
            token_ttl: Duration::from_secs(60),
            clock: Clock::from_fn(move || clock.load(Ordering::Relaxed).into()),
            ..Config::default()
        };
        (Tokens::new(&config).unwrap(), now)
    }

    #[test]
    fn a_token_proves_its_user_and_name_until_it_expires() {
        let (tokens, now) = tokens(None);
        let issued = tokens.issue("Ada", None).unwrap();
        assert_eq!(issued.expires, 61_000);
        now.store(60_999, Ordering::Relaxed);
        let claims = tokens.check(&issued.token).unwrap();
        assert_eq!((claims.name.as_str(), claims.user), ("Ada", issued.user));
        now.store(61_000, Ordering::Relaxed);
        assert_eq!(tokens.check(&issued.token), Err(TokenError::Expired));
    }

    #[test]
    fn an_expired_token_is_renewed_for_the_same_user_by_another_name() {
        let (tokens, now) = tokens(None);
        let earlier = tokens.issue("Ada", None).unwrap();
        now.store(70_000, Ordering::Relaxed);
        let renewed = tokens.issue("Countess", Some(&earlier.token)).unwrap();
        assert_eq!((renewed.user == earlier.user, renewed.expires), (true, 130_000));
        assert_eq!(tokens.check(&renewed.token).unwrap().name, "Countess");
        assert_ne!(tokens.issue("Ada", None).unwrap().user, earlier.user);
    }

    #[test]
    fn a_changed_token_is_refused_and_renews_no_user() {
        let (tokens, _) = tokens(None);
        let issued = tokens.issue("Ada", None).unwrap();
        let (claims, signature) = issued.token.split_once('.').unwrap();
        let bob = tokens.issue("Bob", None).unwrap();
        let (_, other_signature) = bob.token.split_once('.').unwrap();
        let longer = format!("{}.{signature}", BASE64URL_NOPAD.encode(b"{}"));
        let forged = [claims, "", ".", "a.b", &longer, &format!("{claims}."), &format!("{claims}.{other_signature}")];
        for forged in forged {
            assert_eq!(tokens.check(forged), Err(TokenError::Forged), "{forged}");
            assert_ne!(tokens.issue("Ada", Some(forged)).unwrap().user, issued.user);
        }
    }

    #[test]
    fn the_key_stays_with_the_journal_and_is_another_one_without() {
        let folder = tempfile::tempdir().unwrap();
        let issued = tokens(Some(folder.path())).0.issue("Ada", None).unwrap();
        assert!(tokens(Some(folder.path())).0.check(&issued.token).is_ok());
        assert_eq!(tokens(None).0.check(&issued.token), Err(TokenError::Forged));
        #[cfg(unix)]
        {
            let metadata = fs::metadata(folder.path().join(KEY_FILE)).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_that_is_not_whole_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEY_FILE), "short").unwrap();
        let config = Config { journal: Some(folder.path().to_owned()), ..Config::default() };
        let error = Tokens::new(&config).unwrap_err().to_string();
        assert!(error.contains(KEY_FILE) && error.contains("delete it"), "{error}");
    }

    #[test]
    fn names_are_readable_texts() {
        for name in
            ["Ada", "Ada Lovelace", "\u{1f469}\u{200d}\u{1f680}", "\u{645}\u{631}\u{64a}\u{645}", &"x".repeat(40)]
        {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a\nb", "a\u{7f}", "a\u{202e}b", "a\u{2028}b", &"x".repeat(41)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
