//! What the README shows of Rust compiles: each of its blocks is a part of this file, as it is there.

#![cfg(not(target_family = "wasm"))]
#![allow(dead_code, unreachable_pub, reason = "the parts are compiled, and not run")]

const README: &str = include_str!("../../../README.md");

#[rustfmt::skip]
mod clock {
    use everwire::JsonSocket;

    async fn shown() -> Result<(), Box<dyn std::error::Error>> {
        #[derive(serde::Serialize)]
        struct Ask { client_time: f64 }
        #[derive(serde::Deserialize)]
        struct Answer { server_time: f64 }

        let mut socket = JsonSocket::<Ask, Answer>::open("ws://127.0.0.1:9001/clock")?;
        socket.send(&Ask { client_time: 0.0 })?;             // waits in the outbox until the connection is open
        while let Some(answer) = socket.recv().await {       // continues over reconnects
            println!("the server's clock says {}", answer?.server_time);
        }
        Ok(())
    }
}

#[rustfmt::skip]
mod options {
    use std::time::Duration;

    use everwire::{Heartbeat, Message, OutboxLimits, Protocols, Socket, WhenFull};

    async fn fetch_url_with_token() -> Result<String, String> {
        Err("not run".into())
    }

    async fn shown() -> Result<Socket, Box<dyn std::error::Error>> {
        let socket = Socket::builder_with_url_provider(|_attempt| async { fetch_url_with_token().await }) // for each attempt
            .protocols(Protocols::new(["chat.v1"])?)
            .on_open_messages(|_opened| vec![Message::from(r#"{"subscribe":"news"}"#)]) // first on every connection
            .heartbeat(Heartbeat::silence(Duration::from_secs(30)))
            .outbox(OutboxLimits::default().when_full(WhenFull::DropOldest))
            .open()?;
        Ok(socket)
    }
}

#[rustfmt::skip]
mod handler {
    use axum::{Router, extract::State, response::Response};
    use everwire_server::{Endpoint, Everwire, Group, Handler, Membership, Message, Upgrade};

    fn shown() {
        /// Sends every message to everyone.
        struct Chat(Membership<()>);

        impl Handler for Chat {
            fn on_message(&mut self, message: Message) {
                self.0.group().publish(message);
            }
        }

        async fn chat(State(room): State<Group<()>>, upgrade: Upgrade) -> Response {
            upgrade.accept(move |connection| Chat(room.join(connection, |_, _| ["Welcome!".into()])))
        }

        let everwire = Everwire::default();
        let app = Router::new().route("/chat", Endpoint::new(&everwire, "/chat").route(chat)).with_state(Group::new(()));
        drop::<Router>(app);
    }
}

/// Declared once, and shared by server and clients.
#[rustfmt::skip]
mod shared {
    use everwire::Channel;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub struct Line { pub text: String }
    pub const CHAT: Channel<Line> = Channel::new("chat");
}

#[rustfmt::skip]
mod server {
    use axum::Router;
    use everwire_server::{Everwire, broker::Journal, channels::AllowAll};
    use tokio::net::TcpListener;

    use super::shared::{CHAT, Line};

    async fn shown() -> Result<(), Box<dyn std::error::Error>> {
        let wire = Everwire::builder().authorize(AllowAll).broker(Journal::open("data")?).build();
        let app = Router::new().merge(wire.router());
        wire.publish(&CHAT, &Line { text: "The server is up.".into() }).await?;
        axum::serve(TcpListener::bind("127.0.0.1:9002").await?, app).await?;
        Ok(())
    }
}

#[rustfmt::skip]
mod page {
    use everwire_yew::{ClientProvider, use_channel, use_client};
    use yew::prelude::*;

    use super::shared::{CHAT, Line};

    #[component]
    fn Page() -> Html {
        let client = use_client("ws://127.0.0.1:9002/everwire");
        html! { <ClientProvider context={client}><Chat /></ClientProvider> }
    }

    #[component]
    fn Chat() -> Html {
        let chat = use_channel(&CHAT);
        let say = chat.clone();
        let onclick = move |_| drop(say.publish(&Line { text: "hello".into() }));
        html! {
            <>
                <button {onclick}>{ "Say hello" }</button>
                { for chat.messages().iter().map(|message| html! { <p>{ &message.value.text }</p> }) }
            </>
        }
    }
}

#[rustfmt::skip]
mod client {
    use everwire::{Client, Delivery, client::{Gap, SubscribeOptions}};
    use futures_util::StreamExt;

    use super::shared::{CHAT, Line};

    fn reload(_: Gap) {}

    async fn shown(line: Line) -> Result<(), Box<dyn std::error::Error>> {
        let client = Client::connect("wss://example.org/everwire")?;
        let mut chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().last(20));
        client.publish(&CHAT, &line).await?;                  // stored, or its fate says why not
        while let Some(delivery) = chat.next().await {
            match delivery {
                Delivery::Message(message) => println!("{} {}", message.offset(), message.value.text),
                Delivery::Gap(gap) => reload(gap),            // never silence
                _ => {}
            }
        }
        Ok(())
    }
}

/// The lines of a text without their indentation.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn blocks() -> impl Iterator<Item = Vec<&'static str>> {
    README.split("```rust\n").skip(1).map(|rest| lines(rest.split("```").next().unwrap_or_default()))
}

#[test]
fn what_the_readme_shows_compiles() {
    let compiled = lines(include_str!("readme.rs"));
    assert!(blocks().count() > 5);
    for block in blocks() {
        let is_here = compiled.windows(block.len()).any(|part| part == block);
        assert!(is_here, "put this into tests/readme.rs as well:\n{}", block.join("\n"));
    }
}

#[test]
fn a_shared_channel_a_server_and_a_page_take_at_most_25_lines() {
    let is_a_part = |block: &Vec<&str>| {
        ["pub const CHAT", "let wire =", "#[component]"]
            .iter()
            .any(|start| block.iter().any(|line| line.starts_with(start)))
    };
    let parts: Vec<_> = blocks().filter(is_a_part).collect();
    assert_eq!(parts.len(), 3);
    assert!(parts.concat().len() <= 25, "{}", parts.concat().len());
}
