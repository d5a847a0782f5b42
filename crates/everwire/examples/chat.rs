//! A chat in the terminal. The first one brings its server along; every line that is entered is published.
//!
//! ```sh
//! cargo run -p everwire --example chat                                # starts a server on port 9002
//! cargo run -p everwire --example chat -- ws://127.0.0.1:9002/everwire    # in another terminal
//! ```
//!
//! Stop the server and start it again: lines that were entered meanwhile are sent then.

#[cfg(not(target_family = "wasm"))]
mod chat {
    use std::io::BufRead;

    use everwire::{
        Channel, Client, Delivery,
        client::{ClientEvent, SubscribeOptions},
    };
    use everwire_server::{Everwire, channels::AllowAll};
    use futures_util::StreamExt;
    use serde::{Deserialize, Serialize};
    use tokio::{net::TcpListener, sync::mpsc};

    #[derive(Serialize, Deserialize)]
    struct Line {
        text: String,
    }

    /// Declared once, and shared with the server.
    const CHAT: Channel<Line> = Channel::new("chat");

    const ADDRESS: &str = "127.0.0.1:9002";

    #[tokio::main]
    pub(super) async fn run() -> Result<(), Box<dyn std::error::Error>> {
        let url = match std::env::args().nth(1) {
            Some(url) => url,
            None => {
                let listener = TcpListener::bind(ADDRESS).await?;
                let server = Everwire::builder().authorize(AllowAll).build();
                tokio::spawn(async move { axum::serve(listener, server.router::<()>().into_make_service()).await });
                format!("ws://{ADDRESS}/everwire")
            }
        };
        println!("chatting at {url}; end by Ctrl+D");
        let client = Client::builder(url)
            .on_event(|event| {
                if let ClientEvent::Dropped(dropped) = event {
                    println!("({}; next attempt in {:?})", dropped.cause, dropped.retry_in.unwrap_or_default());
                }
            })
            .connect()?;
        let mut chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().last(20));
        let mut room = client.presence(&CHAT);
        let mut entered = entered_lines();
        loop {
            tokio::select! {
                Some(delivery) = chat.next() => match delivery {
                    Delivery::Message(message) if message.is_own => println!("{:>4} you: {}", message.offset(), message.value.text),
                    Delivery::Message(message) => println!("{:>4} {}", message.offset(), message.value.text),
                    Delivery::Gap(gap) => println!("(messages were missed: {})", gap.reason),
                    Delivery::Ended(error) => return Err(error.into()),
                    _ => {}
                },
                Some(members) = room.next() => println!("({} present)", members.len()),
                line = entered.recv() => match line {
                    // The outcome is seen by the own copy. An application that shows lines before they are stored awaits it.
                    Some(text) => drop(client.publish(&CHAT, &Line { text })),
                    None => return Ok(()),
                },
                error = client.closed() => return Err(error.into()),
            }
        }
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
fn main() -> Result<(), Box<dyn std::error::Error>> {
    chat::run()
}

#[cfg(target_family = "wasm")]
fn main() {}
