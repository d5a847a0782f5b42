//! How many clients come back when their server does, and how fast one client does when its network does.
//!
//! `cargo run -p everwire-core --release --example herd [CLIENTS]`

mod blip;
mod crowd;
mod percentile;

use std::time::Duration;

use crowd::Crowd;
use percentile::percentile;

const BLIPS: u64 = 2_000;

fn main() {
    let clients = match std::env::args().nth(1).map(|number| number.parse()) {
        None => 10_000,
        Some(Ok(clients)) if clients > 0 => clients,
        Some(_) => {
            eprintln!("usage: herd [CLIENTS], a number of at least 1 (10000 if not given)");
            std::process::exit(2);
        }
    };
    let crowd = Crowd::lose_server(clients);
    println!("{clients} clients with the default settings lose their server at once; it refuses all of them for 60 s.");
    println!("They make {} attempts, at most {} of them in any 100 ms.", crowd.attempts, crowd.peak_per_100ms);
    println!("After its return the last client is back within {:.1} s.", seconds(&crowd.back, 100.0));

    let reported = blip::returns(BLIPS, blip::Browser::Reports);
    let kept = blip::returns(BLIPS, blip::Browser::ReportsAndKeepsTheSocket);
    let silent = blip::returns(BLIPS, blip::Browser::OnlyCloses);
    println!("{BLIPS} single clients lose their network for 1 s; how long after its return they are back, in s:");
    println!("                                                 p50    p95    max");
    row("the browser reports offline, then online        ", &reported);
    row("the same, and the socket outlives the blip      ", &kept);
    row("the browser only closes with 1006, as for a crash", &silent);
    println!("peak_per_100ms={}", crowd.peak_per_100ms);
    println!("attempts_per_client={:.1}", crowd.attempts as f64 / clients as f64);
    println!("back_99_s={:.2}", seconds(&crowd.back, 99.0));
    println!("blip_p95_s={:.2}", seconds(&reported, 95.0));
}

fn row(name: &str, returns: &[Duration]) {
    let [p50, p95, max] = [50.0, 95.0, 100.0].map(|percent| seconds(returns, percent));
    println!("{name} {p50:6.2} {p95:6.2} {max:6.2}");
}

fn seconds(durations: &[Duration], percent: f64) -> f64 {
    percentile(durations, percent).as_secs_f64()
}
