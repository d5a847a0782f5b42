//! A server with axum as it is commonly written, after axum's chat example: a broadcast channel, a task that sends, and a task that
//! receives; each message is sent by itself. `--select` is the other common way: one task per connection, which selects over both.
//!
//! It disables Nagle's algorithm, as Node.js does by default. `--nagle` leaves it on, as axum does: the second of several messages then
//! waits until the client's system acknowledges the first, for up to 40 ms.

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
    let (room, _) = broadcast::channel(100);
    let has = |flag: &str| env::args().any(|argument| argument == flag);
    let (select, nodelay) = (has("--select"), !has("--nagle"));
    let broadcast = move |State(room): State<_>, upgrade: WebSocketUpgrade| async move {
        if select {
            upgrade.on_upgrade(|socket| chat_in_one_task(socket, room))
        } else {
            upgrade.on_upgrade(|socket| chat(socket, room))
        }
    };
    let app = Router::new()
        .route("/broadcast", any(broadcast))
        .route("/echo", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
        .with_state(room);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // An error means that the socket is closed, which the next read reports.
    let listener = listener.tap_io(move |stream| drop(stream.set_nodelay(nodelay)));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn chat(socket: WebSocket, room: broadcast::Sender<String>) {
    let (mut sender, mut receiver) = socket.split();
    let mut messages = room.subscribe();
    let mut send = tokio::spawn(async move {
        while let Ok(text) = messages.recv().await {
            if sender.send(Message::text(text)).await.is_err() {
                break;
            }
        }
    });
    let mut receive = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = receiver.next().await {
            // An error means that there is no receiver.
            drop(room.send(text.to_string()));
        }
    });
    tokio::select! {
        _ = &mut send => receive.abort(),
        _ = &mut receive => send.abort(),
    }
}

async fn chat_in_one_task(mut socket: WebSocket, room: broadcast::Sender<String>) {
    let mut messages = room.subscribe();
    loop {
        tokio::select! {
            text = messages.recv() => {
                let Ok(text) = text else { break };
                if socket.send(Message::text(text)).await.is_err() {
                    break;
                }
            }
            message = socket.recv() => {
                let Some(Ok(Message::Text(text))) = message else { break };
                // An error means that there is no receiver.
                drop(room.send(text.to_string()));
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
