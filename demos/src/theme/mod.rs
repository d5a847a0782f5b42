//! Light or dark: [`Theme`] is what is chosen, [`ThemeWatch`] reports when that changes. And whether the visitor wants motion.

mod watch;

use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, window};

use crate::storage;
pub(crate) use watch::ThemeWatch;

const KEY: &str = "theme";

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    /// What the page shows: what the visitor chose, or else what the system prefers. A script in the page's head has put the
    /// choice of an earlier visit into the same attribute.
    pub(crate) fn current() -> Self {
        let root = window().and_then(|window| window.document()?.document_element());
        let choice = root.and_then(|root| root.get_attribute("data-theme"));
        choice.and_then(|name| Self::from_name(&name)).unwrap_or_else(Self::of_system)
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Light => Self::Dark,
            Self::Dark => Self::Light,
        }
    }

    /// Shows it. The visitor's choice is kept only while it differs from the system's, so that a page which agrees with
    /// the system goes on following it from day to night.
    pub(crate) fn choose(self) {
        let choice = (self != Self::of_system()).then(|| self.name());
        storage::write(KEY, choice);
        let Some(root) = window().and_then(|window| window.document()?.document_element()) else { return };
        if let Ok(root) = root.dyn_into::<HtmlElement>() {
            // Neither fails: the name is a constant and the element is in the page.
            let _ = match choice {
                Some(name) => root.set_attribute("data-theme", name),
                None => root.remove_attribute("data-theme"),
            };
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }

    fn of_system() -> Self {
        if matches("(prefers-color-scheme: dark)") { Self::Dark } else { Self::Light }
    }
}

/// Whether the visitor wants no animation that is not needed.
pub(crate) fn wants_little_motion() -> bool {
    matches("(prefers-reduced-motion: reduce)")
}

fn matches(media_query: &str) -> bool {
    let query = window().and_then(|window| window.match_media(media_query).ok().flatten());
    query.is_some_and(|query| query.matches())
}
