//! Connects the state of the chat with the client and the page that is shown: that of the chat, or one that shows a room of it.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use everwire::client::{Cursor, PublishOptions, RequestError, SubscribeOptions};
use everwire::{Channel, Client, Delivery};
use everwire_companion_api::chat::{
    Author, HISTORY, HistoryPage, HistoryRequest, Message, Typing, channel_name, typing_channel_name,
};
use gloo_events::EventListener;
use gloo_render::{AnimationFrame, request_animation_frame};
use gloo_timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;
use web_sys::window;
use yew::functional::UseForceUpdateHandle;

use super::announce::Announcer;
use super::room::{Arrival, Loading, Look, Room};
use super::rooms::{BadRoom, Rooms};
use super::text::Length;
use super::typing::OF_USE;
use crate::job::Job;
use crate::now::now;
use crate::subscription::read;
use crate::{secret, storage, visitor};

/// Where the rooms are kept for the next visit.
const KEPT: &str = "chat.rooms";
/// How many messages a room starts with.
const FIRST: u64 = 50;
/// How many messages a page of history has.
const PAGE: u32 = 50;
/// How long a message may wait to be sent: after that, its author decides whether it is still of use.
const TIME_TO_LIVE: Duration = Duration::from_secs(10 * 60);

thread_local! {
    /// As long as the application lives: what was written goes on while another page is shown.
    static SHARED: Controller = Controller(Rc::new(Inner::new()));
}

/// The chat. Clones share it.
#[derive(Clone)]
pub(in crate::pages) struct Controller(Rc<Inner>);

struct Inner {
    rooms: RefCell<Rooms>,
    /// The client of the page that is shown.
    client: RefCell<Option<Client>>,
    /// The server that the rooms are of.
    server: RefCell<Option<String>>,
    /// The subscriptions of the page that is shown, by their channels.
    jobs: RefCell<HashMap<String, Job>>,
    /// What is on its way to the server, by the ids of the messages. Each holds its client.
    sending: RefCell<HashMap<String, Job>>,
    announcer: RefCell<Announcer>,
    announcement: RefCell<String>,
    /// Draws the page that is shown.
    page: RefCell<Option<UseForceUpdateHandle>>,
    /// Notices whether the page of the chat is seen, while it is shown.
    visibility: RefCell<Option<EventListener>>,
    frame: RefCell<Option<AnimationFrame>>,
    typing_ends: RefCell<Option<Timeout>>,
    speaks: RefCell<Option<Timeout>>,
    /// Whether the end of the room is seen, if the page is.
    is_at_end: Cell<bool>,
    /// Whether the log has to go to its end, whatever is seen of it.
    is_called_to_end: Cell<bool>,
}

impl Inner {
    fn new() -> Self {
        Self {
            rooms: RefCell::new(Rooms::new(storage::read(KEPT).as_deref())),
            client: RefCell::default(),
            server: RefCell::default(),
            jobs: RefCell::default(),
            sending: RefCell::default(),
            announcer: RefCell::default(),
            announcement: RefCell::default(),
            page: RefCell::default(),
            visibility: RefCell::default(),
            frame: RefCell::default(),
            typing_ends: RefCell::default(),
            speaks: RefCell::default(),
            is_at_end: Cell::new(true),
            is_called_to_end: Cell::new(false),
        }
    }
}

// The page.

impl Controller {
    pub(in crate::pages) fn shared() -> Self {
        SHARED.with(Self::clone)
    }

    /// The page of the chat is shown, with this client of this server. Its rooms go on where they were.
    pub(super) fn show(&self, client: Option<Client>, server: &str, draw: UseForceUpdateHandle) {
        let document = window().and_then(|window| window.document());
        let visibility = document.map(|document| {
            let controller = self.clone();
            EventListener::new(&document, "visibilitychange", move |_| controller.looked())
        });
        self.0.visibility.replace(visibility);
        self.attach(client, server, draw);
        self.subscribe_all();
        self.called_to_end();
        self.draw();
    }

    /// A page is shown on which the visitor writes to a room, and reads it by a subscription of its own.
    pub(in crate::pages) fn attach(&self, client: Option<Client>, server: &str, draw: UseForceUpdateHandle) {
        self.0.page.replace(Some(draw));
        self.0.client.replace(client);
        let before = self.0.server.replace(Some(server.to_owned()));
        if before.is_some_and(|before| before != server) {
            // The client of the server before ends with the last that holds it.
            self.0.sending.borrow_mut().clear();
            self.0.rooms.borrow_mut().begin_again();
        }
    }

    /// The page is not shown any more. What was written is sent nevertheless.
    pub(in crate::pages) fn hide(&self) {
        self.remember();
        self.0.jobs.borrow_mut().clear();
        self.0.client.take();
        self.0.page.take();
        self.0.visibility.take();
        self.0.frame.take();
        self.0.typing_ends.take();
        self.0.speaks.take();
        self.0.announcement.take();
    }

    pub(in crate::pages) fn rooms(&self) -> Ref<'_, Rooms> {
        self.0.rooms.borrow()
    }

    pub(super) fn client(&self) -> Option<Client> {
        self.0.client.borrow().clone()
    }

    pub(super) fn announcement(&self) -> String {
        self.0.announcement.borrow().clone()
    }

    /// By which id others know the visitor: the user's, or the session's where the server gave no token.
    pub(super) fn me(&self) -> Option<String> {
        visitor::user().or_else(|| self.client()?.session())
    }

    /// Draws the page in the next frame, however often it has changed until then.
    pub(super) fn draw(&self) {
        let mut frame = self.0.frame.borrow_mut();
        if frame.is_none() && self.0.page.borrow().is_some() {
            let inner = Rc::downgrade(&self.0);
            *frame = Some(request_animation_frame(move |_| {
                if let Some(inner) = inner.upgrade() {
                    inner.frame.take();
                    if let Some(page) = inner.page.borrow().as_ref() {
                        page.force_update();
                    }
                }
            }));
        }
    }

    /// The log was scrolled, or the page became visible.
    pub(super) fn set_at_end(&self, is_at_end: bool) {
        if self.0.is_at_end.replace(is_at_end) != is_at_end {
            self.looked();
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_at_end.get()
    }

    /// Has the log go to its end.
    pub(super) fn call_to_end(&self) {
        self.called_to_end();
        self.looked();
    }

    fn called_to_end(&self) {
        self.0.is_at_end.set(true);
        self.0.is_called_to_end.set(true);
    }

    /// Whether the log has to go to its end, asked for once.
    pub(super) fn take_call_to_end(&self) -> bool {
        self.0.is_called_to_end.replace(false)
    }

    fn looked(&self) {
        if self.is_watched() {
            self.0.rooms.borrow_mut().current_mut().mark_read();
            self.remember();
        }
        self.draw();
    }

    /// Whether the visitor sees what comes into the room that is shown.
    fn is_watched(&self) -> bool {
        self.is_at_end() && self.is_seen()
    }

    fn is_seen(&self) -> bool {
        let is_hidden = window().and_then(|window| window.document()).is_none_or(|document| document.hidden());
        self.0.visibility.borrow().is_some() && !is_hidden
    }

    fn remember(&self) {
        storage::write(KEPT, Some(&self.rooms().remembered()));
    }
}

// The rooms.

impl Controller {
    pub(super) fn select(&self, name: &str) {
        self.0.rooms.borrow_mut().select(name);
        self.called_to_end();
        self.subscribe_all();
        self.looked();
    }

    pub(super) fn add_room(&self, typed: &str) -> Result<(), BadRoom> {
        self.0.rooms.borrow_mut().add(typed)?;
        self.called_to_end();
        self.subscribe_all();
        self.remember();
        self.looked();
        Ok(())
    }

    pub(super) fn leave_room(&self, name: &str) {
        self.0.rooms.borrow_mut().remove(name);
        self.0.jobs.borrow_mut().remove(&channel_name(name));
        self.called_to_end();
        self.subscribe_all();
        self.remember();
        self.looked();
    }

    /// Subscribes to the messages of all rooms, and to the typing notices of the one that is shown.
    fn subscribe_all(&self) {
        let Some(client) = self.client() else { return };
        let rooms = self.rooms();
        let mut jobs = self.0.jobs.borrow_mut();
        for room in rooms.all() {
            let channel = Channel::<Message>::named(channel_name(&room.name));
            jobs.entry(channel.name().to_owned()).or_insert_with(|| {
                let open = {
                    let (controller, name) = (self.clone(), room.name.clone());
                    move |client: &Client| {
                        let cursor = controller.rooms().get(&name).and_then(|room| room.cursor);
                        let options = SubscribeOptions::default();
                        let options = match cursor {
                            Some(cursor) => options.from(cursor),
                            None => options.last(FIRST),
                        };
                        client.subscribe_with(&channel, &options)
                    }
                };
                let (controller, name) = (self.clone(), room.name.clone());
                read(client.clone(), open, move |delivery, position| {
                    if let Some(arrival) = Arrival::of(delivery) {
                        controller.arrived(&name, arrival, position);
                    }
                })
            });
        }
        let current = &rooms.current().name;
        let typing = Channel::<Typing>::named(typing_channel_name(current));
        jobs.retain(|channel, _| !channel.ends_with("/typing") || channel == typing.name());
        jobs.entry(typing.name().to_owned()).or_insert_with(|| {
            let open = move |client: &Client| client.subscribe_with(&typing, &SubscribeOptions::default().live());
            let (controller, name) = (self.clone(), current.clone());
            read(client, open, move |delivery, _| {
                if let Delivery::Message(notice) = delivery {
                    controller.noticed(&name, notice.value.author);
                }
            })
        });
    }

    fn change<R>(&self, name: &str, change: impl FnOnce(&mut Room) -> R) -> Option<R> {
        let result = self.0.rooms.borrow_mut().get_mut(name).map(change);
        self.draw();
        result
    }

    fn arrived(&self, name: &str, arrival: Arrival, position: Option<Cursor>) {
        let me = self.me().unwrap_or_default();
        let is_current = self.rooms().current().name == name;
        let is_watched = is_current && self.is_watched();
        let news = self.change(name, |room| room.take(arrival, position, &me, is_watched)).flatten();
        if let Some(message) = news.as_ref().and_then(|entry| entry.message()).filter(|_| is_current && self.is_seen())
        {
            self.0.announcer.borrow_mut().hear(&message.author.name, &message.text);
            self.speak();
        }
    }

    fn noticed(&self, name: &str, author: Author) {
        if self.me().as_ref() != Some(&author.id) {
            self.change(name, |room| room.typists.notice(author, now()));
            self.end_typing();
        }
    }

    /// Draws the page when the next typing notice ends.
    fn end_typing(&self) {
        let next = {
            let mut rooms = self.0.rooms.borrow_mut();
            let typists = &mut rooms.current_mut().typists;
            typists.expire(now());
            typists.next_end(now())
        };
        let timer = next.map(|ms| {
            let controller = self.clone();
            Timeout::new(ms.ceil() as u32, move || controller.end_typing())
        });
        self.0.typing_ends.replace(timer);
        self.draw();
    }

    /// Says what waits to be said, as soon as that is not too often.
    fn speak(&self) {
        let due = self.0.announcer.borrow().due(now());
        let timer = due.map(|ms| {
            let controller = self.clone();
            Timeout::new(ms.ceil() as u32, move || {
                let said = controller.0.announcer.borrow_mut().say(now());
                controller.0.announcement.replace(said.unwrap_or_default());
                controller.draw();
            })
        });
        self.0.speaks.replace(timer);
    }
}

// What the visitor writes.

impl Controller {
    /// Keeps what is typed, and lets the others know.
    pub(super) fn typed(&self, name: &str, draft: String) {
        let is_empty = draft.trim().is_empty();
        let is_due = self.0.rooms.borrow_mut().get_mut(name).is_some_and(|room| {
            room.draft = draft;
            if is_empty {
                room.throttle.rest();
            }
            !is_empty && room.throttle.typed(now())
        });
        let (Some(client), Some(id)) = (self.client().filter(|_| is_due), self.me()) else { return };
        let channel = Channel::<Typing>::named(typing_channel_name(name));
        let notice = Typing { author: Author { id, name: visitor::name() } };
        let options = PublishOptions::default().time_to_live(Duration::from_millis(OF_USE));
        // One that is lost does no harm.
        drop(client.publish_with(&channel, &notice, options));
    }

    /// Sends what is typed. Returns whether it could be.
    pub(in crate::pages) fn send(&self, name: &str, text: &str) -> bool {
        let (Some(id), true) = (self.me(), Length::of(text).can_be_sent()) else { return false };
        let author = Author { id, name: visitor::name() };
        let message = self.change(name, |room| room.write(text, secret::random(), author, now()));
        self.call_to_end();
        if let Some(message) = message {
            self.publish(name, message);
        }
        true
    }

    pub(in crate::pages) fn send_again(&self, name: &str, id: &str) {
        if let Some(message) = self.change(name, |room| room.outgoing.send_again(id, now())).flatten() {
            self.publish(name, message);
        }
    }

    pub(in crate::pages) fn discard(&self, name: &str, id: &str) {
        self.change(name, |room| room.outgoing.remove(id));
    }

    /// Publishes a message. What becomes of it does not depend on the page.
    fn publish(&self, name: &str, message: Message) {
        let Some(client) = self.client() else { return };
        let channel = Channel::<Message>::named(channel_name(name));
        let options = PublishOptions::default().time_to_live(TIME_TO_LIVE);
        let publishing = client.publish_with(&channel, &message, options);
        let (controller, name, id) = (self.clone(), name.to_owned(), message.id.clone());
        let job = Job::start(async move {
            let outcome = publishing.await.map(|published| published.cursor);
            let is_unknown = controller.change(&name, |room| room.published(&message.id, outcome));
            if is_unknown == Some(true) {
                controller.look(&client, &name, &message.id).await;
            }
            controller.0.sending.borrow_mut().remove(&message.id);
        });
        self.0.sending.borrow_mut().insert(id, job);
    }

    /// Looks for a message of unknown fate in the history.
    async fn look(&self, client: &Client, name: &str, id: &str) {
        let mut before = None;
        loop {
            let page = history(client, name, before, everwire_companion_api::chat::PAGE_MESSAGES).await;
            match self.change(name, |room| room.look(id, before, page.ok())) {
                Some(Look::Further(oldest)) => before = Some(oldest),
                Some(Look::Decided) | None => return,
            }
        }
    }
}

// Older messages.

impl Controller {
    /// Requests the next page of history of the room that is shown, if one is missing and none is on its way.
    pub(super) fn load(&self) {
        let Some(client) = self.client() else { return };
        let (name, before) = {
            let mut rooms = self.0.rooms.borrow_mut();
            let room = rooms.current_mut();
            let Some(before) = room.timeline.to_load().filter(|_| room.loading == Loading::Idle) else { return };
            room.loading = Loading::Running;
            (room.name.clone(), before)
        };
        let controller = self.clone();
        spawn_local(async move {
            let page = history(&client, &name, Some(before), PAGE).await;
            controller.change(&name, |room| match page {
                Ok(page) => {
                    room.loading = Loading::Idle;
                    room.take_page(Some(before), page);
                }
                Err(problem) => room.loading = Loading::Failed(problem),
            });
        });
    }

    pub(super) fn load_again(&self) {
        self.0.rooms.borrow_mut().current_mut().loading = Loading::Idle;
        self.load();
        self.draw();
    }
}

/// A page of history, or why there is none. It waits for the connection.
async fn history(client: &Client, room: &str, before: Option<u64>, limit: u32) -> Result<HistoryPage, String> {
    let request = HistoryRequest { room: room.to_owned(), before, limit };
    loop {
        match client.request::<_, HistoryPage>(HISTORY, &request).await {
            // The server was started again meanwhile. To read twice does no harm.
            Err(RequestError::Unknown) => {}
            Err(RequestError::Refused { reason, .. }) if !reason.is_empty() => return Err(reason),
            page => return page.map_err(|error| error.to_string()),
        }
    }
}

impl PartialEq for Controller {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
