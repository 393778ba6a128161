//! Traps and recipients are planted in every encoding over real mail; not one may appear in
//! a byte that a stranger sees (PRI-2, ADV-5, DESIGN §4, invariant 7).
//!
//! One message in fifty; `MAILWARD_PROVE_ROUNDS=50` takes all. Prints how much of the
//! messages is shown at all, because a page that says nothing gives nothing away either.

#[path = "../../answers/tests/canary/mod.rs"]
mod canary;
mod corpus;
mod fixture;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use answers::{Act, EndRules, Ending, Finish, Session, Tell};
use axum::body::Body;
use axum::http::Request;
use canary::{Canary, ENCODINGS, Net};
use http_body_util::BodyExt;
use model::content::{Danger, Spf};
use model::exhibit::{Attachment, HeaderField, Octets, Opinion};
use model::policy::TrapKind;
use model::{Client, Content, Evidence, Exhibit, ExhibitId, Judgement, Name, Rdns, Redacted, Verdict};
use projections::View;
use tower::ServiceExt;

use fixture::{BLOCKED, NOW};

const SITE: &str = "https://mw.example.org";
/// One message in so many, by default.
const STEP: usize = 50;
/// Messages on one page.
const SAMPLES: usize = 5;
/// Fields that are shown, and `HELO` and the like for other places.
const PLACES: [&str; 12] = [
    "Subject",
    "Message-ID",
    "Received",
    "From",
    "Date",
    "Reply-To",
    "To",
    "List-Id",
    "HELO",
    "PTR",
    "sender",
    "name",
];

fn pool() -> Vec<Canary> {
    let bare = [
        "zuzanna.quokka@example.org",
        "xylo_fant-7@example.org",
        "Jaqzim+news@example.com",
        "o'zwiebel@example.org",
    ];
    let whole = ["sales@zwergnase.example", "qz@zwergnase.example"];
    let of = |list: &[&str], bare| list.iter().map(|a| Canary::new(a, bare)).collect::<Vec<_>>();
    [of(&bare, true), of(&whole, false)].concat()
}

#[derive(Default)]
struct Figures {
    messages: usize,
    /// Messages in whose own header the canaries can be read.
    found_before: usize,
    /// Fields of the messages as they came: how many, and how many are shown.
    fields: BTreeMap<&'static str, (usize, usize)>,
    redacting: Duration,
    slowest: Duration,
}

impl Figures {
    fn count(&mut self, of: &Exhibit, shown: &Redacted) {
        for name in ["Subject", "Message-ID", "Received", "From", "Date", "To"] {
            let count = self.fields.entry(name).or_default();
            count.0 += of.fields.iter().filter(|f| f.name.eq_ignore_ascii_case(name.as_bytes())).count();
            // The first Received field is ours.
            let ours = usize::from(name == "Received");
            count.1 += shown.fields.iter().filter(|f| f.name.eq_ignore_ascii_case(name)).count() - ours;
        }
    }

    fn print(&self, corpus: &str) {
        let share = |(all, shown): &(usize, usize)| 100 * shown / (*all).max(1);
        let shown: Vec<_> = self.fields.iter().map(|(name, n)| format!("{name} {} %", share(n))).collect();
        let each = self.redacting.as_micros() / self.messages.max(1) as u128;
        let slowest = self.slowest.as_micros();
        println!(
            "{corpus}: {} messages; shown: {}; {each} µs each, slowest {slowest}",
            self.messages,
            shown.join(", ")
        );
    }
}

fn redact(of: &Exhibit) -> Redacted {
    let ours = ["example.org", "speedy.uwaterloo.ca"].map(|d| d.parse().expect("a domain"));
    answers::redact(of, &|_| "ABCDE23456".to_owned(), &ours)
}

fn exhibit(fields: Vec<HeaderField>, fields_whole: bool) -> Exhibit {
    let to = |f: &&HeaderField| {
        ["to", "cc", "delivered-to"].iter().any(|n| f.name.eq_ignore_ascii_case(n.as_bytes()))
    };
    let words = fields.iter().filter(to).flat_map(|f| f.value.split(|b| b" <>,;\"\t\r\n".contains(b)));
    let recipients = words.filter(|w| w.contains(&b'@')).take(20).map(|w| Octets(w.to_vec())).collect();
    Exhibit {
        at: NOW,
        client: client("mail.example.net", "mail.example.net"),
        received: b" from mail.example.net (mail.example.net [192.0.2.25])\r\n\tby mx.example.org with ESMTP id 4T9K;\r\n\t\
            Sat, 21 Nov 2026 22:40:07 +0000"
            .to_vec(),
        fields,
        fields_whole,
        sender: b"bounce@example.net".to_vec(),
        recipients,
        recipients_more: 0,
        trap: false,
        opinions: Vec::new(),
        attachments: Vec::new(),
        size: 4711,
        body_hash: None,
    }
}

fn client(helo: &str, ptr: &str) -> Client {
    Client {
        addr: "192.0.2.25".parse().expect("an address"),
        port: 41_822,
        helo: Some(Name::new(helo.as_bytes())),
        rdns: Rdns::Confirmed(Name::new(ptr.as_bytes())),
        authenticated: false,
    }
}

/// Writes two canaries into a message: into every seventh field, and into one of the places
/// that are shown.
fn plant(of: &mut Exhibit, n: usize, canaries: [&Canary; 2]) {
    let written = |at: usize| {
        let text =
            canaries[at % 2].written(&ENCODINGS[(n + at) % ENCODINGS.len()], (n + at).is_multiple_of(3));
        if at.is_multiple_of(5) { format!("-{text}-") } else { format!(" {text} ") }
    };
    for (at, field) in of.fields.iter_mut().enumerate().filter(|(at, _)| (at + n).is_multiple_of(7)) {
        let half = field.value.len() / 2;
        let place = if at % 2 == 0 { half } else { field.value.len() };
        field.value.splice(place..place, written(at).into_bytes());
    }
    let text = written(n);
    let (word, place) = (text.trim(), PLACES[n % PLACES.len()]);
    let value = match place {
        "From" | "Reply-To" => format!(" <x@{word}.example.net>"),
        "Message-ID" | "List-Id" => format!(" <{word}@example.net>"),
        "Received" => format!(" from {word} by x.example.net id {word} for <{word}>; {word}"),
        _ => text.clone(),
    };
    match place {
        "HELO" => of.client.helo = Some(Name::new(format!("{word}.example.net").as_bytes())),
        "PTR" => of.client.rdns = Rdns::Confirmed(Name::new(format!("a.{word}.example.net").as_bytes())),
        "sender" => of.sender = format!("x@{word}.example.net").into_bytes(),
        "name" => of.fields.push(HeaderField { name: format!("X-{word}").into(), value: b" 1".to_vec() }),
        _ => of.fields.push(HeaderField { name: place.into(), value: value.into() }),
    }
    of.recipients.extend(canaries.map(|c| Octets(c.address.as_bytes().to_vec())));
    let words = vec![Name::new(text.as_bytes()), Name::new(b"R_SPF_FAIL")];
    let judgement = Some(Judgement::Spam);
    of.opinions.push(Opinion { source: Name::new(b"rspamd"), judgement, score: Some(1250), tests: words });
    of.attachments.push(Attachment {
        name: format!("a{text}.zip/b.exe").into(),
        kind: Name::new(b"exe"),
        fault: None,
    });
}

/// All that stands in a redacted exhibit.
fn bytes(of: &Redacted) -> Vec<u8> {
    let fields = of.fields.iter().map(|f| format!("{}: {}", f.name, f.value));
    let more = [of.withheld.join(" "), format!("{:?} {:?}", of.attachments, of.opinions)];
    fields.chain(more).collect::<Vec<_>>().join("\n").into_bytes()
}

/// What a client hears at RCPT and at the end of a message, and what the message is marked
/// with, when its names hold a canary.
fn replies(view: &View, text: &str) -> String {
    let session = Session {
        helo: Some(text.as_bytes()),
        sender: Some(text.as_bytes()),
        recipient: Some(text.as_bytes()),
        ..Session::new("192.0.2.25".parse().expect("an address"), NOW)
    };
    let Tell::Refuse(reply) = answers::answer(&session, view, NOW).tell else { panic!("not refused") };
    let content = Content { spf: Spf::Fail, attachment: Danger::Refused, ..Content::default() };
    let verdict =
        Verdict { queue: None, judgement: Judgement::Spam, score: Some(99), source: Name::new(b"rspamd") };
    let mut said = format!("{}\n{}\n", reply.get().short(), reply.get().long());
    for attachment in [Act::Refuse, Act::Pass] {
        let rules = EndRules { attachment, spam: Act::Refuse, ..EndRules::default() };
        let ending = Ending {
            addr: session.addr,
            trusted: false,
            content: &content,
            verdict: Some(&verdict),
            sender_is_ours: false,
            desk: false,
            exempt: false,
            first_hit: false,
            burst: false,
            score: None,
            case: None,
            bounces: None,
            would: None,
        };
        let ended = answers::at_end(&ending, &rules, view);
        let Finish::Refuse(reply) = ended.tell else { panic!("not refused") };
        said += &format!("{}\n{}\n{}\n", reply.get().short(), reply.get().long(), ended.mark);
    }
    said
}

/// The page of a case with these messages, and its JSON twin.
async fn page(of: Vec<(Exhibit, Redacted)>) -> String {
    let mut samples: Vec<Evidence> = Vec::new();
    let mut exhibits = Vec::new();
    for (n, (exhibit, redacted)) in of.into_iter().enumerate() {
        let id = ExhibitId([u8::try_from(n).expect("few"); 16]);
        let trap = exhibit.trap.then_some(TrapKind::Pristine);
        let plain = fixture::evidence(b"", b"", trap, n as u64);
        samples.push(Evidence { client: exhibit.client, exhibit: Some(id), ..plain });
        exhibits.push((id, redacted));
    }
    let view = fixture::view(SITE);
    let path = fixture::path(&view, BLOCKED);
    let router = portal::router(fixture::portal_with(view, samples, exhibits));
    let mut all = String::new();
    for path in [path.clone(), format!("{path}.json")] {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let body = router.clone().oneshot(request).await.expect("an answer").into_body();
        let bytes = body.collect().await.expect("a body").to_bytes();
        assert!(bytes.len() < 50_000, "{} octets", bytes.len());
        all += std::str::from_utf8(&bytes).expect("UTF-8");
    }
    all
}

struct Run {
    net: Net,
    pool: Vec<Canary>,
    figures: Figures,
    waiting: Vec<(Exhibit, Redacted)>,
    pages: Vec<Vec<(Exhibit, Redacted)>>,
}

impl Run {
    fn message(&mut self, fields: Vec<HeaderField>, whole: bool) {
        let mut of = exhibit(fields, whole);
        let begun = Instant::now();
        let shown = redact(&of);
        let took = begun.elapsed();
        let figures = &mut self.figures;
        (figures.redacting, figures.slowest) = (figures.redacting + took, figures.slowest.max(took));
        figures.messages += 1;
        figures.count(&of, &shown);
        let n = figures.messages;
        let canaries = [&self.pool[n % self.pool.len()], &self.pool[(n + 1) % self.pool.len()]];
        plant(&mut of, n, canaries);
        of.trap = n.is_multiple_of(4);
        let written = of.fields.iter().flat_map(|f| [f.name.as_slice(), b":", &f.value, b"\n"].concat());
        figures.found_before += usize::from(self.net.found(&written.collect::<Vec<_>>()).is_some());
        let shown = redact(&of);
        assert_eq!(self.net.found(&bytes(&shown)), None, "{shown:#?}");
        self.waiting.push((of, shown));
        if self.waiting.len() == SAMPLES {
            self.pages.push(std::mem::take(&mut self.waiting));
        }
    }
}

fn step() -> usize {
    let rounds = std::env::var("MAILWARD_PROVE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    (STEP / rounds).max(1)
}

#[tokio::test]
async fn no_canary_is_in_any_public_byte() {
    let pool = pool();
    let view = fixture::view(SITE);
    for canary in &pool {
        let net = Net::new([canary]);
        for encoding in ENCODINGS {
            assert_eq!(net.found(replies(&view, &canary.written(encoding, true)).as_bytes()), None);
        }
    }
    for corpus in corpus::CORPORA {
        let Some(archive) = corpus::archive(corpus) else { continue };
        let (net, pool, figures) = (Net::new(&pool), pool.clone(), Figures::default());
        let mut run = Run { net, pool, figures, waiting: Vec::new(), pages: Vec::new() };
        let taken = corpus::read(&archive, step(), &mut |fields, whole| run.message(fields, whole));
        for messages in std::mem::take(&mut run.pages) {
            assert_eq!(run.net.found(page(messages).await.as_bytes()), None);
        }
        run.figures.print(corpus);
        let found = run.figures.found_before;
        assert!(
            found * 10 > taken * 9,
            "{corpus}: canaries are found in {found} of {taken} messages as they came"
        );
        let (subjects, shown) = run.figures.fields["Subject"];
        assert!(
            taken > 80 && shown * 2 > subjects,
            "{corpus}: {shown} of {subjects} subjects of {taken} messages"
        );
    }
}
