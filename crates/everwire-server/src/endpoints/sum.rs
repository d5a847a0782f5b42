use std::sync::Arc;
use std::task::Waker;

use serde::Serialize;
use tokio_tungstenite::tungstenite::Message;

use crate::connection::{Mailbox, json};
use crate::hub::{Hub, Membership};
use crate::session::Session;

/// The sum of every number that anybody sent, and how many they were.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Total {
    total: f64,
    count: u64,
}

/// `/sum`: numbers in, the running total of everybody out to everybody.
pub(super) struct Sum {
    membership: Membership<Total>,
}

impl Sum {
    pub(super) fn new(hub: &Arc<Hub<Total>>, mailbox: &Arc<Mailbox>) -> Self {
        Self { membership: hub.join(mailbox, |total, _| vec![json(total)]) }
    }
}

impl Session for Sum {
    fn received(&mut self, message: Message) {
        let number = match &message {
            Message::Text(text) => serde_json::from_str::<f64>(text).ok(),
            _ => None,
        };
        let Some(number) = number else {
            return self.membership.mailbox().send_error("send one JSON number as text, like 2.5");
        };
        self.membership.hub().gather(|sum, _| {
            let total = sum.total + number;
            // An infinite total has no JSON form, and no later number could bring it back.
            if !total.is_finite() {
                self.membership
                    .mailbox()
                    .send_error("with this number the total would be infinite; send a smaller one");
                return None;
            }
            *sum = Total { total, count: sum.count + 1 };
            Some(json(sum))
        });
    }

    fn is_ready(&mut self, waker: &Waker) -> bool {
        self.membership.hub().has_room(waker)
    }

    fn settle(&mut self) {
        self.membership.hub().send_gathered();
    }
}
