//! The client against the server library, whose broker is in memory, over a network that is cut.

use core::time::Duration;
use std::{net::SocketAddr, path::Path, time::Instant};

use everwire::{
    Channel, Client, Delivery,
    client::{
        Attachment, ClientBuilder, ClientError, ClientEvent, ErrorCode, GapReason, PublishError, RequestError,
        RequestOptions, SubscribeOptions,
    },
};
use everwire_server::{
    Builder, Everwire, RunningServer, Server, ServerConfig,
    broker::{Journal, JournalError, Memory},
    channels::{Action, AllowAll, Authentication, Authorize, Denied, Identity, LocalDelivery, RequestError as Failure},
};
use everwire_test_client::{End, TIMEOUT, TcpProxy};
use futures_util::StreamExt;
use tokio::net::TcpListener;

use super::{CHAT, closed, message, next};
use crate::support::{eager, within};

/// A server, and a proxy through which clients connect, whose connections a test can cut.
struct Setup {
    wire: Everwire,
    broker: Memory,
    network: TcpProxy,
}

impl Setup {
    async fn start(change: impl FnOnce(Builder) -> Builder) -> Self {
        let broker = Memory::default();
        let wire = change(Everwire::builder().broker(broker.clone()).authorize(AllowAll)).build();
        let network = TcpProxy::start(serve(&wire).await).await.unwrap();
        Self { wire, broker, network }
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder(format!("ws://{}/everwire", self.network.address())).socket(|socket| socket.backoff(eager()))
    }

    fn client(&self) -> Client {
        self.builder().connect().unwrap()
    }

    /// Replaces the server by another one with the same broker, as a restart with a durable one does.
    async fn restart(&self) {
        let wire = Everwire::builder().broker(self.broker.clone()).authorize(AllowAll).build();
        self.network.set_target(serve(&wire).await);
        self.cut();
    }

    /// Breaks every connection.
    fn cut(&self) {
        for connection in self.network.connections() {
            connection.end(End::Finished, End::Finished);
        }
    }
}

async fn serve(wire: &Everwire) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = wire.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Nothing is lost and nothing is repeated, in either direction: what a library is for that carries messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_arrives_once_and_in_order_over_cuts_and_restarts_of_the_server() {
    const MESSAGES: u64 = 800;
    let setup = Setup::start(|builder| builder).await;
    let (sender, receiver) = (setup.client(), setup.client());
    let mut chat = receiver.subscribe_with(&CHAT, &SubscribeOptions::default().last(1));
    assert_eq!(next(&mut chat).await, Delivery::CaughtUp);
    let sending = async {
        let mut fates = Vec::new();
        for number in 1..=MESSAGES {
            fates.push(sender.publish(&CHAT, &number.to_string()));
            if number % 40 == 0 {
                // Some are acknowledged, some under way, some not sent yet.
                assert!(within("it was acknowledged", fates.swap_remove(fates.len() / 2)).await.is_ok());
                if number % 200 == 0 { setup.restart().await } else { setup.cut() }
            }
        }
        for fate in fates {
            assert!(within("it was acknowledged", fate).await.is_ok());
        }
    };
    let receiving = async {
        let mut received = Vec::new();
        while received.len() < MESSAGES as usize {
            match next(&mut chat).await {
                Delivery::Message(message) => received.push((message.offset(), message.value)),
                Delivery::Resumed | Delivery::CaughtUp => {}
                other => panic!("{other:?}"),
            }
        }
        received
    };
    let ((), received) = tokio::join!(sending, receiving);
    let expected: Vec<_> = (1..=MESSAGES).map(|number| (number, number.to_string())).collect();
    assert_eq!(received, expected);
    assert!(sender.stats().opened >= 5, "{:?}", sender.stats());
}

/// A server of channels that keeps its messages in a directory.
async fn start_on_disk(directory: &Path) -> (Everwire, RunningServer) {
    let start = Instant::now();
    let journal = loop {
        match Journal::open(directory) {
            // The thread that writes it ends after the server that was stopped.
            Err(JournalError::InUse { .. }) if start.elapsed() < TIMEOUT => tokio::task::yield_now().await,
            opened => break opened.unwrap(),
        }
    };
    let wire = Everwire::builder().broker(journal).authorize(AllowAll).build();
    let config = ServerConfig::new(([127, 0, 0, 1], 0)).drain(Duration::from_millis(200));
    let server = Server::bind(&wire, config).await.unwrap().start(wire.router());
    (wire, server)
}

/// Every deploy does this: what is published before, during and after the restart arrives, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_restarts_in_order_costs_its_clients_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (wire, server) = start_on_disk(directory.path()).await;
    let network = TcpProxy::start(server.local_addr()).await.unwrap();
    let client =
        || Client::builder(format!("ws://{}/everwire", network.address())).socket(|socket| socket.backoff(eager()));
    let (reports, mut events) = tokio::sync::mpsc::unbounded_channel();
    let sender = client().on_event(move |event| drop(reports.send(event.clone()))).connect().unwrap();
    let receiver = client().connect().unwrap();
    let mut chat = receiver.subscribe_with(&CHAT, &SubscribeOptions::default().last(1));
    assert_eq!(next(&mut chat).await, Delivery::CaughtUp);
    let mut fates = Vec::new();
    let mut publish = |number: u64| fates.push(sender.publish(&CHAT, &number.to_string()));
    (1..=10).for_each(&mut publish);
    let stopping = tokio::spawn(server.stop());
    (11..=20).for_each(&mut publish);
    within("the server stopped", stopping).await.unwrap();
    drop(wire);
    (21..=30).for_each(&mut publish);
    let (_wire, server) = start_on_disk(directory.path()).await;
    network.set_target(server.local_addr());
    while within("the client was back", events.recv()).await != Some(ClientEvent::Attached(Attachment::Resumed)) {}
    (31..=40).for_each(&mut publish);
    for fate in fates {
        assert!(within("it was stored", fate).await.is_ok());
    }
    for number in 1..=40 {
        let received = loop {
            match next(&mut chat).await {
                Delivery::Message(message) => break (message.offset(), message.value),
                Delivery::Resumed | Delivery::CaughtUp => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(received, (number, number.to_string()));
    }
}

#[tokio::test]
async fn a_client_that_is_restarted_goes_on_from_the_cursor_it_stored() {
    let setup = Setup::start(|builder| builder).await;
    let publisher = setup.client();
    for text in ["1", "2", "3"] {
        within("it was stored", publisher.publish(&CHAT, &text.to_owned())).await.unwrap();
    }
    let first = setup.client();
    let mut chat = first.subscribe_with(&CHAT, &SubscribeOptions::default().last(3));
    assert_eq!((message(&mut chat).await.value, message(&mut chat).await.value), ("1".to_owned(), "2".to_owned()));
    // The third has arrived, but was not taken.
    let stored = chat.cursor().unwrap().to_string();
    drop((chat, first));
    within("it was stored", publisher.publish(&CHAT, &"4".to_owned())).await.unwrap();
    let second = setup.client();
    let mut chat = second.subscribe_with(&CHAT, &SubscribeOptions::default().from(stored.parse().unwrap()));
    assert_eq!((message(&mut chat).await.value, message(&mut chat).await.value), ("3".to_owned(), "4".to_owned()));
}

#[tokio::test]
async fn what_the_history_does_not_have_any_more_is_a_gap() {
    let setup =
        Setup::start(|builder| builder.channel(&CHAT, |options| options.retention = options.retention.with_count(2)))
            .await;
    let client = setup.client();
    let first = within("it was stored", client.publish(&CHAT, &"1".to_owned())).await.unwrap();
    for text in ["2", "3", "4", "5"] {
        within("it was stored", client.publish(&CHAT, &text.to_owned())).await.unwrap();
    }
    let mut chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().from(first.cursor));
    let Delivery::Gap(gap) = next(&mut chat).await else { panic!("no gap") };
    assert_eq!((gap.reason, gap.cursor.offset), (GapReason::Trimmed, 5));
    assert_eq!(next(&mut chat).await, Delivery::CaughtUp);
    within("it was stored", client.publish(&CHAT, &"6".to_owned())).await.unwrap();
    let own = message(&mut chat).await;
    assert_eq!((own.value.as_str(), own.is_own), ("6", true));
}

#[tokio::test]
async fn a_publish_is_stored_although_it_was_made_offline() {
    let setup = Setup::start(|builder| builder).await;
    let client = setup.client();
    let mut local = setup.wire.subscribe(&CHAT).await.unwrap();
    let publishing = client.publish(&CHAT, &"early".to_owned());
    assert!(within("it was stored", publishing).await.is_ok());
    let Some(LocalDelivery::Message { message, .. }) = local.next().await else { panic!("no message") };
    assert_eq!(message.as_deref(), Some("early"));
}

#[tokio::test]
async fn what_the_rules_do_not_allow_is_refused_and_the_rest_goes_on() {
    let setup =
        Setup::start(|builder| builder.authorize(|_: &Identity, action: Action<'_>| action != Action::Publish("chat")))
            .await;
    let client = setup.client();
    let fate = within("it was refused", client.publish(&CHAT, &"no".to_owned())).await;
    assert!(matches!(fate, Err(PublishError::Refused { code: ErrorCode::Denied, .. })), "{fate:?}");
    let other = Channel::named("other".to_owned());
    assert!(within("it was stored", client.publish(&other, &1)).await.is_ok());
}

#[tokio::test]
async fn an_answer_in_parts_survives_a_cut_and_a_cancelled_one_stops() {
    let setup = Setup::start(|builder| builder).await;
    setup.wire.on_stream_request("count", |_, to: u32| futures_util::stream::iter((1..=to).map(Ok::<_, Failure>)));
    setup.wire.on_request("double", |_, number: u32| async move { Ok(2 * number) });
    let (stopped, mut has_stopped) = tokio::sync::mpsc::unbounded_channel();
    setup.wire.on_request("never", move |_, (): ()| {
        let guard = SendOnDrop(stopped.clone());
        async move {
            let _guard = guard;
            core::future::pending::<Result<(), Failure>>().await
        }
    });
    let client = setup.client();
    let mut answers = client.request_stream::<_, u32>("count", &5, &RequestOptions::default());
    let mut parts = vec![within("a part came", answers.next()).await.unwrap().unwrap()];
    setup.cut();
    while let Some(part) = within("a part came", answers.next()).await {
        parts.push(part.unwrap());
    }
    assert_eq!(parts, [1, 2, 3, 4, 5]);
    assert_eq!(within("it was answered", client.request::<_, u32>("double", &21)).await.unwrap(), 42);
    let missing = within("it was answered", client.request::<_, u32>("missing", &21)).await;
    assert!(matches!(missing, Err(RequestError::Refused { code: ErrorCode::NoHandler, .. })), "{missing:?}");
    let never = client.request::<_, ()>("never", &());
    assert_eq!(within("it was answered", client.request::<_, u32>("double", &1)).await.unwrap(), 2);
    drop(never);
    assert_eq!(within("the handler was stopped", has_stopped.recv()).await, Some(()));
}

/// A state may have more keys than a subscription has room for, and older ones than a stream would keep.
#[tokio::test]
async fn a_large_state_arrives_without_a_gap_although_it_is_read_slowly_and_the_connection_breaks() {
    const PRICES: Channel<u64> = Channel::state("prices");
    const KEYS: u64 = 60;
    let setup = Setup::start(|builder| {
        builder.channel(&PRICES, |options| options.retention = options.retention.with_count(10))
    })
    .await;
    for key in 0..KEYS {
        setup.wire.set(&PRICES, &key.to_string(), &key).await.unwrap();
    }
    let client = setup.client();
    let mut prices = client.subscribe_with(&PRICES, &SubscribeOptions::default().max_waiting(8));
    for key in 0..KEYS {
        let message = loop {
            match next(&mut prices).await {
                Delivery::Message(message) => break message,
                Delivery::Resumed | Delivery::CaughtUp => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((message.key, message.value), (Some(key.to_string()), key));
        if key % 20 == 10 {
            setup.cut();
        }
    }
}

#[tokio::test]
async fn a_request_whose_time_runs_out_fails_and_its_handler_is_stopped() {
    let setup = Setup::start(|builder| builder).await;
    let (stopped, mut has_stopped) = tokio::sync::mpsc::unbounded_channel();
    setup.wire.on_request("never", move |_, (): ()| {
        let guard = SendOnDrop(stopped.clone());
        async move {
            let _guard = guard;
            core::future::pending::<Result<(), Failure>>().await
        }
    });
    let client = setup.client();
    client.attached().await.unwrap();
    let brief = RequestOptions::default().timeout(Duration::from_millis(50));
    let never = within("its time ran out", client.request_with::<_, ()>("never", &(), &brief)).await;
    assert!(matches!(never, Err(RequestError::Expired)), "{never:?}");
    assert_eq!(within("the handler was stopped", has_stopped.recv()).await, Some(()));
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_the_client_or_by_the_channel_and_the_limit_is_named() {
    let setup = Setup::start(|builder| builder.channel(&CHAT, |options| options.message_bytes = 4)).await;
    let client = setup.client();
    client.attached().await.unwrap();
    let for_channel = within("it was refused", client.publish(&CHAT, &"12345".to_owned())).await;
    let Err(PublishError::Refused { code: ErrorCode::TooLarge, reason }) = for_channel else {
        panic!("{for_channel:?}")
    };
    assert!(reason.contains('4'), "{reason}");
    let for_server = within("it was refused", client.publish(&CHAT, &"x".repeat(2 << 20))).await.unwrap_err();
    let PublishError::TooLarge { limit } = for_server else { panic!("{for_server:?}") };
    assert!(for_server.to_string().contains(&limit.to_string()), "{for_server}");
}

struct SendOnDrop(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_reconnect_is_neither_a_leave_nor_a_join_and_a_closed_client_leaves_at_once() {
    let setup = Setup::start(|builder| builder).await;
    let (reports, mut events) = tokio::sync::mpsc::unbounded_channel();
    let report = move |event: &ClientEvent| drop(reports.send(event.clone()));
    let (watcher, other) = (setup.client(), setup.builder().on_event(report).connect().unwrap());
    let mut room = watcher.presence(&CHAT);
    let mut count = async || within("the members changed", room.next()).await.unwrap().len();
    assert_eq!(count().await, 1);
    let membership = other.presence(&CHAT);
    assert_eq!(count().await, 2);
    setup.cut();
    while within("an event", events.recv()).await != Some(ClientEvent::Attached(Attachment::Resumed)) {}
    other.close();
    // Were the reconnect a leave, the list would have been shorter in between, or longer.
    assert_eq!(count().await, 1);
    drop(membership);
}

#[tokio::test]
async fn a_session_that_the_server_has_lost_makes_the_fate_of_a_publish_unknown() {
    let setup = Setup::start(|builder| builder.channel_limits(|limits| limits.expires_after = Duration::ZERO)).await;
    let client = setup.client();
    assert!(within("it was stored", client.publish(&CHAT, &"1".to_owned())).await.is_ok());
    let session = client.session();
    setup.cut();
    // The client does not know yet that the connection is gone.
    let fate = within("its fate was known", client.publish(&CHAT, &"2".to_owned())).await;
    assert!(matches!(fate, Err(PublishError::Unknown)), "{fate:?}");
    assert!(within("it was stored", client.publish(&CHAT, &"3".to_owned())).await.is_ok());
    assert_ne!(client.session(), session);
}

#[tokio::test]
async fn a_client_without_credentials_stops_after_a_few_attempts() {
    struct Rules;
    impl Authorize for Rules {
        async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
            match request.credentials().and_then(|credentials| credentials.as_text()) {
                Some("secret") => Ok(Identity::user("ada")),
                _ => Err(Denied::new("log in first")),
            }
        }

        fn allows(&self, _: &Identity, _: Action<'_>) -> bool {
            true
        }
    }
    let setup = Setup::start(|builder| builder.authorize(Rules)).await;
    let error = closed(&setup.client()).await;
    let ClientError::Refused { code: ErrorCode::Unauthorized, .. } = error else { panic!("{error:?}") };
    let known = setup.builder().credentials("secret").connect().unwrap();
    assert!(within("it was stored", known.publish(&CHAT, &"1".to_owned())).await.is_ok());
}

/// Each reads at its own pace, from its own start, and some leave and come back: what one does is not to be seen by the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_that_share_a_channel_each_get_every_message_once_whatever_the_others_do() {
    const MESSAGES: u64 = 600;
    let setup = Setup::start(|builder| builder).await;
    let (sender, receiver) = (setup.client(), setup.client());
    for number in 1..=MESSAGES / 2 {
        within("it was stored", sender.publish(&CHAT, &number.to_string())).await.unwrap();
    }
    let follow = async |options: SubscribeOptions, pause: Option<u64>| {
        let mut chat = receiver.subscribe_with(&CHAT, &options);
        let (mut first, mut latest): (Option<u64>, u64) = (None, 0);
        while latest < MESSAGES {
            match next(&mut chat).await {
                Delivery::Message(message) => {
                    first.get_or_insert(message.offset());
                    assert!(latest == 0 || message.offset() == latest + 1, "{} after {latest}", message.offset());
                    assert_eq!(message.value, message.offset().to_string());
                    latest = message.offset();
                }
                Delivery::Resumed | Delivery::CaughtUp => continue,
                other => panic!("{other:?}"),
            }
            if pause.is_some_and(|every| latest % every == 0) {
                // Others are read meanwhile, and new messages come.
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
            }
            if latest.is_multiple_of(97) {
                let cursor = chat.cursor().unwrap();
                drop(chat);
                chat = receiver.subscribe_with(&CHAT, &options.clone().from(cursor));
            }
        }
        first
    };
    let small = |options: SubscribeOptions| options.max_waiting(8);
    let last = |messages| SubscribeOptions::default().last(messages);
    let sending = async {
        for number in MESSAGES / 2 + 1..=MESSAGES {
            within("it was stored", sender.publish(&CHAT, &number.to_string())).await.unwrap();
            if number % 50 == 0 {
                setup.cut();
            }
        }
    };
    let ((), all, some, slow, slower, state) = tokio::join!(
        sending,
        follow(last(MESSAGES), None),
        follow(last(100), None),
        follow(small(last(200)), Some(1)),
        follow(small(last(10)), Some(7)),
        follow(SubscribeOptions::default().state(), Some(13)),
    );
    assert_eq!((all, state), (Some(1), Some(1)));
    assert!(some >= Some(201) && slow >= Some(101) && slower >= Some(291), "{some:?} {slow:?} {slower:?}");
}
