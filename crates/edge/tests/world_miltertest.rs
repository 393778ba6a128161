//! The milter before OpenDKIM's `miltertest`, which plays the MTA from scripts.
//!
//! Runs with `MAILWARD_WORLD=1` where `miltertest` is installed; says `skipped: …` elsewhere.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use answers::ConnectionScore;
use answers::texts::too_often;
use edge::milter::{About, Config, EndTell, Ending, Inspection, Inspector, Means, Running, Scorer, serve};
use edge::{Clock, Full, Intake, Persons, Published};
use model::{Client, Fact, Letter, Millis, Mode, Name, Observation, Protected, Rejection, Site};
use projections::View;

const PROGRAM: &str = "/usr/bin/miltertest";

/// Why it can not be had here, if it can not.
fn missing() -> Option<String> {
    if std::env::var("MAILWARD_WORLD").as_deref() != Ok("1") {
        return Some("MAILWARD_WORLD is not 1 (cargo xtask test world)".into());
    }
    (!Path::new(PROGRAM).exists()).then(|| format!("{PROGRAM} is not installed"))
}

fn site() -> Site {
    Site {
        portal: "https://mw.example.org".into(),
        contact: "postmaster@example.org".into(),
        exempt_local: vec!["postmaster".into()],
        may_refuse: true,
        ..Site::default()
    }
}

/// Refuses who says `refused.example`, defers what has `later` for a subject, keeps what it
/// hears.
#[derive(Default)]
struct Program(Mutex<Vec<Observation>>);

impl Intake for Program {
    fn offer(&self, seen: Observation) -> Result<(), Full> {
        self.0.lock().expect("nobody panicked").push(seen);
        Ok(())
    }
}

impl Scorer for Program {
    fn score(&self, client: &Client, _: answers::MailPath, _: &View, _: Millis) -> ConnectionScore {
        let refused = client.helo.as_ref().is_some_and(|name| name.as_bytes() == b"refused.example");
        ConnectionScore {
            quarters: if refused { ConnectionScore::REFUSE } else { 0 },
            heaviest: [None; 2],
            line: false,
        }
    }
}

impl Inspector for Program {
    fn inspect(&self, letter: Letter, _: About) -> Inspection {
        let tell = match letter.first("Subject").map(<[u8]>::trim_ascii) {
            Some(b"later") => EndTell::TempFail(too_often(&site(), letter.client.addr, None)),
            _ => EndTell::Pass,
        };
        Inspection::Done(Ending { tell, insert: vec![(b"X-Mailward".to_vec(), b"ham".to_vec())] })
    }
}

/// Runs a script against a milter of its own; what the milter reported, and its counters.
fn run(script: &str) -> (Vec<Fact>, edge::milter::Counts) {
    let program = Arc::new(Program::default());
    let running = start(&program);
    let addr = running.tcp_addr().expect("it listens on TCP");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/miltertest").join(script);
    let place = format!("place=inet:{}@{}", addr.port(), addr.ip());
    let ran = Command::new("timeout").args(["60", PROGRAM, "-v", "-D", &place, "-s"]).arg(path).output();
    let ran = ran.expect("coreutils have timeout");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{script}: {} {said}", ran.status);
    let counts = running.counters();
    running.stop();
    let facts = program.0.lock().expect("nobody panicked").iter().map(|seen| seen.fact.clone()).collect();
    (facts, counts)
}

fn start(program: &Arc<Program>) -> Running {
    let protected = Arc::new(Protected::new(Vec::new(), true, 0));
    let view = View { mode: Mode::Live, ..View::empty(Arc::new(site()), protected, [1, 2]) };
    let means = Means {
        views: Arc::new(Published::new(view)),
        intake: program.clone(),
        clock: Clock::start(None).0,
        persons: Persons::new([7; 16]),
    };
    let config = Config {
        tcp: Some(([127, 0, 0, 1], 0).into()),
        trust_local: true,
        inspector: Some(program.clone()),
        scorer: Some(program.clone()),
        ..Config::new(Name::new(b"mx.example.org"))
    };
    serve(config, means).expect("a free port")
}

#[test]
fn a_clean_message_passes_and_gets_its_field() {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    let (facts, counts) = run("clean.lua");
    assert!(matches!(facts.as_slice(), [Fact::Attempt(_)]), "{facts:?}");
    assert_eq!((counts.messages, counts.malformed, counts.oversize), (1, 0, 0));
}

#[test]
fn a_refused_client_is_refused_recipient_by_recipient() {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    let (facts, counts) = run("refused.lua");
    let rejected = facts.iter().filter(|f| matches!(f, Fact::Rejected(r) if r.why == Rejection::UnknownUser));
    assert_eq!((rejected.count(), facts.len()), (1, 4), "{facts:?}");
    assert_eq!((counts.refused, counts.rejected, counts.recipients), (2, 1, 5));
}

#[test]
fn the_end_of_a_message_is_answered_as_its_inspector_says() {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    let (_, counts) = run("ended.lua");
    assert_eq!((counts.messages, counts.stopped, counts.forged), (2, 1, 1));
}
