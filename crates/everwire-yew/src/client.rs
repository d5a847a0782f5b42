//! Channels of an Everwire server in components.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use everwire::client::{ChannelMessage, ClientState, Gap, Member, Publishing, SubscribeOptions, SubscriptionError};
use everwire::{Channel, Client, Delivery};
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use yew::platform::spawn_local;
use yew::prelude::*;

/// How many messages of a channel with history are shown, the latest.
const SHOWN: usize = 100;

/// Gives the components within it a client, for [`use_channel`], [`use_presence`] and [`use_client_state`]: `<ClientProvider context={client}>`.
pub type ClientProvider = ContextProvider<Option<Client>>;

/// A client of the Everwire server at this URL, that lives as long as the component. It is connected after the first render, and
/// again when the URL changes; `None` before, and for a URL that is not valid.
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
/// struct Line { text: String }
///
/// const CHAT: Channel<Line> = Channel::new("chat");
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
///         Callback::from(move |_| drop(chat.publish(&Line { text: "hello".into() })))
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
            let mut view = View::default();
            read(client.subscribe_with(&source.channel, &options), move |delivery| {
                view.take(delivery, is_state);
                setter.set(Some((source.clone(), view.clone())));
            })
        });
        move || end.into_iter().for_each(|end| end())
    });
    let view = of_source(&shown, &source);
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
    of_source(&shown, &source)
}

/// Where what a hook shows comes from.
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

/// What was received from this source. The first render with another channel or client has nothing yet, and not what was before.
fn of_source<T, V: Clone + Default>(shown: &Option<(Source<T>, V)>, source: &Source<T>) -> V {
    shown.as_ref().filter(|(other, _)| other == source).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// A channel as [`use_channel`] shows it in a render.
#[derive(Debug)]
pub struct UseChannel<T> {
    client: Option<Client>,
    channel: Channel<T>,
    view: View<T>,
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

    /// Whether all that was published before has arrived.
    pub fn has_caught_up(&self) -> bool {
        self.view.has_caught_up
    }

    /// The latest messages that will not come, if there are any: what the page shows may have a hole.
    pub fn gap(&self) -> Option<Gap> {
        self.view.gap
    }

    /// Why the channel is not subscribed any more.
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

/// What is shown of a channel.
#[derive(Debug)]
struct View<T> {
    messages: Rc<Vec<Rc<ChannelMessage<T>>>>,
    has_caught_up: bool,
    gap: Option<Gap>,
    error: Option<SubscriptionError>,
}

impl<T> View<T> {
    fn take(&mut self, delivery: Delivery<T>, is_state: bool) {
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

impl<T> Default for View<T> {
    fn default() -> Self {
        Self { messages: Rc::default(), has_caught_up: false, gap: None, error: None }
    }
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        Self {
            messages: Rc::clone(&self.messages),
            has_caught_up: self.has_caught_up,
            gap: self.gap,
            error: self.error.clone(),
        }
    }
}

impl<T> PartialEq for View<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.messages, &other.messages)
            && (self.has_caught_up, self.gap, &self.error) == (other.has_caught_up, other.gap, &other.error)
    }
}

/// Reads a stream in the background. What it returns ends that at once: the component, or another one, may subscribe to the same
/// channel next.
pub(crate) fn read<S: Stream + Unpin + 'static>(
    stream: S,
    mut take: impl FnMut(S::Item) + 'static,
) -> impl FnOnce() + 'static {
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
