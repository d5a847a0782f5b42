use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::outlines_file;
use super::{Outlines, Sight, TileSource, WorldMap};
use crate::theme::ThemeWatch;

/// The map of a [`MapView`], for what is asked of it rather than shown: to move, or where its middle is.
#[derive(Clone, Default)]
pub(crate) struct MapHandle {
    map: Rc<RefCell<Option<WorldMap>>>,
}

impl MapHandle {
    /// Does something with the map; nothing while it is loading.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&WorldMap) -> T) -> Option<T> {
        self.map.borrow().as_ref().map(act)
    }
}

impl PartialEq for MapHandle {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.map, &other.map)
    }
}

#[derive(Properties, PartialEq)]
pub(crate) struct MapViewProps {
    pub(crate) handle: MapHandle,
    /// What the map is, for a screen reader.
    pub(crate) label: AttrValue,
    pub(crate) sights: Rc<Vec<Sight>>,
    pub(crate) tiles: Option<TileSource>,
    /// The map is there and can be asked to move; again when the outlines are.
    pub(crate) on_ready: Callback<()>,
    /// The visitor moved the view by hand.
    pub(crate) on_moved: Callback<()>,
    /// An image of the tile server did not come.
    pub(crate) on_tile_error: Callback<()>,
}

/// A map of the world with sights on it.
#[component]
pub(crate) fn MapView(props: &MapViewProps) -> Html {
    let element = use_node_ref();
    let trouble = use_state_eq(|| None::<String>);
    let is_ready = use_state_eq(|| false);
    {
        let (handle, trouble, is_ready) = (props.handle.clone(), trouble.setter(), is_ready.setter());
        let (on_ready, on_moved) = (props.on_ready.clone(), props.on_moved.clone());
        let on_tile_error = props.on_tile_error.clone();
        let element = element.clone();
        use_effect_with((), move |()| {
            let is_alive = Rc::new(());
            let watch = {
                let handle = handle.clone();
                ThemeWatch::start(move || {
                    handle.with(WorldMap::repaint);
                })
            };
            if let Some(element) = element.cast::<HtmlElement>() {
                let (handle, is_alive) = (handle.clone(), Rc::downgrade(&is_alive));
                spawn_local(async move {
                    let map = match WorldMap::open(element, move || on_tile_error.emit(()), move || on_moved.emit(()))
                        .await
                    {
                        // The page was left while Leaflet was loading: the map goes at once.
                        Ok(_) if is_alive.upgrade().is_none() => return,
                        Ok(map) => map,
                        Err(error) => return trouble.set(Some(error.to_string())),
                    };
                    handle.map.replace(Some(map));
                    is_ready.set(true);
                    on_ready.emit(());
                    let outlines = outlines_file::fetch().await.unwrap_or_else(|error| {
                        trouble.set(Some(error.to_string()));
                        Outlines::default()
                    });
                    if handle.with(|map| map.set_outlines(outlines)).is_some() {
                        on_ready.emit(());
                    }
                });
            }
            move || {
                drop((watch, is_alive));
                handle.map.replace(None);
            }
        });
    }
    use_effect_with((*is_ready, props.tiles.clone()), {
        let handle = props.handle.clone();
        move |(_, tiles)| {
            if let Some(map) = handle.map.borrow_mut().as_mut() {
                map.set_tiles(tiles.as_ref());
            }
        }
    });
    use_effect_with((*is_ready, props.sights.clone()), {
        let handle = props.handle.clone();
        move |(_, sights)| {
            if let Some(map) = handle.map.borrow_mut().as_mut() {
                map.show(sights);
            }
        }
    });
    html! {
        <>
            <div class="map" ref={element} role="region" tabindex="0" aria-label={&props.label} data-ready={is_ready.to_string()}></div>
            if let Some(trouble) = &*trouble {
                <p class="map-trouble notice notice-broken" role="alert">{ trouble }</p>
            }
        </>
    }
}
