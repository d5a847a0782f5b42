use crate::chat::{CHAT, Line, app};
use crate::support::TestServer;

#[tokio::test]
async fn the_chat_takes_part_under_a_name_and_knows_its_members() {
    let (wire, router) = app();
    let server = TestServer::serve_app(wire, router).await;
    let mut stranger = server.connect().await;
    stranger.send("hello attempt=0").await;
    assert_eq!(stranger.closed_after("error unauthorized fatal=1\nsay your name").await, 3000);
    let mut ada = server.connect().await;
    ada.send("hello attempt=0\nAda ␞ sub chat last:10 presence=1").await;
    for start in ["welcome ", "subscribed chat ", "presence chat 1", "join chat ", "pos chat "] {
        ada.expect(start).await;
    }
    assert!(ada.ask("req members 1", "res 1 0\n").await.ends_with("\n1"));
    server.wire.publish(&CHAT, &Line { from: "server".to_owned(), text: "hi".to_owned() }).await.unwrap();
    assert!(ada.expect("msg chat ").await.ends_with("\n{\"from\":\"server\",\"text\":\"hi\"}"));
}
