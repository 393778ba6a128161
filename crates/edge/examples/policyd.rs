//! A policy server without an engine: answers from an empty view, forgets what it hears.
//!
//! For load tests of the answering path: `policyd 127.0.0.1:12340 [THREADS] [SECONDS]`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use edge::policy::{Config, Means, serve};
use edge::{Clock, Full, Intake, Persons, Published};
use model::{Name, Observation, Protected, Site};
use projections::View;

struct Forgets;

impl Intake for Forgets {
    fn offer(&self, _: Observation) -> Result<(), Full> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args().skip(1);
    let addr: SocketAddr = args.next().ok_or("expected an address, such as 127.0.0.1:12340")?.parse()?;
    let threads = args.next().map_or(Ok(1), |n| n.parse())?;
    let seconds = args.next().map_or(Ok(600), |n| n.parse())?;
    let protected = Arc::new(Protected::new(Vec::new(), false, 0));
    let view = View::empty(Arc::new(Site::default()), protected, [1, 2]);
    let means = Means {
        views: Arc::new(Published::new(view)),
        intake: Arc::new(Forgets),
        clock: Clock::start(None).0,
        persons: Persons::new([7; 16]),
    };
    let config =
        Config { tcp: Some(addr), threads, trust_local: true, ..Config::new(Name::new(b"mx.example.org")) };
    let running = serve(config, means)?;
    thread::sleep(Duration::from_secs(seconds));
    println!("{:?}", running.counters());
    Ok(())
}
