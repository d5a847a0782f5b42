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
        /// 1 for a new session; acked; 1 where requests are kept; credits; the largest message in bytes; the heartbeat in ms.
        WELCOME,
        /// The subscription; the [cursor](crate::Operands::cursor).
        SUBSCRIBED,
        /// The subscription; the cursor, and the offset of the message before it. The answer has [`status::ACCEPTED`](super::status::ACCEPTED)
        /// if the message is for the application.
        MESSAGE,
        /// The subscription; 1 where it has caught up; the cursor.
        POSITION,
        /// The subscription; the reason, by its place in [`GapReason::ALL`](everwire_core::protocol::GapReason::ALL); how many messages, not
        /// a number where that is unknown; the cursor.
        GAP,
        /// The subscription; the [code](everwire_core::protocol::ErrorCode::ALL), by its place.
        UNSUBSCRIBED,
        /// The subscription. The answer is that to a message.
        PRESENCE,
        /// The number of the publish; its cursor.
        ACKED,
        /// The number of the publish; the code.
        REFUSED,
        /// The number of the request; the part; 1 where others follow.
        RESPONSE,
        /// The number of the request; the code.
        REQUEST_REFUSED,
        CREDITS,
        /// The deadline and the spread in ms.
        DRAIN,
        /// The code; 1 where it is fatal; the time before which no attempt is to be made in ms, not a number for
        /// none.
        ERROR,
        /// The code.
        BYE,
        UNKNOWN_LINE,
        MALFORMED,
        /// The subscription. The answer has [`status::ACCEPTED`](super::status::ACCEPTED) where it has a position, which is written as a cursor.
        LOCATE,
        /// As a restart, of a channel that has no subscription: its number is written.
        SUBSCRIBE,
        /// The subscription, which starts over; [`start`](super::start); how many messages; the cursor.
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
        /// Send `sub`: the subscription; [`start`](super::start); how many messages; the [cursor](crate::Operands::cursor).
        SUB,
        /// Send `unsub`: the subscription, 0 for the channel of the line that was handed in last.
        UNSUB,
        /// Send `pub`: the publish; its number; the one before it, negative where that is one less.
        PUB,
        /// Send `req`: the request; its number; the time left in ms, negative for no limit; the floor; the part that is expected, negative
        /// where it was not sent before.
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
        /// The publish; the code, negative where it is stored; 1 where the client is over; the cursor.
        PUBLISHED,
        /// The request; the part; 1 where others follow.
        ANSWERED,
        /// The request; the code; 1 where the client is over.
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
        LIVE,
        /// At the position of the channel, which is all that is sent.
        HOLD,
        STATE,
        /// With so many messages.
        LAST,
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
