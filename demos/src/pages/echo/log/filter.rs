use super::search::Search;
use super::{Kind, Line, Origin};

/// Which lines a visitor wants to see. The default is all.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::pages::echo) struct Filter {
    search: Search,
    origin: Option<Origin>,
    kind: Option<Kind>,
}

impl Filter {
    /// `None` is any.
    pub(in crate::pages::echo) fn new(text: &str, origin: Option<Origin>, kind: Option<Kind>) -> Self {
        Self { search: Search::new(text), origin, kind }
    }

    pub(in crate::pages::echo) fn passes_all(&self) -> bool {
        self.search.is_empty() && self.origin.is_none() && self.kind.is_none()
    }

    pub(in crate::pages::echo) fn passes(&self, line: &Line) -> bool {
        self.origin.is_none_or(|origin| origin == line.origin)
            && self.kind.is_none_or(|kind| kind == line.kind())
            && self.search.finds(line)
    }
}
