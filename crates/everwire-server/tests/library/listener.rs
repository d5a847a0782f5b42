//! A socket that outlives the servers on it.

use axum::Router;
use everwire_server::{Everwire, Server, ServerConfig};
use everwire_test_client::{TIMEOUT, http};
use tokio::time::timeout;

#[tokio::test]
async fn clients_wait_while_no_server_serves_the_socket_and_the_next_one_answers_them() {
    let config = ServerConfig::new(([127, 0, 0, 1], 0));
    let listener = config.bind().unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..2 {
        let mut waiting = tokio::spawn(async move { http(address, "/healthz", "").await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let everwire = Everwire::default();
        let app = Router::new().merge(everwire.healthz());
        let server = Server::with_listener(&everwire, listener.try_clone().unwrap(), config.clone()).await.unwrap();
        assert_eq!(server.local_addr(), address);
        let server = server.start(app);
        let answer = timeout(TIMEOUT, &mut waiting).await.expect("the client was waiting").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.stop().await;
    }
}
