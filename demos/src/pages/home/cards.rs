//! The demos as cards, each with a picture.

use yew::prelude::*;

use crate::components::{Icon, RouteLink};
use crate::routes::Route;

/// The demos by what they are for: an anchor, a heading, and the pages.
const GROUPS: [(&str, &str, &[Route]); 2] = [
    ("use", "What a connection is good for", &[Route::Chat, Route::Live, Route::Ticker, Route::Tracker, Route::Files]),
    ("measure", "What it costs, measured", &[Route::Echo, Route::Lab, Route::Throughput, Route::Monitor]),
];

#[component]
pub(super) fn Cards() -> Html {
    html! {
        for (id, name, routes) in GROUPS {
            <section class="demo-group" aria-labelledby={id}>
                <h2 {id}>{ name }</h2>
                <ul class={classes!("demo-cards", format!("demo-cards-{}", routes.len()))}>{ for routes.iter().copied().map(card) }</ul>
            </section>
        }
    }
}

fn card(route: Route) -> Html {
    let (title, shows, points) = match route {
        Route::Chat => (
            "Chat",
            "Rooms with names, presence and history.",
            [
                "Shown at once, confirmed in place",
                "Nothing sent twice, nothing lost",
                "Who is there, and who is typing",
            ],
        ),
        Route::Live => (
            "Trading floor",
            "A market, news, a log and a monitor on one connection.",
            [
                "A channel for each panel, at its own rate",
                "Switch a panel off, and its traffic stops",
                "What travels, counted",
            ],
        ),
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
        Route::Files => (
            "File transfer",
            "A file of a gigabyte, in pieces, no faster than they are taken.",
            [
                "Pause, and go on after a lost connection",
                "Goes on from the last byte that arrived",
                "Both sides compare a checksum",
            ],
        ),
        Route::Lab => (
            "Transport lab",
            "Polling, streaming, events and WebSocket, side by side.",
            [
                "Bytes of overhead as they really go",
                "Latencies as histogram and curve",
                "Sets of calls, to keep as CSV and picture",
            ],
        ),
        Route::Throughput => (
            "Throughput check",
            "Pings counted per second, over 1 to 200 connections.",
            ["As many under way as you like", "Every connection compared with the others", "Round trips, p50 and p99"],
        ),
        Route::Monitor => (
            "Server monitor",
            "The server and its machine, once a second.",
            ["Processor, memory, load, processes", "Messages and queues of each worker", "Five minutes of history"],
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
        Route::Chat => html! {
            <>
                <path class="soft" d="M28 22h132v26H62L50 60V48H28zM28 82h104v26H28z" />
                <path class="accent" d="M292 52H166v26h92l12 12V78h22z" />
                <path class="soft strong" d="M42 35h84M42 95h58" />
                <path class="alive" d="M180 65h64M268 65l4 4 8-8" />
            </>
        },
        Route::Live => html! {
            <>
                <path class="soft" d="M22 20h132v40H22zM166 20h132v40H166zM22 68h84v40H22zM118 68h84v40h-84zM214 68h84v40h-84z" />
                <path class="alive" d="m32 50 18-6 14 4 18-14 16 6 18-12 16 4 12-4M224 98l14-14 12 8 14-12 12 10 12-6" />
                <path class="accent" d="M178 32h64M178 40h84M178 48h46" />
                <path class="fall" d="M32 80h40M32 96h22" />
                <path class="soft strong" d="M32 88h58M128 80h64M128 88h44M128 96h56" />
            </>
        },
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
        Route::Files => html! {
            <>
                <path class="soft" d="M20 62h280" />
                <path class="alive" d="M28 50h22v24H28zM60 50h22v24H60zM92 50h22v24H92zM124 50h22v24h-22z" />
                <path class="accent" d="M168 50h22v24h-22zM200 50h22v24h-22z" />
                <path class="soft" d="M232 50h22v24h-22zM264 50h22v24h-22z" />
                <path class="accent" d="M157 38v48M152 43l5-5 5 5" />
            </>
        },
        Route::Lab => html! {
            <>
                <path class="soft" d="M20 26h280M20 44h280M20 62h280M20 80h280M20 98h280" />
                <path class="soft strong" d="M20 26h44M120 26h44M220 26h44" />
                <path class="soft strong" d="M20 44h26M84 44h26M148 44h26M212 44h26M276 44h24" />
                <path class="fall" d="M20 62h12M52 62h12M84 62h12M116 62h12M148 62h12M180 62h12M212 62h12M244 62h12M276 62h12" />
                <path class="alive" d="M20 80h8M44 80h8M68 80h8M92 80h8M116 80h8M140 80h8M164 80h8M188 80h8M212 80h8M236 80h8M260 80h8M284 80h8" />
                <path class="accent dots" d="M20 98h280" />
            </>
        },
        Route::Throughput => html! {
            <>
                <path class="soft" d="M20 104h280" />
                <path class="alive" d="M44 104V34M72 104V40M100 104V38M128 104V48M156 104V52M184 104V50M212 104V62M240 104V66M268 104V78" />
                <path class="accent" d="m20 60 28-12 28 4 28-18 28 6 28-12 28 8 28-14 28 4 28-8 28 2" />
            </>
        },
        Route::Monitor => html! {
            <>
                <path class="soft" d="M20 30h178M20 64h178M20 98h178M218 30h82M218 52h82M218 74h82M218 96h82" />
                <path class="alive" d="m20 88 18-4 16-30 18 20 18-8 16 14 18-40 18 24 18-10 18 8 20-14" />
                <path class="accent" d="m20 98 18-2 16-12 18 6 18-2 16 4 18-20 18 12 18-2 18 4 20-6" />
                <path class="accent" d="M218 30h66M218 52h40" />
                <path class="alive" d="M218 74h24M218 96h12" />
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
