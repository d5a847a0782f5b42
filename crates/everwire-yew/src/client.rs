//! A client of an Everwire server in components: its channels, their members, and its status.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use everwire::client::{ChannelMessage, ClientState, Gap, Member, Publishing, SubscribeOptions, SubscriptionError};
use everwire::{Channel, Client, Delivery, State};
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use yew::platform::spawn_local;
use yew::prelude::*;

use crate::connection::{Connection, ReasonChange, SharedConnection, StatusObserver, StatusSource};
use crate::status::{StatusReducer, use_offline};
use crate::{ConnectionStatus, WasOpen};

/// How many of the latest messages of a channel with history are shown.
const SHOWN: usize = 100;

/// Provides a client to the components within it, for [`use_channel`], [`use_presence`] and [`use_client_state`]: `<ClientProvider context={client}>`.
pub type ClientProvider = ContextProvider<Option<Client>>;

/// A client of the Everwire server at this URL that lives as long as the component. It connects after the first render, and again when
/// the URL changes; `None` before, and for an invalid URL.
#[hook]
pub fn use_client(url: impl Into<AttrValue>) -> Option<Client> {
    let client = use_state(|| None);
    let setter = client.setter();
    use_effect_with(url.into(), move |url| setter.set(Client::connect(url.as_str()).ok()));
    (*client).clone()
}

/// The state of the client of the [`ClientProvider`] around the component, which renders again when it changes. `None` where there is
/// no client.
///
/// ```
/// use everwire::client::ClientState;
/// use everwire_yew::use_client_state;
/// use yew::prelude::*;
///
/// #[component]
/// fn Connection() -> Html {
///     match use_client_state() {
///         Some(ClientState::Attached) => html! {},
///         Some(ClientState::Closed) => html! { <p>{ "Reload the page to connect again." }</p> },
///         _ => html! { <p>{ "Connecting …" }</p> },
///     }
/// }
/// ```
#[hook]
pub fn use_client_state() -> Option<ClientState> {
    let client = use_context::<Option<Client>>().flatten();
    let update = use_force_update();
    use_effect_with(client.clone(), move |client| {
        let end = client.as_ref().map(|client| read(client.events(), move |_| update.force_update()));
        move || end.into_iter().for_each(|end| end())
    });
    client.map(|client| client.state())
}

/// The messages of a channel, of the client of the [`ClientProvider`] around the component: of a channel with history the latest
/// hundred, of a state channel the latest of each key. The component renders again when they change.
///
/// Several components may use the same channel: they share one subscription on the server, and each shows all of it.
///
/// ```
/// use everwire::Channel;
/// use everwire_yew::{ClientProvider, use_channel, use_client};
/// use serde::{Deserialize, Serialize};
/// use yew::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// struct ChatMessage { text: String }
///
/// const CHAT: Channel<ChatMessage> = Channel::new("chat");
///
/// #[component]
/// fn App() -> Html {
///     let client = use_client("wss://chat.example/everwire");
///     html! { <ClientProvider context={client}><Chat /></ClientProvider> }
/// }
///
/// #[component]
/// fn Chat() -> Html {
///     let chat = use_channel(&CHAT);
///     let wave = {
///         let chat = chat.clone();
///         Callback::from(move |_| drop(chat.publish(&ChatMessage { text: "hello".into() })))
///     };
///     html! {
///         <>
///             <ul>{ for chat.messages().iter().map(|message| html! { <li>{ &message.value.text }</li> }) }</ul>
///             <button onclick={wave}>{ "Wave" }</button>
///         </>
///     }
/// }
/// ```
#[hook]
pub fn use_channel<T: DeserializeOwned + 'static>(channel: &Channel<T>) -> UseChannel<T> {
    let source = Source { client: use_context::<Option<Client>>().flatten(), channel: channel.clone() };
    let shown = use_state(|| None);
    let setter = shown.setter();
    use_effect_with(source.clone(), move |source| {
        let source = source.clone();
        let end = source.client.clone().map(|client| {
            let options = SubscribeOptions::default();
            let is_state = source.channel.is_state();
            let options = if is_state { options.state() } else { options.last(SHOWN as u64) };
            let mut view = ChannelView::default();
            read(client.subscribe_with(&source.channel, &options), move |delivery| {
                view.apply(delivery, is_state);
                setter.set(Some((source.clone(), view.clone())));
            })
        });
        move || end.into_iter().for_each(|end| end())
    });
    let view = received_from(&shown, &source);
    UseChannel { client: source.client, channel: source.channel, view }
}

/// Who is present in a channel, the client of the [`ClientProvider`] included, while the component lives. It renders again when they
/// change.
#[hook]
pub fn use_presence<T: 'static>(channel: &Channel<T>) -> Rc<[Member]> {
    let source = Source { client: use_context::<Option<Client>>().flatten(), channel: channel.clone() };
    let shown = use_state(|| None);
    let setter = shown.setter();
    use_effect_with(source.clone(), move |source| {
        let source = source.clone();
        let presence = source.client.as_ref().map(|client| client.presence(&source.channel));
        let end = presence.map(|presence| {
            read(presence, move |members| setter.set(Some((source.clone(), Rc::<[Member]>::from(members)))))
        });
        move || end.into_iter().for_each(|end| end())
    });
    received_from(&shown, &source)
}

/// The client and channel that a hook reads.
struct Source<T> {
    client: Option<Client>,
    channel: Channel<T>,
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), channel: self.channel.clone() }
    }
}

impl<T> PartialEq for Source<T> {
    fn eq(&self, other: &Self) -> bool {
        self.client == other.client && self.channel == other.channel
    }
}

/// The data if it came from this source: the first render with another channel or client must not show that of the previous one.
fn received_from<T, V: Clone + Default>(shown: &Option<(Source<T>, V)>, source: &Source<T>) -> V {
    shown.as_ref().filter(|(other, _)| other == source).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// A channel as [`use_channel`] shows it in a render.
#[derive(Debug)]
pub struct UseChannel<T> {
    client: Option<Client>,
    channel: Channel<T>,
    view: ChannelView<T>,
}

impl<T> UseChannel<T> {
    /// The channel.
    pub fn channel(&self) -> &Channel<T> {
        &self.channel
    }

    /// The messages, oldest first.
    pub fn messages(&self) -> &[Rc<ChannelMessage<T>>] {
        &self.view.messages
    }

    /// Whether everything published earlier has arrived.
    pub fn has_caught_up(&self) -> bool {
        self.view.has_caught_up
    }

    /// The latest gap, if there was one: messages may be missing from those shown.
    pub fn gap(&self) -> Option<Gap> {
        self.view.gap
    }

    /// Why the subscription ended, if it did.
    pub fn error(&self) -> Option<&SubscriptionError> {
        self.view.error.as_ref()
    }
}

impl<T: Serialize> UseChannel<T> {
    /// Publishes a value, which also comes back as a message. `None` where there is no client. Dropping the future withdraws nothing.
    pub fn publish(&self, value: &T) -> Option<Publishing> {
        Some(self.client.as_ref()?.publish(&self.channel, value))
    }
}

impl<T> Clone for UseChannel<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), channel: self.channel.clone(), view: self.view.clone() }
    }
}

impl<T> PartialEq for UseChannel<T> {
    /// Whether both show the same messages of the same client.
    fn eq(&self, other: &Self) -> bool {
        self.client == other.client && self.channel == other.channel && self.view == other.view
    }
}

/// The messages and state of a channel that are shown.
#[derive(Debug)]
struct ChannelView<T> {
    messages: Rc<Vec<Rc<ChannelMessage<T>>>>,
    has_caught_up: bool,
    gap: Option<Gap>,
    error: Option<SubscriptionError>,
}

impl<T> ChannelView<T> {
    fn apply(&mut self, delivery: Delivery<T>, is_state: bool) {
        match delivery {
            Delivery::Message(message) => {
                let messages = Rc::make_mut(&mut self.messages);
                // The latest of a key takes the place of the one before.
                match messages.iter_mut().find(|other| is_state && other.key == message.key) {
                    Some(place) => *place = Rc::new(message),
                    None => messages.push(Rc::new(message)),
                }
                if messages.len() > SHOWN && !is_state {
                    messages.remove(0);
                }
            }
            Delivery::Removed(removed) if is_state => {
                Rc::make_mut(&mut self.messages).retain(|message| message.key.as_ref() != Some(&removed.key));
            }
            Delivery::Gap(gap) => self.gap = Some(gap),
            Delivery::CaughtUp => self.has_caught_up = true,
            Delivery::Ended(error) => self.error = Some(error),
            _ => {}
        }
    }
}

impl<T> Default for ChannelView<T> {
    fn default() -> Self {
        Self { messages: Rc::default(), has_caught_up: false, gap: None, error: None }
    }
}

impl<T> Clone for ChannelView<T> {
    fn clone(&self) -> Self {
        Self {
            messages: Rc::clone(&self.messages),
            has_caught_up: self.has_caught_up,
            gap: self.gap,
            error: self.error.clone(),
        }
    }
}

impl<T> PartialEq for ChannelView<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.messages, &other.messages)
            && (self.has_caught_up, self.gap, &self.error) == (other.has_caught_up, other.gap, &other.error)
    }
}

/// Reads a stream in the background. The returned function drops it at once: this or another component may subscribe to the same
/// channel next.
fn read<S: Stream + Unpin + 'static>(stream: S, mut take: impl FnMut(S::Item) + 'static) -> impl FnOnce() + 'static {
    let stream = Rc::new(RefCell::new(Some(stream)));
    let reading = Rc::clone(&stream);
    spawn_local(async move {
        let next = || {
            poll_fn(|context| match reading.borrow_mut().as_mut() {
                Some(stream) => Pin::new(stream).poll_next(context),
                None => Poll::Ready(None),
            })
        };
        while let Some(item) = next().await {
            take(item);
        }
    });
    move || drop(stream.take())
}

/// The status of the connection of the client of the [`ClientProvider`] around the component, for a
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

/// The status of this client's connection, as [`use_client_status`] returns it for the client of a provider.
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
    let connection = use_memo((), |()| SharedConnection::default());
    let status = {
        let connection = Rc::clone(&connection);
        // Before the first effect nothing observes the connection, but the client is connecting.
        let state = if client.is_some() { State::Connecting } else { State::Closed };
        use_reducer_eq(move || StatusReducer(ConnectionStatus::new(state, connection)))
    };
    let dispatcher = status.dispatcher();
    use_effect_with(client, move |client| {
        connection.replace(client.clone().map(Connection::Client));
        dispatcher.dispatch((connection.state().unwrap_or(State::Closed), ReasonChange::Clear));
        let end = client.as_ref().map(|client| {
            let state = dispatcher.clone();
            let mut observer =
                StatusObserver::start(&connection, was_open(client), move |at, change| state.dispatch((at, change)));
            // While no connection is open, the latest sample is from an earlier one.
            if let (ClientState::Attached, Some(round_trip)) = (client.state(), client.stats().latency.last) {
                connection.record_round_trip(round_trip);
            }
            read(client.events(), move |event| observer.update(event.status_update()))
        });
        move || {
            end.into_iter().for_each(|end| end());
            connection.set_refresh(None);
            connection.replace(None);
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
