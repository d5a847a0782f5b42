//! The numbers that cross the border to JavaScript, which gets them from here: see [`javascript`](crate::javascript).

#![expect(missing_docs, reason = "most names suffice, and the others have a comment")]

/// Numbers the names of each table, from 0 in the order in which they are written.
macro_rules! tables {
    ($($(#[$of_table:meta])* $table:ident { $($(#[$of_name:meta])* $name:ident,)* })*) => {
        $(
            $(#[$of_table])*
            pub mod $table {
                #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "named like the constants")]
                enum Number { $($name),* }

                $($(#[$of_name])* pub const $name: u32 = Number::$name as u32;)*

                #[allow(dead_code, reason = "not every table is counted")]
                pub(crate) const COUNT: usize = [$($name),*].len();

                #[cfg(not(target_family = "wasm"))]
                pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
            }
        )*

        /// Every table with its names.
        #[cfg(not(target_family = "wasm"))]
        pub(crate) const TABLES: &[(&str, &[&str])] = &[$((stringify!($table), $table::NAMES)),*];
    };
}

tables! {
    /// What happened, for [`Core::handle`](crate::Core::handle), with its operands.
    input {
        /// The time in ms since another core for the same socket last dialled; infinite for never.
        OPEN,
        RECONNECT,
        CLOSE,
        /// The socket.
        OPENED,
        /// The socket; the number of the ping that it answers, negative where that is unknown; the server's time in ms since the Unix
        /// epoch, 0 where that is unknown.
        PONG,
        /// The socket; the close code, negative where the close was not clean; the bytes that the platform still held.
        CLOSED,
        /// The socket.
        PROVIDER_FAILED,
        /// The socket.
        ADDRESS_REFUSED,
        /// The socket; the bytes that the platform holds.
        BUFFERED,
        /// 1 where the application wants another attempt, 0 where it wants none.
        DECIDED,
        ONLINE,
        OFFLINE,
        VISIBLE,
        HIDDEN,
        FROZEN,
        RESUMED,
        SUSPENDED,
        RESTORED,
        /// The wall clock in ms.
        WAKE,

        // From here on of a client alone, whose subscriptions, publishes and requests are known by their numbers, 0 for none.
        /// 1 where the open socket has the subprotocol.
        NEGOTIATED,
        /// The subscription; the epoch, by its upper and lower half; offset and time of a message; the offset of the message before it. The
        /// answer has [`status::ACCEPTED`](super::status::ACCEPTED) if the message is for the application.
        MESSAGE,

        // The lines of a server in the order of `codec.js`, with the numbers among their words in the order there. The subscription is in the
        // place of the channel. The cursor is in the operands, in front of the offset of the message before.
        /// 1 for a new session; acked; 1 where requests are kept; credits; the largest message in bytes; the heartbeat in ms.
        LINE_WELCOME,
        LINE_SUBSCRIBED,
        /// As a [`MESSAGE`] whose numbers JavaScript does not have.
        LINE_MSG,
        /// The subscription; the reason, by its place in [`GapReason::ALL`](everwire_core::protocol::GapReason::ALL); the place of the
        /// cursor; how many messages, not a number where that is unknown.
        LINE_GAP,
        /// The subscription; the place of the cursor; 1 where it has caught up.
        LINE_POS,
        /// The subscription; the [code](everwire_core::protocol::ErrorCode::ALL), by its place.
        LINE_UNSUB,
        LINE_ACK,
        /// The number; the code; 1 for that of a request.
        LINE_NACK,
        /// The number of the request; the part; 1 where others follow.
        LINE_RES,
        /// The subscription. The answer is that to a message, as of the next two.
        LINE_PRESENCE,
        LINE_JOIN,
        LINE_LEAVE,
        LINE_CREDITS,
        LINE_PONG,
        /// The deadline and the spread in ms.
        LINE_DRAIN,
        /// The code; 1 where it is fatal; the place of the line's type; the time before which no attempt is to be made in ms, not a number for
        /// none.
        LINE_ERROR,
        /// The code.
        LINE_BYE,
        LINE_UNKNOWN,
        LINE_MALFORMED,

        /// The subscription. The answer has [`status::ACCEPTED`](super::status::ACCEPTED) where it has a position, which is written as a cursor.
        LOCATE,
        /// As a restart, of a channel that has no subscription: its number is written.
        SUBSCRIBE,
        /// The subscription, which starts over; [`start`](super::start); the cursor.
        RESTART,
        /// The subscription.
        PAUSE,
        /// The subscription.
        UNPAUSE,
        /// The subscription.
        UNSUBSCRIBE,
        /// The request.
        CANCEL,
        /// [`over`](super::over).
        END,
    }

    /// What a call led to: bits.
    status {
        NOTHING,
        /// [`Core::poll`](crate::Core::poll) has something to do.
        ACTIONS,
        /// The message that was received is to be delivered, the one that is to be sent is to be handed to the socket.
        ACCEPTED,
    }

    /// What to do, from [`Core::poll`](crate::Core::poll), with its operands.
    action {
        /// Nothing is left to do. 1 where the application should send more.
        NONE,
        /// The socket; how many attempts failed.
        DIAL,
        /// The message.
        TRANSMIT,
        /// The number of the ping.
        PING,
        /// The socket.
        MEASURE,
        CLOSE,
        DETACH,
        /// [`cause`](super::cause); 1 where another attempt follows by default; the number of that attempt; when it is made in ms, negative: when
        /// the page returns.
        DECIDE,
        OPENED,
        /// The round trip in ms.
        LATENCY,
        /// [`cause`](super::cause); the number of the attempt that follows; when it is made in ms, negative: when the page returns; the number of
        /// messages at risk; their bytes.
        DROPPED,
        /// The message; [`discarded`](super::discarded).
        DISCARDED,
        /// [`cause`](super::cause); the number of messages at risk; their bytes.
        ENDED,
        /// When the timer has to fire, in ms.
        TIMER,

        // From here on of a client alone. A DIAL says in a third operand whether to offer the subprotocol.
        /// Send `hello`: the attempt; 1 to name the session; acked; the floor; the close code before, 0 for none.
        HELLO,
        /// Send `sub`: the subscription; [`start`](super::start); the [cursor](crate::Operands::cursor).
        SUB,
        /// Send `unsub`: the subscription, 0 for the channel of the line that was handed in last.
        UNSUB,
        /// Send `pub`: the publish; its number; the one before it, not a number where that is one less.
        PUB,
        /// Send `req`: the request; its number; the time left in ms, not a number for no limit; the floor; the part that is expected, not a
        /// number where it was not sent before.
        REQ,
        /// Send `cancel`: the number of the request.
        CANCEL,
        /// Send `error`: the [code](everwire_core::protocol::ErrorCode::ALL), by its place, and the type of the line that was handed in last.
        REPORT,
        /// Send `bye`.
        BYE,
        /// Close the socket with this close code; what follows is the core's.
        FAULT,
        /// [`attachment`](super::attachment).
        ATTACHED,
        /// The publish, which is stored; the cursor.
        PUBLISHED,
        /// The request; 1 where other parts follow.
        ANSWERED,
        /// The publish or the request; the code; 1 where the client is over.
        FAILED,
        /// The subscription; the reason; how many messages, negative where that is unknown; the cursor.
        MISSED,
        /// The subscription.
        RESUMED,
        /// The subscription.
        CAUGHT_UP,
        /// The subscription; the code, negative where the application ended it; 1 where the client is over.
        UNSUBSCRIBED,
        /// Send what waits, then [`CLOSE`](super::input::CLOSE) the connection: [`over`](super::over); the code. [`ENDED`] follows.
        OVER,
    }

    /// Why a connection was lost or is over.
    cause {
        CLOSED,
        CONNECT_TIMEOUT,
        /// The link did not answer.
        HEARTBEAT_TIMEOUT,
        /// The same, and no ping was ever answered.
        NEVER_ANSWERED,
        NETWORK_CHANGED,
        PROVIDER,
        REFUSED,
        SUSPENDED,
        REQUESTED,
        BY_APPLICATION,
    }

    /// Where a subscription starts.
    start {
        /// Somewhere else, which JavaScript keeps until there is a position.
        OTHER,
        /// At the position of the channel, which is all that is sent.
        HOLD,
        /// After the cursor.
        FROM,
    }

    /// The session that a client is attached to.
    attachment {
        NEW,
        RESUMED,
        REPLACED,
    }

    /// Why a client is over.
    over {
        /// The server says so, or is in error over and over.
        REFUSED,
        CLOSED,
        /// The connection is over, by its policy.
        CONNECTION,
        NOT_EVERWIRE,
        CREDENTIALS_TOO_LARGE,
    }

    /// Why a publish or a request was not accepted: the negative of these.
    refusal {
        NONE,
        TOO_LARGE,
        FULL,
        CLOSED,
    }

    /// Why a message left the outbox without being sent.
    discarded {
        EXPIRED,
        EVICTED,
        REPLACED,
        CLOSED,
    }

    /// The operands of [`Core::stats`](crate::Core::stats): round trips in ms, the offset of the server's clock in ms, and counts. NaN
    /// where there are too few samples.
    stat {
        ANSWERED,
        LOST,
        LAST,
        MIN,
        MAX,
        MEAN,
        STANDARD_DEVIATION,
        JITTER,
        P50,
        P90,
        P99,
        OPENED,
        DROPPED,
        MESSAGES_IN,
        MESSAGES_OUT,
        BYTES_IN,
        BYTES_OUT,
        CLOCK_OFFSET,
    }
}
