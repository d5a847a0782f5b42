//! From an address to an attached client, and to its end.

use everwire::client::{ClientError, ClientState, ErrorCode};

use super::{
    CHAT, closed,
    script::{Script, WELCOME},
};

#[tokio::test]
async fn hello_and_the_subscriptions_go_out_in_one_message() {
    let server = Script::start().await;
    let client = server.client();
    let _chat = client.subscribe(&CHAT);
    let mut peer = server.accept().await;
    assert_eq!(peer.message().await, ["hello attempt=0", "sub chat live"]);
    assert_eq!((client.state(), client.session()), (ClientState::Connecting, None));
}

#[tokio::test]
async fn a_server_that_does_not_speak_everwire_is_a_final_error_and_not_a_retry_loop() {
    let server = Script::start_plain().await;
    let client = server.client();
    let (error, _peer) = tokio::join!(closed(&client), server.accept());
    assert_eq!(error, ClientError::NotEverwire);
    assert!(error.to_string().contains("does not speak everwire.v1"), "{error}");
    assert_eq!(client.state(), ClientState::Closed);
}

#[tokio::test]
async fn a_client_that_is_closed_says_bye() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    // The client is attached when it answers what follows the welcome.
    let _chat = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
    drop(_chat);
    client.close();
    peer.send(["subscribed chat 9f.0.0"]).await;
    peer.expect("bye").await;
    assert_eq!(peer.closed().await, 1000);
    assert_eq!(closed(&client).await, ClientError::Closed);
}

#[tokio::test]
async fn a_session_that_the_server_ended_is_not_started_again() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    peer.send(["bye gone\nmaintenance"]).await;
    let reason = "maintenance".to_owned();
    assert_eq!(closed(&client).await, ClientError::Refused { code: ErrorCode::Gone, reason });
    assert_eq!(peer.closed().await, 1000);
}

#[tokio::test]
async fn a_line_that_is_not_allowed_closes_with_its_code_and_the_client_connects_again() {
    let server = Script::start().await;
    let _client = server.client();
    let mut peer = server.welcome().await;
    peer.send([WELCOME]).await;
    peer.expect("error unexpected line=welcome").await;
    assert_eq!(peer.closed().await, 4502);
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=4502").await;
}
