//! Who the visitor is: a name that they can change, and the token by which the server knows them again. Both are kept by the browser.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use everwire_companion_api::server::IssuedToken;
use serde::{Deserialize, Serialize};
use yew::prelude::*;

use crate::now::now;
use crate::server::{Server, origin_of};
use crate::{http, storage};

const NAME: &str = "visitor.name";
const TOKEN: &str = "visitor.token";
/// The most characters of a name.
pub(crate) const LONGEST: usize = 24;
/// A token that expires within this time, in milliseconds, is renewed rather than used.
const NEARLY_EXPIRED: f64 = 10_000.0;

thread_local! {
    /// As long as the page lives, also where nothing can be kept longer.
    static NAME_NOW: RefCell<Option<String>> = const { RefCell::new(None) };
    static TOKEN_NOW: RefCell<Option<Token>> = const { RefCell::new(None) };
    static FOLLOWERS: RefCell<Vec<Follower>> = const { RefCell::new(Vec::new()) };
    static LATEST_FOLLOWER: Cell<u64> = const { Cell::new(0) };
}

type Follower = (u64, Rc<dyn Fn(&str)>);

/// The visitor's name: “Guest” and a number before they choose one.
pub(crate) fn name() -> String {
    NAME_NOW.with_borrow_mut(|name| {
        let name = name.get_or_insert_with(|| {
            storage::read(NAME).and_then(|name| parse(&name).ok()).unwrap_or_else(|| {
                let guest = format!("Guest {}", 100 + (js_sys::Math::random() * 900.0) as u32);
                storage::write(NAME, Some(&guest));
                guest
            })
        });
        name.clone()
    })
}

/// Changes the name. The application's client then connects again, with a token for it; the visitor stays the same user.
///
/// # Errors
/// The name is empty or longer than [`LONGEST`].
pub(crate) fn rename(typed: &str) -> Result<(), BadName> {
    let new = parse(typed)?;
    if new != name() {
        storage::write(NAME, Some(&new));
        NAME_NOW.set(Some(new.clone()));
        // A follower may add or remove another.
        let followers: Vec<_> =
            FOLLOWERS.with_borrow(|all| all.iter().map(|(_, follower)| Rc::clone(follower)).collect());
        followers.iter().for_each(|follower| follower(&new));
    }
    Ok(())
}

/// The visitor's name; the component renders again when it changes.
#[hook]
pub(crate) fn use_name() -> AttrValue {
    let shown = use_state_eq(|| AttrValue::from(name()));
    {
        let shown = shown.setter();
        use_effect_with((), move |()| {
            let followed = on_rename(move |name| shown.set(name.to_owned().into()));
            move || drop(followed)
        });
    }
    (*shown).clone()
}

/// Calls `follower` with each new name, until what is returned is dropped.
#[must_use = "dropping it ends the calls"]
pub(crate) fn on_rename(follower: impl Fn(&str) + 'static) -> Following {
    let number = LATEST_FOLLOWER.get() + 1;
    LATEST_FOLLOWER.set(number);
    FOLLOWERS.with_borrow_mut(|all| all.push((number, Rc::new(follower))));
    Following(number)
}

/// A follower of the name. Dropping it ends its calls.
pub(crate) struct Following(u64);

impl Drop for Following {
    fn drop(&mut self) {
        FOLLOWERS.with_borrow_mut(|all| all.retain(|(number, _)| *number != self.0));
    }
}

/// What was typed is no name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {LONGEST} characters")]
pub(crate) struct BadName;

fn parse(typed: &str) -> Result<String, BadName> {
    let name = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name = (1..=LONGEST).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_name { Ok(name) } else { Err(BadName) }
}

/// What a server signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Token {
    /// The server that takes it.
    server: String,
    /// The visitor's id, which others see.
    user: String,
    name: String,
    token: String,
    /// In milliseconds since the Unix epoch, by the server's clock.
    expires: f64,
}

impl Token {
    fn is_for(&self, server: &str, name: &str, now: f64) -> bool {
        self.server == server && self.name == name && self.expires - now > NEARLY_EXPIRED
    }
}

/// The token for this server, fetched where none is kept that is still good. `None` where the server gives none.
pub(crate) async fn token(server: Server) -> Option<String> {
    let base = server.base().await.ok()?;
    let name = name();
    let kept = kept();
    if let Some(token) = kept.as_ref().filter(|token| token.is_for(&base, &name, now())) {
        return Some(token.token.clone());
    }
    // An old token names the user, who is to stay the same.
    let renew = kept.filter(|token| token.server == base);
    let renew = renew.map(|token| format!("&renew={}", http::encoded(&token.token))).unwrap_or_default();
    let url = format!("{}/token?name={}{renew}", origin_of(&base), http::encoded(&name));
    let issued: IssuedToken = http::get_json(&url).await?;
    let token = Token { server: base, user: issued.user, name, token: issued.token, expires: issued.expires as f64 };
    storage::write(TOKEN, serde_json::to_string(&token).ok().as_deref());
    TOKEN_NOW.set(Some(token.clone()));
    Some(token.token)
}

/// The id by which the server knows the visitor; `None` before the first token.
pub(crate) fn user() -> Option<String> {
    kept().map(|token| token.user)
}

/// The server refused the token: the next attempt fetches another, for the same user.
pub(crate) fn distrust_token() {
    if let Some(token) = kept() {
        TOKEN_NOW.set(Some(Token { expires: 0.0, ..token }));
    }
}

fn kept() -> Option<Token> {
    TOKEN_NOW.with_borrow_mut(|token| {
        let read = || storage::read(TOKEN).and_then(|text| serde_json::from_str(&text).ok());
        token.clone().or_else(|| {
            *token = read();
            token.clone()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_without_the_spaces_around_it() {
        assert_eq!(parse("  Ada   Lovelace "), Ok("Ada Lovelace".to_owned()));
        assert_eq!(parse("佐藤"), Ok("佐藤".to_owned()));
        assert_eq!(parse("  "), Err(BadName));
        assert_eq!(parse(&"é".repeat(LONGEST + 1)), Err(BadName));
        assert!(parse(&"é".repeat(LONGEST)).is_ok());
        assert_eq!(parse("a\u{7}b"), Err(BadName));
    }

    #[test]
    fn a_token_is_used_only_for_its_server_and_name_and_while_it_is_good() {
        let token = Token {
            server: "ws://a".to_owned(),
            user: "u1".to_owned(),
            name: "Ada".to_owned(),
            token: "t".to_owned(),
            expires: 60_000.0,
        };
        assert!(token.is_for("ws://a", "Ada", 0.0));
        assert!(!token.is_for("ws://b", "Ada", 0.0));
        assert!(!token.is_for("ws://a", "Grace", 0.0));
        assert!(!token.is_for("ws://a", "Ada", 55_000.0));
    }
}
