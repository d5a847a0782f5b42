//! The application's client: one connection with the channels of all pages.

use std::convert::Infallible;

use everwire::client::{ClientError, ClientEvent};
use everwire::{Cause, Client, Dropped, OpenError};
use everwire_yew::{ClientProvider, ConnectionStatus, use_client_status_of};
use futures_util::StreamExt;
use gloo_timers::future::TimeoutFuture;
use yew::prelude::*;

use crate::job::{Job, here};
use crate::line::{CHANNELS, LOOK_EVERY, Line, backoff, use_line};
use crate::visitor;

/// Milliseconds until a client that is over is replaced.
const REPLACE_AFTER: u32 = 3_000;
/// The close code of a connection whose credentials are wrong or expired.
const UNAUTHORIZED: u16 = 3000;

/// The connection of the application's client, as the head of a page shows it.
#[derive(Clone, PartialEq)]
struct Shared {
    line: Line,
    status: ConnectionStatus,
    /// Connects the client, if it is not yet.
    connect: Callback<()>,
}

#[derive(Properties, PartialEq)]
pub(crate) struct AppClientProps {
    pub(crate) children: Html,
}

/// Gives the pages a client of the server that the visitor chose. It is connected when the first page that calls
/// [`use_client_line`] is shown, and stays connected when another page follows; another server makes another client.
#[component]
pub(crate) fn AppClient(props: &AppClientProps) -> Html {
    let line = use_line(CHANNELS);
    let is_wanted = use_state_eq(|| false);
    // Another number makes another client of the same server.
    let replacements = use_state_eq(|| 0_u32);
    let client = use_state(|| None::<Client>);
    // Watched here, so that a page that follows knows why the connection is down.
    let status = use_client_status_of((*client).clone());
    let connect = {
        let is_wanted = is_wanted.setter();
        use_callback((), move |(), ()| is_wanted.set(true))
    };
    {
        let (client, line) = (client.setter(), line.clone());
        use_effect_with((*is_wanted, line.key(), *replacements), move |(is_wanted, ..)| {
            if *is_wanted {
                client.set(build(&line).ok());
            }
        });
    }
    {
        let (replace, next) = (replacements.setter(), *replacements + 1);
        use_effect_with((*client).clone(), move |client| {
            // The next attempt fetches a token with the new name.
            let renamed = client.clone().map(|client| visitor::on_rename(move |_| client.reconnect()));
            let refused = client.clone().map(|client| Job::start(renew(client, move || replace.set(next))));
            move || drop((renamed, refused))
        });
    }
    let shared = Shared { line, status, connect };
    html! {
        <ClientProvider context={(*client).clone()}>
            <ContextProvider<Shared> context={shared}>{ props.children.clone() }</ContextProvider<Shared>>
        </ClientProvider>
    }
}

/// The connection of the application's client, for the head of a page that uses it. It connects the client.
#[hook]
pub(crate) fn use_client_line() -> (Line, ConnectionStatus) {
    // The whole application is within the provider.
    let Shared { line, status, connect } = use_context().expect("an AppClient around the page");
    use_effect_with((), move |()| connect.emit(()));
    (line, status)
}

/// Connects with another token where the server refuses this one, as a server does that was started again with another key, and replaces
/// a client that is over: refused for good, or sent garbage over and over.
async fn renew(client: Client, replace: impl FnOnce()) {
    let mut events = client.events();
    while let Some(event) = events.next().await {
        match event {
            ClientEvent::Dropped(Dropped { cause: Cause::Closed { code: UNAUTHORIZED, .. }, .. }) => {
                visitor::distrust_token();
                client.reconnect();
            }
            ClientEvent::Closed(ClientError::Refused { .. }) => {
                TimeoutFuture::new(REPLACE_AFTER).await;
                return replace();
            }
            _ => {}
        }
    }
}

fn build(line: &Line) -> Result<Client, OpenError> {
    let (address, server) = (line.address_provider(), line.server().clone());
    Client::builder_with_url_provider(move |_| address())
        .socket(|socket| socket.backoff(backoff()))
        .credentials_provider(move |_| {
            let token = here(visitor::token(server.clone()));
            // Without a token the visitor is anonymous.
            async move { Ok::<_, Infallible>(token.await.flatten().unwrap_or_default()) }
        })
        .ping_every(LOOK_EVERY)
        .connect()
}
