use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use everwire_server::{Everwire, Server, ServerConfig};
use tokio::net::TcpListener;

/// Who accepts the connections.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Axum,
    Everwire,
}

pub(crate) const BOTH: [By; 2] = [By::Axum, By::Everwire];

/// Serves an application on a free port until the runtime ends.
pub(crate) async fn serve(by: By, everwire: &Everwire, app: Router) -> SocketAddr {
    match by {
        By::Axum => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, app).await });
            address
        }
        By::Everwire => {
            let config = ServerConfig::new(([127, 0, 0, 1], 0)).drain(Duration::ZERO);
            Server::bind(everwire, config).await.unwrap().start(app).local_addr()
        }
    }
}
