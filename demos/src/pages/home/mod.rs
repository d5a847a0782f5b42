//! The start page: what Everwire is, a counter that proves it over every fault, and the demos.
//!
//! # Layout
//! - `counter`: publishes and receives; `tally`: the books on it
//! - `torture`: what is done to the connection, and when; `timeline`: what happened to it
//! - `proof`: the counter and the torture as visitors see them; `cards`: the demos

mod cards;
mod counter;
mod proof;
mod tally;
mod timeline;
mod torture;

use std::rc::Rc;

use yew::prelude::*;

use crate::client::use_client_line;
use crate::components::PageHead;
use cards::Cards;
use counter::use_counter;
use proof::Proof;

#[component]
pub(crate) fn HomePage() -> Html {
    let (line, status) = use_client_line();
    let counter = use_counter(&line, &status);
    let on_break = {
        let counter = Rc::clone(&counter);
        Callback::from(move |disruption| counter.borrow_mut().mark(disruption))
    };
    html! {
        <div class="home">
            <PageHead
                title="A WebSocket that stays connected"
                lead="Everwire notices a dead connection, reconnects without crowding the server, and delivers every message once. See for yourself: break the connection of this page."
                connection={Some((line.clone(), status.clone()))}
                {on_break}
            />
            <Proof {counter} {line} {status} />
            <Cards />
        </div>
    }
}
