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

use everwire::Client;
use everwire_companion_api::ticker::channel;
use yew::prelude::*;

use crate::client::use_client_line;
use crate::components::PageHead;
use crate::subscription::{use_attached, use_subscription};
use board::Board;
use columns::Sorting;
use controls::Controls;
use feed::Feed;
use figures::FeedFigures;

/// The page of the stock ticker.
#[component]
pub(crate) fn TickerPage() -> Html {
    let (line, status) = use_client_line();
    let client = use_context::<Option<Client>>().flatten();
    let feed = use_memo((), |()| ByIdentity(Feed::recall())).0.clone();
    let selection = use_state_eq(|| feed.selection().unwrap_or_default());
    let filter = use_state_eq(AttrValue::default);
    let sorting = use_state_eq(Sorting::default);
    {
        // Another choice is another channel, of which nothing was missed yet. This comes before the subscription, which starts from the
        // position of the feed.
        let feed = Rc::clone(&feed);
        use_effect_with((line.key(), *selection), move |(server, selection)| {
            feed.set_source(server.clone(), *selection);
        });
    }
    let quotes = channel(selection.rate, selection.companies);
    let open = {
        let (feed, quotes) = (Rc::clone(&feed), quotes.clone());
        move |client: &Client| client.subscribe_with(&quotes, &feed.options())
    };
    use_subscription(quotes, open, {
        let feed = Rc::clone(&feed);
        move |delivery| feed.receive(delivery, client.as_ref().and_then(Client::server_time))
    });
    use_attached({
        let feed = Rc::clone(&feed);
        move || feed.connected(true)
    });
    {
        let feed = Rc::clone(&feed);
        use_effect_with(status.is_open(), move |is_open| {
            if *is_open {
                feed.connected(false);
            }
        });
    }
    {
        let feed = Rc::clone(&feed);
        use_effect_with((), move |()| move || feed.keep());
    }
    html! {
        <>
            <PageHead
                title="Stock ticker"
                lead="Every update of the feed is folded into the table, and the table is drawn once in a frame: at twenty updates a second and at twenty thousand."
                connection={Some((line, status))}
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
