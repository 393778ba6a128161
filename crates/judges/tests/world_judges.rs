//! Real clamd, rspamd and spamd, each out of a temporary folder on a socket of its own.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where they are installed (`cargo xtask test world`
//! sees to that); says `skipped: …` elsewhere. Nothing of the machine's own services is
//! touched, and nothing leaves the machine: only local signatures and rules.

mod letters;
mod world;

use std::sync::Arc;
use std::time::Duration;

use judges::clamd::Clamd;
use judges::judge::{Answer, Judge, Unknown};
use judges::rspamd::Rspamd;
use judges::seat::{Limits, Panel, Seat};
use judges::spamd::Spamd;
use model::letter::Letter;
use model::{Judgement, Name};

use world::filters::{CLAMD, Filter, RSPAMD, SPAMD};
use world::samples::{eicar, gtube};
use world::{mail, mail_with_zip, missing, place};

const LIMITS: Limits = Limits { deadline: Duration::from_secs(60), size_max: 1024 * 1024, at_once_max: 4 };

fn seat(name: &str, judge: impl Judge) -> Panel {
    Panel::new(vec![Seat::new(Name::new(name.as_bytes()), judge, LIMITS)])
}

async fn hear(panel: &Panel, letter: Letter) -> Answer {
    panel.hear(Arc::new(letter)).await.remove(0).1
}

/// Judgement and first test, as text.
async fn said(panel: &Panel, letter: Letter) -> String {
    match hear(panel, letter).await {
        Answer::Said(said) => {
            let test = said.tests.first().map(ToString::to_string).unwrap_or_default();
            said.judgement.map_or("nothing".into(), |judgement| format!("{judgement:?} {test}"))
        }
        Answer::Unknown(why) => why.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clamd_finds_what_it_knows() {
    if let Some(reason) = missing(&[CLAMD]) {
        return println!("skipped: {reason}");
    }
    let daemon = Filter::clamd().ready();
    let panel = seat("clamd", Clamd::new(place(&daemon)));
    let virus = "Virus eicar-test-signature.unofficial";
    assert_eq!(said(&panel, mail(&eicar())).await, virus, "raw");
    assert_eq!(
        said(&panel, mail_with_zip("invoice.com", eicar().as_bytes())).await,
        virus,
        "in a zip in MIME"
    );
    assert_eq!(said(&panel, mail("Lunch at noon?")).await, "nothing", "ham");
    let counts = panel.seats().next().expect("a seat").counts();
    assert_eq!((counts.asked, counts.answered), (3, 3));
    killed_midway(panel, daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spamd_knows_spam_from_ham() {
    if let Some(reason) = missing(&[SPAMD]) {
        return println!("skipped: {reason}");
    }
    let daemon = Filter::spamd().ready();
    let panel = seat("spamd", Spamd::new(place(&daemon), None));
    let Answer::Said(spam) = hear(&panel, mail(&gtube())).await else { panic!("expected an answer") };
    assert_eq!(spam.judgement, Some(Judgement::Spam));
    assert!(spam.score >= Some(100_000) && spam.tests.contains(&Name::new(b"GTUBE")), "{spam:?}");
    assert!(said(&panel, mail("Lunch at noon?")).await.starts_with("Ham"));
    killed_midway(panel, daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rspamd_knows_spam_from_ham() {
    if let Some(reason) = missing(&[RSPAMD]) {
        return println!("skipped: {reason}");
    }
    let daemon = Filter::rspamd().ready();
    let panel = seat("rspamd", Rspamd::new(place(&daemon), None));
    for _ in 0..2 {
        assert_eq!(said(&panel, mail(&gtube())).await, "Spam gtube");
        assert!(said(&panel, mail("Lunch at noon?")).await.starts_with("Ham"));
    }
    let Answer::Said(ham) = hear(&panel, mail("Lunch at noon?")).await else { panic!("expected an answer") };
    // It heard of the client from us: a name, one hop, a recipient.
    let hit = |name: &str| ham.tests.contains(&Name::new(name.as_bytes()));
    assert!(!hit("HFILTER_HOSTNAME_UNKNOWN") && hit("RCVD_COUNT_ONE"), "{ham:?}");
    killed_midway(panel, daemon).await;
}

/// A judge that stops in the midst of a question and dies is unknown, and so is a dead one.
async fn killed_midway(panel: Panel, daemon: Filter) {
    daemon.signal("STOP");
    let asked = tokio::spawn({
        let panel = panel.clone();
        async move { hear(&panel, mail("Lunch at noon?")).await }
    });
    // Either it was asked already, or it will find nobody: both are the same to us.
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(daemon);
    for got in [asked.await.expect("no panic"), hear(&panel, mail("Lunch at noon?")).await] {
        assert!(matches!(got, Answer::Unknown(Unknown::Unreachable(_))), "{got:?}");
    }
}
