use yew::prelude::*;

use super::session::Session;

/// What every part of the page is given.
#[derive(Properties, PartialEq)]
pub(super) struct SessionProps {
    pub(super) session: Session,
}
