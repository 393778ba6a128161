//! A milter without an engine: answers from an empty view, forgets what it hears.
//!
//! For load tests, and to try it behind a real MTA:
//! `milterd 127.0.0.1:12341|/path/of/socket [THREADS] [SECONDS] [show]`. With `show` it prints
//! what it sees, puts two header fields on each message and refuses clients that say
//! `EHLO refused.example`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use answers::ConnectionScore;
use edge::milter::{About, Config, EndTell, Ending, Inspection, Inspector, Means, Scorer, serve};
use edge::{Clock, Full, Intake, Persons, Published};
use model::{Client, Letter, Millis, Mode, Name, Observation, Protected, Site};
use projections::View;

struct Sees {
    show: bool,
}

impl Intake for Sees {
    fn offer(&self, seen: Observation) -> Result<(), Full> {
        if self.show {
            println!("{seen:?}");
        }
        Ok(())
    }
}

impl Inspector for Sees {
    fn inspect(&self, letter: Letter, about: About) -> Inspection {
        if !self.show {
            return Inspection::Done(Ending::default());
        }
        println!("{about:?} {letter:?}\n{}", letter.raw().escape_ascii());
        let results = b"mx.example.org;\r\n\tspf=none smtp.mailfrom=example.net".to_vec();
        let insert =
            vec![(b"Authentication-Results".to_vec(), results), (b"X-Mailward".to_vec(), b"ham".to_vec())];
        Inspection::Done(Ending { tell: EndTell::Pass, insert })
    }
}

impl Scorer for Sees {
    fn score(&self, client: &Client, _: answers::MailPath, _: &View, _: Millis) -> ConnectionScore {
        let refused = client.helo.as_ref().is_some_and(|name| name.as_bytes() == b"refused.example");
        ConnectionScore { quarters: if refused { 16 } else { 0 }, heaviest: [None; 2], line: false }
    }
}

fn view() -> View {
    let site = Site {
        portal: "https://mw.example.org".into(),
        contact: "postmaster@example.org".into(),
        may_refuse: true,
        ..Site::default()
    };
    let protected = Arc::new(Protected::new(Vec::new(), true, 0));
    View { mode: Mode::Live, ..View::empty(Arc::new(site), protected, [1, 2]) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args().skip(1);
    let place = args.next().ok_or("expected an address, such as 127.0.0.1:12341, or a path")?;
    let threads = args.next().map_or(Ok(1), |n| n.parse())?;
    let seconds = args.next().map_or(Ok(600), |n| n.parse())?;
    let sees = Arc::new(Sees { show: args.next().is_some() });
    let means = Means {
        views: Arc::new(Published::new(view())),
        intake: sees.clone(),
        clock: Clock::start(None).0,
        persons: Persons::new([7; 16]),
    };
    let mut config = Config {
        threads,
        trust_local: true,
        inspector: Some(sees.clone()),
        scorer: Some(sees),
        ..Config::new(Name::new(b"mx.example.org"))
    };
    match place.parse() {
        Ok(addr) => config.tcp = Some(addr),
        Err(_) => config.unix = Some(PathBuf::from(place)),
    }
    let running = serve(config, means)?;
    thread::sleep(Duration::from_secs(seconds));
    println!("{:?}", running.counters());
    Ok(())
}
