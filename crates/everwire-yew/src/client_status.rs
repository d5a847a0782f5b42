//! How the connection of a client is.

use std::rc::Rc;

use everwire::client::ClientState;
use everwire::{Client, State};
use yew::prelude::*;

use crate::client::read;
use crate::live::{Connection, Live};
use crate::offline::use_offline;
use crate::reader::{Change, Incoming, Watch};
use crate::status::Known;
use crate::{ConnectionStatus, WasOpen};

/// How the connection of the client of the [`ClientProvider`](crate::ClientProvider) around the component is, for a
/// [`ConnectionBadge`](crate::ConnectionBadge) for example. The component renders again when it changes.
///
/// The connection is open once the server has welcomed the client. Where there is no client, the status is
/// [idle](ConnectionStatus::is_idle).
///
/// ```
/// use everwire_yew::{ClientProvider, ConnectionBadge, use_client, use_client_status};
/// use yew::prelude::*;
///
/// #[component]
/// fn App() -> Html {
///     let client = use_client("wss://chat.example/everwire");
///     html! { <ClientProvider context={client}><Head /></ClientProvider> }
/// }
///
/// #[component]
/// fn Head() -> Html {
///     let status = use_client_status();
///     html! {
///         <header>
///             <ConnectionBadge status={status.clone()} />
///             if let Some(trouble) = status.trouble() { <p>{ trouble }</p> }
///         </header>
///     }
/// }
/// ```
#[hook]
pub fn use_client_status() -> ConnectionStatus {
    let client = use_context::<Option<Client>>();
    use_client_status_of(client.flatten())
}

/// How the connection of this client is, as [`use_client_status`] returns it for the one of a provider.
///
/// Why the connection is down is known from what happens while the component lives: a component that is to show it must be there when
/// it happens. The status keeps the client connected until the component is gone or is given another one.
///
/// ```
/// use everwire::Client;
/// use everwire_yew::{ClientProvider, ConnectionBadge, use_client, use_client_status_of};
/// use yew::prelude::*;
///
/// /// The pages change; the badge above them sees all that happens.
/// #[component]
/// fn App() -> Html {
///     let client = use_client("wss://chat.example/everwire");
///     let status = use_client_status_of(client.clone());
///     html! {
///         <ClientProvider context={client}>
///             <ConnectionBadge {status} />
///         </ClientProvider>
///     }
/// }
/// ```
#[hook]
pub fn use_client_status_of(client: Option<Client>) -> ConnectionStatus {
    let live = use_memo((), |()| Live::default());
    let status = {
        let live = Rc::clone(&live);
        // Before the first effect the connection is not watched, and it is on its way nevertheless.
        let state = if client.is_some() { State::Connecting } else { State::Closed };
        use_reducer_eq(move || Known(ConnectionStatus::new(state, live)))
    };
    let dispatcher = status.dispatcher();
    use_effect_with(client, move |client| {
        live.replace(client.clone().map(Connection::Client));
        dispatcher.dispatch((live.state().unwrap_or(State::Closed), Change::Gone));
        let end = client.as_ref().map(|client| {
            let state = dispatcher.clone();
            let mut watch = Watch::start(&live, was_open(client), move |at, change| state.dispatch((at, change)));
            // What was measured while no connection is open is of an earlier one.
            if let (ClientState::Attached, Some(round_trip)) = (client.state(), client.stats().latency.last) {
                live.measured(round_trip);
            }
            read(client.events(), move |event| watch.take(event.news()))
        });
        move || {
            end.into_iter().for_each(|end| end());
            live.set_look(None);
            live.replace(None);
        }
    });
    status.0.shown(None, use_offline())
}

fn was_open(client: &Client) -> WasOpen {
    match client.state() {
        ClientState::Attached => WasOpen::UntilNow,
        _ if client.session().is_some() => WasOpen::Earlier,
        _ => WasOpen::Never,
    }
}
