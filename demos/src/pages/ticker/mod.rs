//! The stock ticker.
//!
//! # Layout
//! - [`book`], [`quote`]: the quotes, to which every update is applied
//! - [`feed`]: the state of the page
//! - [`columns`]: sorting and filtering
//! - [`controls`], [`figures`], [`board`]: the views

mod board;
mod book;
mod columns;
mod controls;
mod feed;
mod figures;
mod quote;

use std::rc::Rc;

use everwire_companion_api::ticker::ServerMessage;
use everwire_yew::use_socket;
use yew::prelude::*;

use crate::components::PageHead;
use crate::line::use_line;
use board::Board;
use columns::Sorting;
use controls::{Controls, Selection};
use feed::Feed;
use figures::FeedFigures;

/// The page of the stock ticker.
#[component]
pub(crate) fn TickerPage() -> Html {
    let selection = use_state_eq(Selection::default);
    let filter = use_state_eq(AttrValue::default);
    let sorting = use_state_eq(Sorting::default);
    let feed = use_memo((), |()| Feed::default());
    let line = use_line(selection.endpoint());

    // What the callback needs of the socket exists only after the socket does.
    let current = use_mut_ref(|| None);
    let on_event = {
        let (feed, current) = (Rc::clone(&feed), Rc::clone(&current));
        // A server that was asked to send garbage sends messages that cannot be decoded.
        Callback::from(move |event| {
            let Ok(event) = event else { return };
            let socket = current.borrow().clone();
            let handle = socket.as_ref().and_then(everwire_yew::UseSocket::<()>::handle);
            if feed.receive(event, handle.as_ref())
                && let Some(socket) = socket
            {
                socket.reconnect();
            }
        })
    };
    let socket = use_socket::<(), ServerMessage>(line.options(), on_event);
    *current.borrow_mut() = Some(socket.clone());
    {
        // Another choice is another feed, of which nothing was missed yet.
        let feed = Rc::clone(&feed);
        use_effect_with(line.key(), move |_| feed.clear());
    }
    html! {
        <>
            <PageHead
                title="Stock ticker"
                lead="Every update of the feed is folded into the table, and the table is drawn once in a frame: at twenty updates a second and at twenty thousand."
                connection={Some((line, socket.status()))}
            />
            <div class="stack">
                <section class="ticker-panel" aria-label="Feed">
                    <Controls selection={*selection} on_select={Callback::from({ let selection = selection.setter(); move |to| selection.set(to) })} />
                    <FeedFigures feed={ByIdentity(Rc::clone(&feed))} />
                </section>
                <Board
                    feed={ByIdentity(Rc::clone(&feed))}
                    filter={(*filter).clone()}
                    on_filter={Callback::from({ let filter = filter.setter(); move |to| filter.set(to) })}
                    sorting={*sorting}
                    on_sort={Callback::from({ let sorting = sorting.setter(); move |to| sorting.set(to) })}
                />
            </div>
        </>
    }
}

/// The state as a property, which is equal to itself whatever has arrived meanwhile.
#[derive(Clone)]
struct ByIdentity(Rc<Feed>);

impl PartialEq for ByIdentity {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
