use everwire_yew::use_raw_socket;
use yew::prelude::*;

use crate::components::{Icon, PageHead, RouteLink};
use crate::line::use_line;
use crate::routes::Route;

/// The start page: what Everwire is, with a connection of its own to try it on, and the demos.
#[component]
pub(crate) fn HomePage() -> Html {
    let line = use_line("/clock");
    // The page only shows how the connection is; the pings that measure it are not messages.
    let on_event = use_callback((), |_, ()| ());
    let socket = use_raw_socket(line.options(), on_event);
    html! {
        <div class="home">
            <PageHead
                title="A WebSocket that stays connected"
                lead="Everwire notices a dead line, dials again without crowding the server, keeps what you send meanwhile, and tells you what was lost. This page holds such a line. Break it."
                connection={Some((line, socket.status()))}
            />
            <section aria-labelledby="demos">
                <h2 id="demos">{ "Three demos" }</h2>
                <ul class="demo-cards">{ for Route::DEMOS.map(card) }</ul>
            </section>
        </div>
    }
}

fn card(route: Route) -> Html {
    let (title, shows, points) = match route {
        Route::Echo => (
            "Echo tester",
            "Dial any WebSocket server and see every frame.",
            [
                "Text, JSON, binary and files",
                "Round trips as a live chart and in figures",
                "A log of a hundred thousand lines",
            ],
        ),
        Route::Ticker => (
            "Stock ticker",
            "A price feed, from one to twenty thousand updates a second.",
            [
                "Drawn once in a frame, with no update lost",
                "The true age of each message",
                "Gaps found, healed and counted",
            ],
        ),
        _ => (
            "Geolocation tracker",
            "People on a map, with a trail for each.",
            [
                "Works without internet",
                "Sends nothing before you press share",
                "As coarse as you like, and gone with one press",
            ],
        ),
    };
    html! {
        <li>
            <RouteLink to={route} class="demo-card">
                { picture(route) }
                <span class="demo-title">{ title }{ Icon::Arrow.draw() }</span>
                <span class="demo-shows">{ shows }</span>
                <span class="demo-points">{ for points.map(|point| html! { <span>{ point }</span> }) }</span>
            </RouteLink>
        </li>
    }
}

/// A drawing of what the demo is about, in the lines that the pages themselves are made of.
fn picture(route: Route) -> Html {
    let lines = match route {
        Route::Echo => html! {
            <>
                <path class="soft" d="M20 44h280M20 84h280" />
                <path class="alive" d="M20 84h38l8-26 12 44 10-30 8 12h60l8-26 12 44 10-30 8 12h106" />
                <path class="accent" d="M20 44h180l-12-9M200 44l-12 9" />
            </>
        },
        Route::Ticker => html! {
            <>
                <path class="soft" d="M20 34h280M20 64h280M20 94h280" />
                <path class="alive" d="m20 92 26-8 20 6 24-22 22 8 26-26 20 10 22-16 26 8 24-20 20 6 22-10 28-6" />
                <path class="fall" d="m20 44 30 4 24-6 26 14 24-4 26 16 28-4 24 12 28-2 26 10 44 6" />
            </>
        },
        _ => html! {
            <>
                <path class="soft" d="M20 40c50-26 84 6 122-6s60-24 158 0M20 100c60-18 92 10 140 2s80-20 140-4" />
                <path class="alive dots" d="M48 96c34-6 44-36 78-34s40 30 74 24 44-26 58-38" />
                <path class="accent" d="M258 48s-15-14-15-25a15 15 0 0 1 30 0c0 11-15 25-15 25Z" />
                <circle class="accent" cx="258" cy="23" r="5" />
                <circle class="alive" cx="48" cy="96" r="5" />
            </>
        },
    };
    html! { <svg class="demo-picture" viewBox="0 0 320 124" aria-hidden="true" focusable="false">{ lines }</svg> }
}
