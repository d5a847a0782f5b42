use yew::prelude::*;

use super::quote::Quote;
use super::spark::{HEIGHT, WIDTH};
use crate::format;

#[derive(Properties, PartialEq)]
pub(super) struct RowProps {
    /// Its number in the whole table, for those who cannot see how long that is.
    pub(super) index: usize,
    pub(super) quote: Quote,
}

/// One stock. It renders when its quote has changed, and not with every frame.
#[component]
pub(super) fn Row(props: &RowProps) -> Html {
    let quote = &props.quote;
    let change = quote.change();
    // Half a cent is no change that is shown.
    let trend = match change {
        change if change >= 0.005 => "rise",
        change if change <= -0.005 => "fall",
        _ => "even",
    };
    let spark = format!("0 0 {WIDTH} {HEIGHT}");
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
                <svg class="spark" viewBox={spark} preserveAspectRatio="none" aria-hidden="true"><polyline points={quote.spark.points()} /></svg>
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
