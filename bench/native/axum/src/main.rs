//! A server with axum as it is commonly written, after axum's own example of a chat: a broadcast channel, a task that
//! sends, and a task that receives; each message is sent by itself. With `--select` it is written in the other common way: one
//! task for each connection, which waits for whatever comes first.
//!
//! It switches Nagle's algorithm off, as Node.js does by itself. With `--nagle` it leaves it on, as axum does: the second
//! of several messages then waits until the client's system acknowledges the first, for up to 40 ms.

use std::env;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

#[tokio::main]
async fn main() -> Result<()> {
    let (everybody, _) = broadcast::channel(100);
    let has = |flag: &str| env::args().any(|argument| argument == flag);
    let (select, nodelay) = (has("--select"), !has("--nagle"));
    let broadcast = move |State(everybody): State<_>, upgrade: WebSocketUpgrade| async move {
        if select {
            upgrade.on_upgrade(|socket| chat_in_one_task(socket, everybody))
        } else {
            upgrade.on_upgrade(|socket| chat(socket, everybody))
        }
    };
    let app = Router::new()
        .route("/broadcast", any(broadcast))
        .route("/echo", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
        .with_state(everybody);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // A socket that is gone already will tell by itself.
    let listener = listener.tap_io(move |stream| drop(stream.set_nodelay(nodelay)));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn chat(socket: WebSocket, everybody: broadcast::Sender<String>) {
    let (mut sender, mut receiver) = socket.split();
    let mut news = everybody.subscribe();
    let mut send = tokio::spawn(async move {
        while let Ok(text) = news.recv().await {
            if sender.send(Message::text(text)).await.is_err() {
                break;
            }
        }
    });
    let mut receive = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = receiver.next().await {
            // Nobody may be left to hear it.
            drop(everybody.send(text.to_string()));
        }
    });
    tokio::select! {
        _ = &mut send => receive.abort(),
        _ = &mut receive => send.abort(),
    }
}

async fn chat_in_one_task(mut socket: WebSocket, everybody: broadcast::Sender<String>) {
    let mut news = everybody.subscribe();
    loop {
        tokio::select! {
            text = news.recv() => {
                let Ok(text) = text else { break };
                if socket.send(Message::text(text)).await.is_err() {
                    break;
                }
            }
            message = socket.recv() => {
                let Some(Ok(Message::Text(text))) = message else { break };
                // Nobody may be left to hear it.
                drop(everybody.send(text.to_string()));
            }
        }
    }
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}
