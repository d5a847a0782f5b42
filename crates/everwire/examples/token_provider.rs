//! Connects with a token that expires: the provider returns a URL with a fresh token for each attempt.
//!
//! ```sh
//! cargo run -p everwire-companion &
//! cargo run -p everwire --example token_provider
//! ```

mod common;

use std::error::Error;

use everwire::{Event, Socket};
use futures_util::StreamExt;

/// In an application, a request to the server that issues tokens. An error is a failed attempt, which is retried.
async fn fetch_token(attempt: u32) -> Result<String, String> {
    Ok(format!("token-{attempt}"))
}

pub(crate) async fn run(url: String) -> Result<(), Box<dyn Error>> {
    let provide = move |attempt: everwire::Attempt| {
        let url = url.clone();
        async move {
            let token = fetch_token(attempt.failures).await?;
            Ok::<_, String>(format!("{url}?token={token}"))
        }
    };
    let mut socket = Socket::builder_with_url_provider(provide).open()?;
    while let Some(event) = socket.next().await {
        match event {
            Event::Opened(_) => {
                common::print("connected"); // the URL would print the token
                socket.close();
            }
            Event::Dropped(dropped) => common::print(&dropped.cause.to_string()),
            _ => {}
        }
    }
    Ok(())
}

fn main() {
    common::start("ws://127.0.0.1:9001/echo", run);
}
