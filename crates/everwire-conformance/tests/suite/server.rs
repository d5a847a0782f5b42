use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use everwire_conformance::{Options, Report, Verdict, checks, run};
use everwire_server::Everwire;
use everwire_server::broker::{Broker, Journal, Memory, Retention};
use everwire_server::channels::{Action, Authentication, Authorize, ChannelOptions, Denied, Identity};
use tokio::net::TcpListener;

pub(crate) const ADA: &str = "Ada";

/// One name may log in, and may use everything but one channel.
struct Rules;

impl Authorize for Rules {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        match request.credentials().and_then(|credentials| credentials.as_text()) {
            Some(ADA) => Ok(Identity::user(ADA)),
            _ => Err(Denied::new("only Ada may log in")),
        }
    }

    fn allows(&self, _: &Identity, action: Action<'_>) -> bool {
        !matches!(action, Action::Subscribe("denied") | Action::Publish("denied"))
    }
}

/// A server that offers all that the checks can use, until the runtime ends.
pub(crate) async fn start(broker: impl Broker) -> SocketAddr {
    let builder = Everwire::builder().authorize(Rules).broker(broker).channels(|name| {
        let mut options = ChannelOptions::default();
        match name {
            "values" => options = ChannelOptions::state(),
            "short" => options.retention = Retention::stream().with_count(16),
            "no-history" => options.has_history = false,
            "small" => options.message_bytes = 1_000,
            _ => {}
        }
        options
    });
    let wire = builder.build();
    wire.on_request("now", |_, (): ()| async { Ok("noon") });
    wire.on_request("slow", |_, (): ()| async {
        pending::<()>().await;
        Ok(())
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().merge(wire.router()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub(crate) fn options(address: SocketAddr) -> Options {
    let mut options = Options::new(format!("ws://{address}/everwire"));
    options.credentials = Some(ADA.to_owned());
    options.refused_credentials = Some("Bob".to_owned());
    options.request = Some("now".to_owned());
    options.slow_request = Some("slow".to_owned());
    options.denied = Some("denied".to_owned());
    options.state = Some("values".to_owned());
    options.short_history = Some("short".to_owned());
    options.no_history = Some("no-history".to_owned());
    options.small_messages = Some("small".to_owned());
    options.timeout = Duration::from_secs(20);
    options
}

/// Those that did not pass.
pub(crate) async fn not_passed(options: &Options) -> Vec<String> {
    let mut reports = Vec::new();
    for check in checks() {
        reports.push(run(&check, options).await);
    }
    assert!(reports.len() > 100, "{} checks", reports.len());
    let is_wrong = |report: &Report| report.verdict != Verdict::Passed;
    reports.into_iter().filter(is_wrong).map(|report| report.to_string()).collect()
}

#[tokio::test]
async fn the_server_passes_every_check_with_the_memory_broker() {
    let address = start(Memory::default()).await;
    assert_eq!(not_passed(&options(address)).await, [""; 0]);
}

#[tokio::test]
async fn the_server_passes_every_check_with_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let address = start(Journal::open(directory.path()).unwrap()).await;
    assert_eq!(not_passed(&options(address)).await, [""; 0]);
}
