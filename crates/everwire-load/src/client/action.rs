/// What the client is to do on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send a message of the load.
    Load {
        text: String,
        /// Whether it counts, or warms the server up.
        is_counted: bool,
    },
    /// Send what the dialect asks for.
    Talk(String),
    /// Close the connection for good.
    Close,
}
