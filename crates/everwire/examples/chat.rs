//! A chat in the terminal. Run it in several: the first one serves the others.
//!
//! ```sh
//! cargo run -p everwire --example chat
//! cargo run -p everwire --example chat -- wss://example.org/everwire    # or with another server
//! ```
//!
//! Stop the first one and start it again: messages that the others entered meanwhile are then sent, and none is missed, since the server
//! stores them on disk.

#[cfg(not(target_family = "wasm"))]
mod chat {
    use std::{
        error::Error,
        io::{BufRead, ErrorKind},
    };

    use everwire::{
        Channel, Client, Delivery,
        client::{Attachment, ClientEvent, SubscribeOptions},
    };
    use everwire_server::{Everwire, broker::Journal, channels::AllowAll};
    use futures_util::StreamExt;
    use serde::{Deserialize, Serialize};
    use tokio::{net::TcpListener, sync::mpsc};

    #[derive(Serialize, Deserialize)]
    struct ChatMessage {
        text: String,
    }

    /// Declared once, and shared with the server.
    const CHAT: Channel<ChatMessage> = Channel::new("chat");

    const ADDRESS: &str = "127.0.0.1:9002";

    #[tokio::main]
    pub(super) async fn run() -> Result<(), Box<dyn Error>> {
        let url = match std::env::args().nth(1) {
            Some(url) => url,
            None => {
                serve().await?;
                format!("ws://{ADDRESS}/everwire")
            }
        };
        let client = Client::connect(url)?;
        let mut events = client.events();
        let mut chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().last(20));
        let mut room = client.presence(&CHAT);
        let (mut entered, mut latest) = (entered_lines(), None);
        println!("Type a line and press Enter. Ctrl+D ends.");
        loop {
            tokio::select! {
                biased;
                Some(event) = events.next() => match event {
                    ClientEvent::Attached(Attachment::New) => println!("* Connected."),
                    ClientEvent::Attached(_) => println!("* Connected again."),
                    ClientEvent::Dropped(dropped) => match dropped.retry_in {
                        Some(delay) => {
                            let seconds = delay.as_secs_f32();
                            println!("* {}; trying again in {seconds:.1} s. You can go on typing.", dropped.cause);
                        }
                        None => println!("* {}.", dropped.cause),
                    },
                    ClientEvent::Closed(error) => return Err(error.into()),
                    _ => {}
                },
                Some(delivery) = chat.next() => match delivery {
                    Delivery::Message(message) => {
                        let from = match message.by.as_deref() {
                            _ if message.is_own => "you",
                            Some(session) => session.get(..4).unwrap_or(session),
                            None => "server",
                        };
                        println!("{from}: {}", message.value.text);
                    }
                    Delivery::Gap(gap) => println!("* Lines were missed ({}).", gap.reason),
                    Delivery::Ended(error) => return Err(error.into()),
                    _ => {}
                },
                Some(members) = room.next() => println!("* {} here.", members.len()),
                line = entered.recv() => match line {
                    // The message is printed when it comes back, which is when it is stored.
                    Some(text) => latest = Some(client.publish(&CHAT, &ChatMessage { text })),
                    None => break,
                },
            }
        }
        // Publishes are stored in order, so that the last one is enough to await.
        if let Some(latest) = latest {
            latest.await?;
        }
        Ok(())
    }

    /// Starts a server, unless there is one already.
    async fn serve() -> Result<(), Box<dyn Error>> {
        let listener = match TcpListener::bind(ADDRESS).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Ok(()),
            bound => bound?,
        };
        let folder = std::env::temp_dir().join("everwire-chat");
        let server = Everwire::builder().authorize(AllowAll).broker(Journal::open(&folder)?).build();
        tokio::spawn(async move { axum::serve(listener, server.router::<()>()).await });
        println!("* Serving ws://{ADDRESS}/everwire, with the messages in {}.", folder.display());
        Ok(())
    }

    fn entered_lines() -> mpsc::UnboundedReceiver<String> {
        let (sender, receiver) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    if let Err(error) = chat::run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

#[cfg(target_family = "wasm")]
fn main() {}
