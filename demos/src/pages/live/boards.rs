use everwire_companion_api::live::Pair;
use yew::prelude::*;

use super::feed::use_feed;
use super::frame::{Frame, PanelProps, waiting};
use super::panel::Panel;
use super::prices::{Direction, Exchange, Market, Quote, Stock, parts, spread};
use crate::format;

/// Milliseconds between two samples of the sparklines.
const SAMPLE_EVERY: u32 = 1_000;

/// The prices of stocks.
#[component]
pub(super) fn MarketPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<Market>(Panel::Market, props.is_on, &props.traffic);
    {
        let feed = feed.clone();
        let update = use_force_update();
        use_effect_with(props.is_on, move |is_on| {
            let sampling = is_on.then(|| {
                gloo_timers::callback::Interval::new(SAMPLE_EVERY, move || {
                    feed.model_mut().sample();
                    update.force_update();
                })
            });
            move || drop(sampling)
        });
    }
    let rows: Vec<Stock> = feed.model().stocks().cloned().collect();
    html! {
        <Frame panel={Panel::Market} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()}>
            if rows.is_empty() {
                { waiting() }
            } else {
                <table class="live-table market-table" aria-labelledby="live-market">
                    <thead>
                        <tr>
                            <th scope="col">{ "Company" }</th>
                            <th scope="col"><span class="visually-hidden">{ "The last 48 seconds" }</span></th>
                            <th scope="col">{ "Price" }</th>
                            <th scope="col">{ "Change" }</th>
                        </tr>
                    </thead>
                    <tbody>{ for rows.iter().map(|stock| html! { <StockRow key={stock.symbol.to_string()} stock={stock.clone()} /> }) }</tbody>
                </table>
            }
        </Frame>
    }
}

#[derive(Properties, PartialEq)]
struct StockRowProps {
    stock: Stock,
}

/// One stock. It renders when it has changed, and not with every other.
#[component]
fn StockRow(props: &StockRowProps) -> Html {
    let Stock { symbol, company, price, change, spark } = &props.stock;
    // A change that is shown as none is none.
    let trend = match change {
        change if *change >= 0.005 => "rise",
        change if *change <= -0.005 => "fall",
        _ => "even",
    };
    html! {
        <tr data-trend={trend}>
            <th scope="row" title={company.clone()}><span class="symbol">{ symbol }</span><span class="market-company">{ company }</span></th>
            <td>{ spark.view() }</td>
            <td class="market-price">{ format!("{price:.2}") }</td>
            <td class="market-change">{ format!("{} %", format::signed(*change, 2)) }</td>
        </tr>
    }
}

/// The rates of currencies.
#[component]
pub(super) fn CurrencyPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<Exchange>(Panel::Currency, props.is_on, &props.traffic);
    let rows: Vec<_> = feed.model().rows().collect();
    html! {
        <Frame panel={Panel::Currency} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()}>
            <table class="live-table currency-table" aria-labelledby="live-currency">
                <thead>
                    <tr>
                        <th scope="col">{ "Pair" }</th>
                        <th scope="col"><span class="visually-hidden">{ "Direction" }</span></th>
                        <th scope="col">{ "Bid" }</th>
                        <th scope="col">{ "Ask" }</th>
                        <th scope="col"><abbr title="Spread in pips">{ "Spread" }</abbr></th>
                    </tr>
                </thead>
                <tbody>{ for rows.into_iter().map(|(pair, quote)| html! { <PairRow key={pair.name} {pair} {quote} /> }) }</tbody>
            </table>
        </Frame>
    }
}

#[derive(Properties, PartialEq)]
struct PairRowProps {
    pair: Pair,
    quote: Option<Quote>,
}

/// One pair. It renders when its rate has changed.
#[component]
fn PairRow(props: &PairRowProps) -> Html {
    let PairRowProps { pair, quote } = props;
    let (trend, arrow, word) = match quote.map(|quote| quote.direction).unwrap_or_default() {
        Direction::Up => ("rise", "▲", "up"),
        Direction::Down => ("fall", "▼", "down"),
        Direction::None => ("even", "", ""),
    };
    let rate = |rate: fn(&Quote) -> f64| {
        quote.as_ref().map(rate).map_or_else(|| html! { { "–" } }, |rate| written(*pair, rate))
    };
    html! {
        <tr data-trend={trend}>
            <th scope="row" class="symbol">{ pair.name }</th>
            <td class="currency-direction"><span aria-hidden="true">{ arrow }</span><span class="visually-hidden">{ word }</span></td>
            <td>{ rate(|quote| quote.rate.bid) }</td>
            <td>{ rate(|quote| quote.rate.ask) }</td>
            <td class="currency-spread">{ quote.map_or_else(|| "–".to_owned(), |quote| format!("{:.1}", spread(*pair, quote.rate))) }</td>
        </tr>
    }
}

/// A rate whose pips stand out, since they are what changes.
fn written(pair: Pair, rate: f64) -> Html {
    let [start, pips, tenth] = parts(pair, rate);
    html! { <span class="rate">{ start }<b>{ pips }</b><span class="rate-tenth">{ tenth }</span></span> }
}
