//! A counter that every visitor with a login sees and raises: `cargo run -p everwire-server --example counter`, then open
//! <http://127.0.0.1:3000/login/ann>

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Router, routing::get};
use everwire_server::{
    Endpoint, Everwire, Group, Handler, Membership, Message, Server, ServerConfig, StopSignal, Upgrade,
};

const PAGE: &str = "<h1></h1><button onclick=\"socket.send('')\">Raise</button><script>
    const socket = new WebSocket(`ws://${location.host}/counter`);
    socket.onmessage = ({ data }) => document.querySelector('h1').textContent = data;</script>";

struct Visitor {
    name: String,
    counter: Membership<u64>,
}

impl Handler for Visitor {
    fn on_message(&mut self, _: Message) {
        self.counter.group().update(|count, visitors| {
            *count += 1;
            Some(format!("{count} by {}, seen by {visitors}", self.name).into())
        });
    }
}

async fn counter(State(counter): State<Group<u64>>, headers: HeaderMap, upgrade: Upgrade) -> Response {
    let Some(name) = user(&headers) else { return (StatusCode::UNAUTHORIZED, "Log in first.").into_response() };
    upgrade.accept(move |connection| Visitor {
        name,
        counter: counter.join(connection, |count, _| [count.to_string().into()]),
    })
}

/// A real application looks a random token up among its sessions, which may be async.
fn user(headers: &HeaderMap) -> Option<String> {
    let mut cookies = headers.get(header::COOKIE)?.to_str().ok()?.split("; ");
    cookies.find_map(|cookie| cookie.strip_prefix("user=").map(str::to_owned))
}

async fn login(Path(name): Path<String>) -> impl IntoResponse {
    ([(header::SET_COOKIE, format!("user={name}; Path=/; HttpOnly; SameSite=Strict"))], Redirect::to("/"))
}

pub(crate) fn app(everwire: &Everwire) -> Router {
    let endpoint = Endpoint::new(everwire, "/counter").limits(|limits| limits.messages_per_second = 10);
    let app = Router::new().route("/", get(Html(PAGE))).route("/login/{name}", get(login));
    app.route("/counter", endpoint.route(counter)).with_state(Group::new(0))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (everwire, mut stop) = (Everwire::default(), StopSignal::listen()?);
    let server = Server::bind(&everwire, ServerConfig::new(([127, 0, 0, 1], 3000))).await?;
    server.run_until(app(&everwire), async move { stop.received().await }).await;
    Ok(())
}
