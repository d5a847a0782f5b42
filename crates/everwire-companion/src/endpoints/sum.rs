use std::task::{Context, Poll};

use everwire_server::{Connection, Group, Handler, Membership, Message};
use serde::Serialize;

use crate::json::{SendJson, json};

/// The sum of all numbers that were sent, and their count.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Total {
    total: f64,
    count: u64,
}

/// `/sum`: numbers in, the running total of all clients out to all clients.
pub(super) struct SumHandler {
    membership: Membership<Total>,
}

impl SumHandler {
    pub(super) fn new(group: &Group<Total>, connection: &Connection) -> Self {
        Self { membership: group.join(connection, |total, _| vec![json(total)]) }
    }
}

impl Handler for SumHandler {
    fn on_message(&mut self, message: Message) {
        let number = match &message {
            Message::Text(text) => serde_json::from_str::<f64>(text).ok(),
            _ => None,
        };
        let Some(number) = number else {
            return self.membership.connection().send_error("send one JSON number as text, like 2.5");
        };
        self.membership.group().enqueue(|sum, _| {
            let total = sum.total + number;
            // An infinite total has no JSON form, and no later number could make it finite again.
            if !total.is_finite() {
                self.membership
                    .connection()
                    .send_error("with this number the total would be infinite; send a smaller one");
                return None;
            }
            *sum = Total { total, count: sum.count + 1 };
            Some(json(sum))
        });
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}
