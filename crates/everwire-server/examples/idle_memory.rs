//! Measures what an idle connection costs: `cargo run --release -p everwire-server --example idle_memory`.
//!
//! The clients live in a process of their own, so that only the server's memory is counted. The last line is
//! `idle_bytes=…`, the growth of the server's resident memory for each connection (the kernel's socket buffers are
//! not part of it). A flag may name the number of connections and the endpoint: `idle_memory 5000 /ticker?rate=1`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use everwire_server::{Config, Server};
use futures_util::{SinkExt, StreamExt};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [client, address, count, path] = &arguments[..]
        && client == "client"
    {
        return hold(address.parse()?, count.parse()?, path).await;
    }
    let count: usize = arguments.first().map_or(Ok(5_000), |count| count.parse())?;
    let path = arguments.get(1).map_or("/echo", String::as_str);
    measure(count, path).await
}

async fn measure(count: usize, path: &str) -> Result<(), Box<dyn Error>> {
    let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    config.limits.connections = count + 1;
    config.limits.connections_per_address = count + 1;
    let server = Server::bind(config).await?.start();
    let address = server.local_addr();
    // What the first connection sets up for all is not what a connection costs.
    drop(connected(address, path).await?);
    let before = resident_bytes()?;
    let mut clients = Command::new(std::env::current_exe()?)
        .args(["client", &address.to_string(), &count.to_string(), path])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = clients.stdout.as_mut().ok_or("the clients have no output")?;
    // The server goes on in the runtime's other threads.
    tokio::task::block_in_place(|| output.read_exact(&mut [0]))?;
    let after = resident_bytes()?;
    clients.kill()?;
    clients.wait()?;
    println!("connections={count} before={before} after={after}");
    println!("idle_bytes={}", after.saturating_sub(before) / count as u64);
    Ok(())
}

/// The clients: connects them all, says so with one byte, and holds them until it is ended.
async fn hold(address: SocketAddr, count: usize, path: &str) -> Result<(), Box<dyn Error>> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(connected(address, path).await?);
    }
    std::io::stdout().write_all(b"!")?;
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A client whose connection has been used once, so that it is past its handshake on both sides.
async fn connected(address: SocketAddr, path: &str) -> Result<WebSocketStream<TcpStream>, Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut socket, _) = client_async(format!("ws://{address}{path}"), stream).await?;
    socket.send(Message::text(r#"{"ping":1}"#)).await?;
    socket.next().await.ok_or("the server closed the connection")??;
    Ok(socket)
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let pid = Pid::from_u32(std::process::id());
    let mut system = System::new()?;
    let memory = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, memory);
    Ok(system.process(pid).ok_or("this system does not tell the memory of a process")?.memory())
}
