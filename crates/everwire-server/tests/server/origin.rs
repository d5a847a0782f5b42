use everwire_server::Origins;

use crate::client::{Client, Refused};
use crate::harness::Harness;

async fn from(harness: &Harness, origin: &str) -> Result<Client, Refused> {
    Client::try_connect(harness.address(), "/echo", &[("origin", origin)]).await
}

#[tokio::test]
async fn a_page_of_another_host_is_refused_with_what_to_do() {
    let harness = Harness::start(|_| {}).await;
    let (status, sentence) = from(&harness, "https://evil.example").await.err().expect("a refusal");
    assert_eq!(status, 403);
    assert!(sentence.contains("--allow-origin https://evil.example"), "{sentence}");
    assert_eq!(harness.drops("/echo", "origin").await, 1);
}

#[tokio::test]
async fn pages_of_localhost_and_of_a_listed_origin_and_programs_connect() {
    let harness =
        Harness::start(|config| config.origins = Origins::default().allow("https://friend.example").unwrap()).await;
    assert!(from(&harness, "http://localhost:8080").await.is_ok());
    assert!(from(&harness, "https://friend.example").await.is_ok());
    assert!(Client::try_connect(harness.address(), "/echo", &[]).await.is_ok());
    assert!(from(&harness, "https://evil.example").await.is_err());
}
