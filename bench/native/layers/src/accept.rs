//! The handshake, which is the same for all.

use anyhow::{Context, Result, ensure};
use bench_native_support::handshake;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Returns the path that was asked for. A client sends nothing before it has its answer, so nothing can be read too much.
pub(crate) async fn accept(stream: &mut TcpStream) -> Result<String> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = handshake::end_of_head(&request) {
            break end;
        }
        ensure!(stream.read_buf(&mut request).await? > 0, "the client has gone");
    };
    let head = str::from_utf8(&request[..end])?;
    let response = handshake::response(head).context("this is no WebSocket")?;
    stream.write_all(response.as_bytes()).await?;
    Ok(handshake::path(head).unwrap_or_default().to_owned())
}
