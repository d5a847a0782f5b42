//! A chat room for clients of `everwire.v1`, and a terminal that takes part:
//! `cargo run -p everwire-server --features channels --example chat_server`
//!
//! What is typed here is published, and what clients publish is printed. A client that loses its connection misses nothing: it resumes
//! its session at <ws://127.0.0.1:3000/everwire>.

use std::time::Duration;

use axum::Router;
use everwire_server::channels::{Action, Authentication, Authorize, Denied, Identity, LocalDelivery};
use everwire_server::{Channel, Everwire, Server, ServerConfig, StopSignal};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

/// A line of the chat. Clients declare the same.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) from: String,
    pub(crate) text: String,
}

pub(crate) const CHAT: Channel<Line> = Channel::new("chat");

/// Every client that gives a name may take part in the chat.
struct Rules;

impl Authorize for Rules {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        let name = request.credentials().and_then(|name| name.as_text()).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Denied::new("say your name"))?.to_owned();
        Ok(Identity::user(name.clone()).with_presence(name))
    }

    fn allows(&self, _: &Identity, action: Action<'_>) -> bool {
        match action {
            Action::Subscribe(channel) | Action::Publish(channel) | Action::Presence(channel) => channel == CHAT.name(),
            Action::Request(name) => name == "members",
            _ => false,
        }
    }
}

pub(crate) fn app() -> (Everwire, Router) {
    let day = Duration::from_secs(86_400);
    let everwire = Everwire::builder()
        .authorize(Rules)
        .channel(&CHAT, |options| options.retention = options.retention.with_age(day))
        .build();
    let members = everwire.clone();
    everwire.on_request("members", move |_, (): ()| {
        let count = members.presence(&CHAT).len();
        async move { Ok(count) }
    });
    let app = Router::new().merge(everwire.router()).merge(everwire.probes());
    (everwire, app)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ((everwire, app), mut stop) = (app(), StopSignal::listen()?);
    let server = Server::bind(&everwire, ServerConfig::new(([127, 0, 0, 1], 3000))).await?;
    let mut chat = everwire.subscribe(&CHAT).await?;
    tokio::spawn(async move {
        while let Some(delivery) = chat.next().await {
            if let LocalDelivery::Message { message: Some(Line { from, text }), .. } = delivery {
                println!("{from}: {text}");
            }
        }
    });
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdin()).lines();
        while let Ok(Some(text)) = lines.next_line().await {
            if let Err(error) = everwire.publish(&CHAT, &Line { from: "server".to_owned(), text }).await {
                eprintln!("{error}");
            }
        }
    });
    println!("The chat is at ws://127.0.0.1:3000/everwire. Type, or press Ctrl+C.");
    server.run_until(app, async move { stop.received().await }).await;
    Ok(())
}
