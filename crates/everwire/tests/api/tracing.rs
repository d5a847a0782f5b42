//! The records of the feature `tracing`.

use std::{
    io,
    sync::{Arc, Mutex},
};

use everwire::{Message, Proxy, Socket};
use tracing::{info_span, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{TestServer, dropped, eager, faulty_once, opened, text, within};

/// What this thread has written so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Records everything that is written on this thread, on which the tests run all their tasks.
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false).with_writer(log.clone());
        let guard = tracing::subscriber::set_default(subscriber.finish());
        (log, guard)
    }

    fn lines(&self) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains(" everwire: ")).map(str::to_owned).collect()
    }

    /// The line with this message.
    #[track_caller]
    fn line(&self, message: &str) -> String {
        let lines = self.lines();
        let found = lines.iter().find(|line| line.contains(&format!(" everwire: {message} ")));
        found.unwrap_or_else(|| panic!("no line {message:?} in {lines:#?}")).clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_life_of_a_connection_is_written_with_causes_and_times() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let echo = server.url("/echo");
    let mut socket = faulty_once(server.url("/echo?fault=refuse:503"), echo.clone()).backoff(eager()).open().unwrap();
    opened(&mut socket).await;
    within("the connection closed", socket.close()).await;
    let lines = log.lines();
    let expected = [
        (" DEBUG ", "connecting", "attempt=1"),
        (" WARN ", "dropped", "503"),
        (" DEBUG ", "connecting", "attempt=2"),
        (" INFO ", "opened", "failures=1"),
        (" INFO ", "closed", "ByApplication"),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (level, message, part)) in lines.iter().zip(expected) {
        assert!(line.contains(level) && line.contains(&format!(" everwire: {message} url={echo} ")), "{line}");
        assert!(line.contains(part), "{line}");
    }
    assert!(log.line("dropped").contains("retry_in=Some("));
}

#[tokio::test]
async fn records_belong_to_the_span_in_which_the_socket_was_opened() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let mut socket = info_span!("feed", name = "prices").in_scope(|| Socket::open(server.url("/echo")).unwrap());
    opened(&mut socket).await;
    assert!(log.line("opened").contains(r#"feed{name="prices"}: everwire: opened"#));
}

/// Logs go to places that see more people than the program's secrets do.
#[tokio::test]
async fn no_payload_and_no_credential_is_written() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let url = server.url("/echo?token=secret").replacen("//", "//user:secret@", 1);
    let builder = Socket::builder(url).on_open_messages(|_| vec![Message::from("secret")]);
    let mut socket = builder.open().unwrap();
    socket.send("secret").unwrap();
    assert_eq!(text(&mut socket).await, "secret");
    let proxy = Proxy::new("http://user:secret@127.0.0.1:9").unwrap();
    let mut refused = Socket::builder("ws://h/?token=secret").proxy(proxy).backoff(eager()).open().unwrap();
    dropped(&mut refused).await;
    let provide = |_| core::future::ready(Ok::<_, String>("ws://user:secret@h h/?token=secret"));
    let mut invalid = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    let cause = dropped(&mut invalid).await.cause.to_string();
    assert!(cause.contains("ws://h h/") && !cause.contains("secret"), "{cause}");
    log.line("dropped");
    for line in log.lines() {
        assert!(!line.contains("secret") && !line.contains("user"), "{line}");
    }
}
