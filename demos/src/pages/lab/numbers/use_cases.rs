//! The use cases A, B and C of Lubbers and Greco, “HTML5 WebSocket: A Quantum Leap in Scalability for the Web” (2010): so many clients
//! with one message a second each, and what the overhead alone takes of the network.

/// The bytes of headers that the paper measured for one poll, and of a WebSocket frame.
pub(in crate::pages::lab) const PAPER_POLLING: f64 = 871.0;
pub(in crate::pages::lab) const PAPER_SOCKET: f64 = 2.0;

pub(in crate::pages::lab) struct UseCase {
    pub(in crate::pages::lab) name: &'static str,
    pub(in crate::pages::lab) clients: u32,
}

pub(in crate::pages::lab) const USE_CASES: [UseCase; 3] = [
    UseCase { name: "A", clients: 1_000 },
    UseCase { name: "B", clients: 10_000 },
    UseCase { name: "C", clients: 100_000 },
];

/// Megabits a second for so many bytes a second of each client, in the paper's unit: 2^20 bits.
pub(in crate::pages::lab) fn megabits(clients: u32, bytes: f64) -> f64 {
    f64::from(clients) * bytes * 8.0 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_the_paper_come_out_of_its_bytes() {
        let polling = USE_CASES.map(|case| format!("{:.1}", megabits(case.clients, PAPER_POLLING)));
        assert_eq!(polling, ["6.6", "66.5", "664.5"]);
        let socket = USE_CASES.map(|case| format!("{:.3}", megabits(case.clients, PAPER_SOCKET)));
        assert_eq!(socket, ["0.015", "0.153", "1.526"]);
    }
}
