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
