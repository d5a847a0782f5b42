use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Connection, End, Ending};
use crate::fault::Script;

/// What was written.
#[derive(Debug, Default)]
struct Written {
    messages: u64,
    bytes: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Writes everything that is ready: all of it into the socket's buffer, then one flush.
    ///
    /// While the peer does not take it, the connection reads nothing either, so that a peer that sends without
    /// reading is slowed by TCP and not by our memory.
    pub(super) async fn write_ready(&mut self, turn: Pin<&mut impl Future<Output = ()>>) -> Option<Ending> {
        let (mut ready, end) = self.mailbox.take();
        if end == Some(End::Overflow) {
            return Some(Ending::slow_reader());
        }
        if let Some(script) = &mut self.script {
            ready = script.rework(ready, Instant::now());
        }
        if !ready.is_empty() {
            self.active = Instant::now();
            let mut written = Written::default();
            let patience = self.everwire.config().limits.write;
            let stopped = tokio::select! {
                // In this order, a write that need not wait sets up nothing else.
                biased;
                stopped = write_all(&mut self.socket, ready, self.script.as_deref_mut(), patience, &mut written) => stopped,
                () = self.mailbox.overflowed() => Some(Ending::slow_reader()),
                () = turn => Some(Ending::drained()),
            };
            self.metrics().messages_out.add(written.messages);
            self.metrics().bytes_out.add(written.bytes);
            if stopped.is_some() {
                return stopped;
            }
        }
        let delayed = self.script.as_ref().is_some_and(|script| script.due().is_some());
        match end {
            Some(End::Close(code, reason)) if !delayed => Some(Ending::done(code, reason)),
            _ => None,
        }
    }
}

/// `None` when everything was written.
async fn write_all<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    ready: VecDeque<Message>,
    mut script: Option<&mut Script>,
    patience: Duration,
    written: &mut Written,
) -> Option<Ending> {
    for message in ready {
        let bytes = message.len() as u64;
        match timeout(patience, socket.feed(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Some(Ending::from_error(error)),
            Err(_) => return Some(Ending::slow_reader()),
        }
        written.messages += 1;
        written.bytes += bytes;
        if let Some(script) = &mut script {
            script.count();
            if script.fatal().is_some() {
                break;
            }
        }
    }
    match timeout(patience, socket.flush()).await {
        Ok(Ok(())) => script?.fatal().map(Ending::from_fault),
        Ok(Err(error)) => Some(Ending::from_error(error)),
        Err(_) => Some(Ending::slow_reader()),
    }
}
