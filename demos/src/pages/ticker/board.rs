use std::rc::Rc;

use yew::prelude::*;

use super::ByIdentity;
use super::columns::{Column, Sorting};
use super::row::Row;
use super::sight::use_sight;
use super::tools::BoardTools;

/// The animation frames after which rows are sorted anew while their prices change: about half a second. Sorted in each
/// frame they would be too restless to read.
const SORT_EVERY: u32 = 30;

/// So many rows the page itself scrolls through. More scroll within the table.
const FEW: usize = 20;

/// The rows that are drawn beyond those in sight.
const MARGIN: usize = 4;

#[derive(Properties, PartialEq)]
pub(super) struct BoardProps {
    pub(super) feed: ByIdentity,
    pub(super) filter: AttrValue,
    pub(super) on_filter: Callback<AttrValue>,
    pub(super) sorting: Sorting,
    pub(super) on_sort: Callback<Sorting>,
}

/// The table of quotes. Of many rows only those in sight are in the page.
#[component]
pub(super) fn Board(props: &BoardProps) -> Html {
    let frame = use_frames(&props.feed);
    let scroller = use_node_ref();
    let sight = use_sight(&scroller);
    let wanted = (props.feed.0.edition(), props.filter.clone(), props.sorting, frame / SORT_EVERY);
    let order = use_memo(wanted, |_| props.feed.0.with_book(|book| props.sorting.order(book.quotes(), &props.filter)));
    let total = props.feed.0.with_book(|book| book.quotes().len());

    let first = sight.first.saturating_sub(MARGIN).min(order.len());
    let last = (sight.first + sight.count + MARGIN).min(order.len());
    let rows = props.feed.0.with_book(|book| {
        let row = |(index, place): (usize, &usize)| {
            // The order may be of the edition before, for the one frame in which a snapshot comes.
            book.quotes().get(*place).map(|quote| html! { <Row key={quote.symbol.to_string()} index={first + index + 2} quote={quote.clone()} /> })
        };
        order[first..last].iter().enumerate().filter_map(row).collect::<Html>()
    });
    let space = |rows: usize| format!("height: calc({rows} * var(--row))");
    html! {
        <section class="card ticker-board" aria-label="Quotes">
            <BoardTools filter={props.filter.clone()} on_filter={props.on_filter.clone()} sorting={props.sorting} on_sort={props.on_sort.clone()} shown={order.len()} {total} />
            <div class={classes!("scroll", "ticker-scroll", (order.len() <= FEW).then_some("is-whole"))} ref={scroller} tabindex="0" role="region" aria-label="Table of quotes" onscroll={sight.on_scroll}>
                <table class="ticker-table" role="table" aria-rowcount={(order.len() + 1).to_string()}>
                    <thead role="rowgroup">
                        <tr role="row" aria-rowindex="1">
                            { head(Column::Company, props) }
                            { head(Column::Symbol, props) }
                            { head(Column::Price, props) }
                            { head(Column::Change, props) }
                            <th class="spark-cell" role="columnheader" scope="col"><span>{ "Last 30 s" }</span></th>
                            { head(Column::Open, props) }
                            { head(Column::Low, props) }
                            { head(Column::High, props) }
                        </tr>
                    </thead>
                    <tbody class="ticker-space" role="presentation" style={space(first)}></tbody>
                    <tbody role="rowgroup">{ rows }</tbody>
                    <tbody class="ticker-space" role="presentation" style={space(order.len() - last)}></tbody>
                </table>
                if order.is_empty() {
                    <p class="empty">{ if total == 0 { "Waiting for the first snapshot." } else { "No symbol or company has that in its name." } }</p>
                }
            </div>
        </section>
    }
}

fn head(column: Column, props: &BoardProps) -> Html {
    let direction = props.sorting.direction_of(column);
    let onclick = {
        let (on_sort, sorting) = (props.on_sort.clone(), props.sorting);
        Callback::from(move |_| on_sort.emit(sorting.pressed(column)))
    };
    let class = format!("{}-cell", column.name().to_lowercase());
    html! {
        <th {class} role="columnheader" scope="col" aria-sort={direction.map_or("none", |direction| direction.name())}>
            <button type="button" class="sort" {onclick}>{ column.name() }<span class="sort-arrow" aria-hidden="true"></span></button>
        </th>
    }
}

/// Counts the animation frames that had something new, and renders in each.
#[hook]
fn use_frames(feed: &ByIdentity) -> u32 {
    let frames = use_reducer(Frames::default);
    {
        let frames = frames.dispatcher();
        use_effect_with(feed.clone(), move |feed| {
            feed.0.set_on_frame(Some(Callback::from(move |()| frames.dispatch(()))));
            let feed = feed.clone();
            move || feed.0.set_on_frame(None)
        });
    }
    frames.0
}

#[derive(Default)]
struct Frames(u32);

impl Reducible for Frames {
    type Action = ();

    fn reduce(self: Rc<Self>, (): ()) -> Rc<Self> {
        Self(self.0.wrapping_add(1)).into()
    }
}
