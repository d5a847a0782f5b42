use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, HtmlInputElement, HtmlSelectElement, ResizeObserver};
use yew::prelude::*;

use super::ByIdentity;
use super::columns::{Column, Sorting};
use super::quote::Quote;
use crate::components::Icon;
use crate::format;

/// The animation frames after which rows are sorted again while their prices change: about half a second. Sorted in each
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
    let visible = use_visible_rows(&scroller);
    let wanted = (props.feed.0.edition(), props.filter.clone(), props.sorting, frame / SORT_EVERY);
    let order = use_memo(wanted, |_| props.feed.0.with_book(|book| props.sorting.order(book.quotes(), &props.filter)));
    let total = props.feed.0.with_book(|book| book.quotes().len());

    let first = visible.first.saturating_sub(MARGIN).min(order.len());
    let last = (visible.first + visible.count + MARGIN).min(order.len());
    let rows = props.feed.0.with_book(|book| {
        let row = |(index, place): (usize, &usize)| {
            // The order may be of the edition before, for the one frame in which rows arrive.
            book.quotes().get(*place).map(|quote| html! { <Row key={quote.symbol.to_string()} index={first + index + 2} quote={quote.clone()} /> })
        };
        order[first..last].iter().enumerate().filter_map(row).collect::<Html>()
    });
    let space = |rows: usize| format!("height: calc({rows} * var(--row))");
    html! {
        <section class="card ticker-board" aria-label="Quotes">
            <BoardTools filter={props.filter.clone()} on_filter={props.on_filter.clone()} sorting={props.sorting} on_sort={props.on_sort.clone()} shown={order.len()} {total} />
            <div class={classes!("scroll", "ticker-scroll", (order.len() <= FEW).then_some("is-whole"))} ref={scroller} tabindex="0" role="region" aria-label="Table of quotes" onscroll={visible.on_scroll}>
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
                    <p class="empty">{ if total == 0 { "Waiting for the first prices." } else { "No symbol or company has that in its name." } }</p>
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

#[derive(Properties, PartialEq)]
struct RowProps {
    /// Its number in the whole table, for screen readers.
    index: usize,
    quote: Quote,
}

/// One stock. It renders when its quote has changed, and not with every frame.
#[component]
fn Row(props: &RowProps) -> Html {
    let quote = &props.quote;
    let change = quote.change();
    // A change of less than half a cent is shown as none.
    let trend = match change {
        change if change >= 0.005 => "rise",
        change if change <= -0.005 => "fall",
        _ => "even",
    };
    html! {
        <tr role="row" aria-rowindex={props.index.to_string()} data-trend={trend}>
            <th class="company-cell" role="rowheader" scope="row">{ &quote.company }</th>
            <td class="symbol-cell" role="cell"><span class="symbol">{ &quote.symbol }</span></td>
            <td class="price-cell" role="cell">{ price(quote.price) }</td>
            <td class="change-cell" role="cell">
                <span class="change">{ format::signed(change, 2) }</span>
                <span class="change-percent">{ format!("{} %", format::signed(quote.change_in_percent(), 2)) }</span>
            </td>
            <td class="spark-cell" role="cell">
                { quote.spark.view() }
            </td>
            <td class="open-cell" role="cell">{ price(quote.open) }</td>
            <td class="low-cell" role="cell">{ price(quote.low) }</td>
            <td class="high-cell" role="cell">{ price(quote.high) }</td>
        </tr>
    }
}

fn price(price: f64) -> String {
    format!("{price:.2}")
}

/// The rows in sight.
struct VisibleRows {
    first: usize,
    count: usize,
    on_scroll: Callback<Event>,
}

/// Follows scrolling and changes of the table's size.
#[hook]
fn use_visible_rows(scroller: &NodeRef) -> VisibleRows {
    let seen = use_state_eq(|| (0_usize, 24_usize));
    let on_scroll = {
        let (seen, scroller) = (seen.setter(), scroller.clone());
        Callback::from(move |_| {
            let Some(scroller) = scroller.cast::<HtmlElement>() else { return };
            // All rows are as high as the first that is drawn.
            let row = scroller.query_selector("tbody tr").ok().flatten();
            let height = row.map_or(0, |row| row.client_height()).max(24);
            let rows = |pixels: i32| usize::try_from(pixels / height).unwrap_or_default();
            seen.set((rows(scroller.scroll_top()), rows(scroller.client_height()) + 2));
        })
    };
    {
        let (on_scroll, scroller) = (on_scroll.clone(), scroller.clone());
        use_effect_with((), move |()| {
            // Another size of the table shows other rows, as scrolling does.
            let look = Closure::<dyn Fn()>::new(move || {
                if let Ok(event) = Event::new("scroll") {
                    on_scroll.emit(event);
                }
            });
            let observer = ResizeObserver::new(look.as_ref().unchecked_ref()).ok();
            if let (Some(observer), Some(scroller)) = (&observer, scroller.cast::<HtmlElement>()) {
                observer.observe(&scroller);
            }
            move || {
                if let Some(observer) = observer {
                    observer.disconnect();
                }
                drop(look);
            }
        });
    }
    VisibleRows { first: seen.0, count: seen.1, on_scroll }
}

#[derive(Properties, PartialEq)]
struct BoardToolsProps {
    filter: AttrValue,
    on_filter: Callback<AttrValue>,
    sorting: Sorting,
    on_sort: Callback<Sorting>,
    shown: usize,
    total: usize,
}

/// The filter; and where the table has no head, on a phone, the sorting.
#[component]
fn BoardTools(props: &BoardToolsProps) -> Html {
    let oninput = {
        let on_filter = props.on_filter.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                on_filter.emit(input.value().into());
            }
        })
    };
    let onchange = {
        let on_sort = props.on_sort.clone();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                on_sort.emit(Column::from_name(&select.value()).map(Sorting::by).unwrap_or_default());
            }
        })
    };
    let sorted_by = props.sorting.column();
    let count = |number: usize| format::count(number.try_into().unwrap_or(u64::MAX));
    let amount = match (props.shown, props.total) {
        (_, 0) => String::new(),
        (shown, total) if shown == total => format!("{} companies", count(total)),
        (shown, total) => format!("{} of {}", count(shown), count(total)),
    };
    html! {
        <div class="card-head ticker-tools">
            <label class="search">
                <span class="visually-hidden">{ "Filter by symbol or company" }</span>
                { Icon::Search.draw() }
                <input class="input" type="search" placeholder="Symbol or company" value={props.filter.clone()} autocomplete="off" spellcheck="false" {oninput} />
            </label>
            <label class="ticker-sort">
                <span class="visually-hidden">{ "Sort by" }</span>
                <select class="input" {onchange}>
                    <option value="" selected={sorted_by.is_none()}>{ "Unsorted" }</option>
                    { for Column::ALL.map(|column| html! {
                        <option value={column.name()} selected={sorted_by == Some(column)}>{ column.name() }</option>
                    }) }
                </select>
            </label>
            <p class="field-note number" role="status">{ amount }</p>
        </div>
    }
}
