/// What a visitor does to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disruption {
    /// The next attempt meets a fault.
    Fault(Fault),
    /// The server is ended by SIGKILL.
    KillServer,
}

/// A way to break the connection: what the companion server does when an address asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Cut TCP without a close frame.
    Cut,
    /// Keep TCP and answer nothing.
    Silence,
    /// Answer the handshake with HTTP status 503.
    Refuse,
    /// Close with a code.
    Close(u16),
    /// Hold every message back for so many milliseconds.
    Delay(u16),
    /// Send what no endpoint would send.
    Garbage,
}

impl Fault {
    /// Its spelling in the parameter `fault`.
    pub(crate) fn parameter(self) -> String {
        match self {
            Self::Cut => "drop:0".to_owned(),
            Self::Silence => "half-open:0".to_owned(),
            Self::Refuse => "refuse:503".to_owned(),
            Self::Close(code) => format!("close:{code}"),
            Self::Delay(ms) => format!("delay:{ms}"),
            Self::Garbage => "garbage".to_owned(),
        }
    }

    /// Whether the connection that has it goes on, until the visitor has it replaced.
    pub(crate) fn lasts(self) -> bool {
        matches!(self, Self::Delay(_) | Self::Garbage)
    }

    /// The address that asks for it.
    pub(crate) fn applied_to(self, url: &str) -> String {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}fault={}", self.parameter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_more_parameter_of_the_address() {
        assert_eq!(Fault::Cut.applied_to("ws://host/echo"), "ws://host/echo?fault=drop:0");
        assert_eq!(
            Fault::Close(1012).applied_to("ws://host/ticker?rate=9"),
            "ws://host/ticker?rate=9&fault=close:1012"
        );
    }
}
