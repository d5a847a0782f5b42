use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::map::{TileSource, TileUrlError};

#[derive(Properties, PartialEq)]
pub(crate) struct TileCardProps {
    pub(crate) tiles: Option<TileSource>,
    /// Whether images did not come.
    pub(crate) has_trouble: bool,
    pub(crate) on_choose: Callback<Option<TileSource>>,
}

/// Images of a tile server, for who has one.
#[component]
pub(crate) fn TileCard(props: &TileCardProps) -> Html {
    let (url, attribution) = (use_node_ref(), use_node_ref());
    let refusal = use_state_eq(|| None::<TileUrlError>);
    let submit = {
        let (url, attribution, refusal, on_choose) =
            (url.clone(), attribution.clone(), refusal.setter(), props.on_choose.clone());
        Callback::from(move |submit: SubmitEvent| {
            submit.prevent_default();
            match TileSource::parse(&value(&url), &value(&attribution)) {
                Ok(source) => {
                    refusal.set(None);
                    on_choose.emit(Some(source));
                }
                Err(reason) => refusal.set(Some(reason)),
            }
        })
    };
    let remove = {
        let (refusal, on_choose) = (refusal.setter(), props.on_choose.clone());
        Callback::from(move |_: MouseEvent| {
            refusal.set(None);
            on_choose.emit(None);
        })
    };
    let kept =
        |part: fn(&TileSource) -> &str| props.tiles.as_ref().map(|tiles| part(tiles).to_owned()).unwrap_or_default();
    html! {
        <details class="card tracker-tiles" open={props.has_trouble}>
            <summary>{ "Streets and houses" }</summary>
            <form class="stack stack-tight" onsubmit={submit} novalidate=true>
                <p class="field-note">
                    { "The outlines come with this page and need no internet. If you have a tile server, its images lie over them. It then \
                       learns your network address and which part of the map you look at." }
                </p>
                <label class="field">
                    <span>{ "Tile address" }</span>
                    <input class="input" type="url" ref={url} value={kept(TileSource::url)} inputmode="url" autocomplete="off" spellcheck="false"
                        placeholder="https://tiles.example/{z}/{x}/{y}.png" aria-invalid={refusal.is_some().to_string()}
                        aria-describedby="tile-trouble" />
                </label>
                <label class="field">
                    <span>{ "Attribution" }</span>
                    <input class="input" ref={attribution} value={kept(TileSource::attribution)} placeholder="© whom the images are owed to" />
                </label>
                <div id="tile-trouble" role="status">
                    if let Some(refusal) = &*refusal {
                        <p class="field-error">{ refusal.to_string() }</p>
                    } else if props.has_trouble {
                        <p class="field-error">{ "Some images did not come. Check the address, and whether the server answers; the outlines stay." }</p>
                    }
                </div>
                <div class="toolbar">
                    <button class="button">{ "Use these images" }</button>
                    if props.tiles.is_some() {
                        <button type="button" class="button button-quiet" onclick={remove}>{ "Outlines only" }</button>
                    }
                </div>
            </form>
        </details>
    }
}

fn value(input: &NodeRef) -> String {
    input.get().and_then(|node| node.dyn_into::<HtmlInputElement>().ok()).map(|input| input.value()).unwrap_or_default()
}
