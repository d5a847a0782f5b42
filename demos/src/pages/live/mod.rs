//! A trading floor: panels that are channels of one connection, each with its own rate.
//!
//! # Layout
//! - [`panel`]: the panels, and which of them are on
//! - [`feed`]: a panel's subscription; [`traffic`]: what it costs
//! - [`prices`], [`entries`], [`talk`], [`pulse`]: what panels know
//! - [`frame`]: what every panel has; [`boards`], [`lists`], [`chat`], [`strip`], [`traffic_table`]: the views

mod boards;
mod chat;
mod entries;
mod feed;
mod frame;
mod lists;
mod panel;
mod prices;
mod pulse;
mod strip;
mod talk;
mod traffic;
mod traffic_table;

use std::rc::Rc;

use yew::prelude::*;

use crate::client::use_client_line;
use crate::components::PageHead;
use boards::{CurrencyPanel, MarketPanel};
use chat::ChatPanel;
use frame::PanelProps;
use lists::{LogPanel, NewsPanel};
use panel::{Choice, Panel};
use strip::{BannerPanel, MonitorPanel};
use traffic::Traffic;
use traffic_table::TrafficTable;

/// The page of the trading floor.
#[component]
pub(crate) fn LivePage() -> Html {
    let connection = use_client_line();
    let traffic = use_memo((), |()| Traffic::default());
    let choice = use_state_eq(Choice::remembered);
    let on_switch = {
        let choice = choice.clone();
        use_callback(*choice, move |panel: Panel, now| choice.set(now.switched(panel)))
    };
    let props =
        |panel| PanelProps { is_on: choice.has(panel), on_switch: on_switch.clone(), traffic: Rc::clone(&traffic) };
    html! {
        <>
            <PageHead
                title="Trading floor"
                lead="Seven channels on one connection, each with its own rate. What is switched off is not sent."
                {connection}
            />
            <div class="live">
                <BannerPanel ..props(Panel::Banner) />
                <MonitorPanel ..props(Panel::Monitor) />
                <MarketPanel ..props(Panel::Market) />
                <CurrencyPanel ..props(Panel::Currency) />
                <ChatPanel ..props(Panel::Chat) />
                <NewsPanel ..props(Panel::News) />
                <LogPanel ..props(Panel::Log) />
                <TrafficTable traffic={Rc::clone(&traffic)} choice={*choice} />
            </div>
        </>
    }
}
