//! A process that holds a part of the connections, and does what it is told on stdin.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::{self, Company, Roots, Signal};
use crate::clock::Clock;
use crate::files;
use crate::meter::Meter;
use crate::orders::{Assignment, Order};
use crate::plan::Plan;

/// Serves as a worker process until it is told to end, or until stdin ends, which means that the program has gone.
///
/// # Errors
/// What it is told cannot be read, or nobody reads what it tells.
pub fn serve() -> io::Result<()> {
    files::raise_limit();
    let mut first = String::new();
    io::stdin().lock().read_line(&mut first)?;
    let Assignment { plan, process } = serde_json::from_str(&first)?;
    let (orders, inbox) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let order = line.and_then(|line| Ok(serde_json::from_str(&line)?));
            if orders.send(order).is_err() {
                return;
            }
        }
    });
    let runtime = runtime(plan.threads)?;
    let served = runtime.block_on(work(Arc::new(plan), process, inbox));
    // The thread that reads stdin may wait for ever.
    runtime.shutdown_background();
    served
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

async fn work(plan: Arc<Plan>, process: u32, mut orders: mpsc::UnboundedReceiver<io::Result<Order>>) -> io::Result<()> {
    let clock = Clock::start();
    let meter = Arc::new(Meter::default());
    let (signals, signal) = watch::channel(Signal::Connect);
    let roots = Roots::new(&plan);
    let company = Company { plan, clock, meter: Arc::clone(&meter), signal, roots };
    let opening = tokio::spawn(open(company, process));
    while let Some(order) = orders.recv().await {
        match order? {
            Order::Report => tell(&serde_json::to_string(&meter.take())?)?,
            Order::Load(window) => {
                signals.send_replace(Signal::Load(window.map(|micros| clock.instant(micros))));
            }
            Order::Stop => {
                signals.send_replace(Signal::Stop);
            }
            Order::End => {
                signals.send_replace(Signal::End);
                if let Ok(clients) = opening.await {
                    clients.join_all().await;
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Opens the connections one after the other, each at its time, until all are open or the program wants to end.
async fn open(company: Company, process: u32) -> JoinSet<()> {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    let mut signal = company.signal.clone();
    for part in company.plan.parts_of(process) {
        tokio::select! {
            () = sleep_until(start + company.plan.opens_at(part.number)) => {}
            _ = signal.wait_for(|signal| *signal == Signal::End) => break,
        }
        clients.spawn(client::run(company.clone(), part));
    }
    clients
}

fn tell(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
