use std::time::Duration;

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;

#[tokio::test]
async fn two_servers_on_one_port_are_each_given_some_of_the_connections() {
    let first = Harness::start(|config| config.reuse_port = true).await;
    let address = first.address();
    let second = Harness::start(|config| {
        (config.reuse_port, config.listen) = (true, address);
        // Its clients do not read before it has gone.
        config.connection.close = Duration::ZERO;
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(first.client("/echo").await);
    }
    second.server.stop().await;
    let mut echoed = 0;
    for client in &mut clients {
        // Fails where the second server has gone.
        let _ = client.socket.send(Message::text("still there?")).await;
        echoed += usize::from(matches!(client.message().await, Message::Text(_)));
    }
    // That chance gave all of them to one server happens once in 2^39 times.
    assert!((1..40).contains(&echoed), "{echoed} of 40 were connected to the first");
}

#[tokio::test]
async fn a_port_is_not_shared_unless_both_agree() {
    let first = Harness::start(|_| ()).await;
    let config = everwire_companion::Config { listen: first.address(), reuse_port: true, ..Default::default() };
    assert!(everwire_companion::Server::bind(config).await.is_err());
}
