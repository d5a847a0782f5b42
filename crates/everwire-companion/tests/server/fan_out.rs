use crate::harness::Harness;

/// The number of a message in front, and so much behind it that the system takes some messages only in part.
fn text(number: usize) -> String {
    format!("{number} {}", "x".repeat(number * 997))
}

/// More than the group sends to between two yields.
const CROWD: usize = 150;
const MESSAGES: usize = 50;

/// With several workers, so that a member's own task and the publisher write to it at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_client_of_a_large_group_receives_every_message_once_and_in_order() {
    let harness = Harness::start(|_| ()).await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut member = harness.client("/broadcast").await;
        // After its pong, the server counts it as connected.
        member.ask(r#"{"ping":1}"#).await;
        crowd.push(member);
    }
    let mut speaker = harness.client("/broadcast").await;
    speaker.ask(r#"{"ping":1}"#).await;
    for (number, member) in crowd.iter_mut().take(MESSAGES).enumerate() {
        speaker.send(&text(number)).await;
        // A message to one member alone goes through its outbound queue, among the direct writes of the group.
        member.send(r#"{"ping":1}"#).await;
    }
    for (place, member) in crowd.iter_mut().enumerate() {
        let mut pongs = 0;
        for expected in 0..MESSAGES {
            let mut text = member.text().await;
            if text.contains("pong") {
                pongs += 1;
                text = member.text().await;
            }
            assert!(text == self::text(expected), "member {place} gets {:.20} instead of {expected}", text);
        }
        assert!(pongs <= 1);
    }
}

#[tokio::test]
async fn a_new_client_receives_messages_from_its_arrival_on() {
    let harness = Harness::start(|_| ()).await;
    let mut speaker = harness.client("/broadcast").await;
    for number in 0..20 {
        speaker.send(&number.to_string()).await;
        assert_eq!(speaker.text().await, number.to_string());
        let mut newcomer = harness.client("/broadcast").await;
        newcomer.ask(r#"{"ping":1}"#).await;
        speaker.send("welcome").await;
        assert_eq!(newcomer.text().await, "welcome");
        assert_eq!(speaker.text().await, "welcome");
    }
}
