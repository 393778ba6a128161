//! OFF-20, bots: computers that greet with ever other names, or badly while they do what bots do.
//!
//! Needs: HELO and reverse DNS of each session; traps, unknown recipients and early talk where
//! sensors see them. Three ways, both without a look at the volume (A.4, `bot`):
//!
//! - Five organisations in the HELO names of one hour, in ten sessions, or ten in a day. None
//!   of them may be the organisation of the client's own name in DNS.
//! - A greeting that no mail server uses (a bare word, a bare address, `localhost.localdomain`)
//!   within a day of a trap hit (one whose message was seen, or by a client without a
//!   confirmed name), of twenty unknown recipients, or of talk before our greeting.
//!   Alone it only scores.
//!
//! - The marks of a family of bots from a list that is reviewed, two at least.
//!
//! False positives come from: servers of many customers (known, shared and declared ones are
//! exempt; as many DKIM signers as HELO names are, too), several mail servers behind one address (G-NAT: two
//! names that fit its DNS name ask for two signals), and a resolver that fails: a session
//! without an answer about reverse DNS is not counted.

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::name::DomainHash;
use model::observation::Habit;
use model::policy::BotRule;
use model::signatures::{SIGNATURES_MAX, Signature, Unnamed};
use model::window::Window;
use model::{Class, Client, Finding, Millis, Name, Offence, Secs, Units};

use crate::backscatter;
use crate::distinct::Recent;
use crate::helo::HeloClass;
use crate::org::org;
use crate::rdns::RdnsClass;
use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// Organisations and signers that are told apart: twice the largest limit.
const NAMES_MAX: usize = 64;
/// Names that fit the client's own: two make a NAT.
const FITTING_MAX: usize = 2;
/// Unknown recipients of a day that count as a signal: what OFF-5 asks of ten minutes.
const UNKNOWN: u64 = 20;
/// Signers that may have come before we began to count, or with the message that is still
/// on its way.
const SIGNERS_SLACK: u64 = 2;

/// How a session's client greeted, as far as it can be held against its name in DNS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Greeting {
    /// Fragment of a hash of the HELO name.
    pub name: u32,
    /// The same of its organisation.
    pub org: u32,
    /// It is the organisation of the client's confirmed name.
    pub fits: bool,
}

impl Greeting {
    /// The greeting of a client; `None` where there is no name, or DNS gave no answer.
    pub fn of(client: &Client, hash: impl Fn(&[u8]) -> u64) -> Option<Greeting> {
        let name = client.helo.as_ref()?.as_bytes();
        let is_name = name.contains(&b'.') && !name.starts_with(b"[");
        if !is_name || matches!(client.rdns, model::Rdns::Unknown) {
            return None;
        }
        let own = client.rdns.confirmed().map(|own| organisation(own.as_bytes()));
        let org = organisation(name);
        // A hash of 0 stands for nothing.
        let fragment = |bytes| (hash(bytes) as u32).max(1);
        Some(Greeting { name: fragment(name), org: fragment(org), fits: own == Some(org) })
    }
}

/// The organisation of a name; of one that the public suffix list does not know, its last
/// two labels.
fn organisation(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b".").unwrap_or(name);
    org(name).unwrap_or_else(|| {
        let mut dots = name.iter().enumerate().rev().filter(|(_, b)| **b == b'.');
        dots.nth(1).map_or(name, |(at, _)| &name[at + 1..])
    })
}

/// What is known of a key that always greets alike, as most do.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, PartialEq)]
pub struct First {
    /// Fragments of its HELO name and organisation; 0 before the first greeting.
    #[n(0)]
    name: u32,
    #[n(1)]
    org: u32,
    /// The minute from which its sessions are counted.
    #[n(2)]
    minute: u32,
    /// Sessions in the hour after that.
    #[n(3)]
    sessions: u16,
    #[n(4)]
    fits: bool,
}

impl First {
    /// Takes a greeting that is the same as before; `false` for another.
    fn takes(&mut self, greeting: Greeting, at: Millis) -> bool {
        let Greeting { name, org, fits } = greeting;
        if self.name != 0 && self.name != name {
            return false;
        }
        let minute = at.minute();
        if self.name == 0 || minute.saturating_sub(self.minute) >= 60 {
            *self = First { name, org, minute, sessions: 0, fits };
        }
        self.sessions = self.sessions.saturating_add(1);
        true
    }
}

/// What is remembered of a key that changes its greeting, or greets badly.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Habits>>);

/// The habits of a key.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Habits {
    /// Organisations in HELO names that do not fit.
    #[n(0)]
    orgs: Recent,
    #[n(1)]
    sessions_hour: Window,
    /// HELO names that fit.
    #[n(2)]
    fitting: Recent,
    /// Domains whose DKIM signatures held.
    #[n(3)]
    signers: Recent,
    /// When it last greeted as no mail server does, in minutes; 0 is never.
    #[n(4)]
    greeted_badly: u32,
    /// Kinds of signals, each with its time: [`Signal`].
    #[n(5)]
    signals: Recent,
    /// Families whose greeting it showed, each with its last time, where conduct decides.
    #[n(6)]
    #[cbor(default)]
    families: Recent,
}

/// What a mail server does not do.
#[derive(Clone, Copy)]
enum Signal {
    Trap = 1,
    Dictionary = 2,
    EarlyTalk = 3,
    NonSmtp = 4,
}

impl Signal {
    /// How many kinds there are.
    const COUNT: usize = 4;
}

impl Slot {
    /// Whether the key showed the greeting of the `n`th family within a day.
    pub fn greeted_as(&self, n: u32, now: Millis) -> bool {
        self.0.as_ref().is_some_and(|habits| habits.families.holds(n, Secs::DAY, now))
    }

    /// Whether several mail servers stand behind the key's address (G-NAT): two HELO names of
    /// the last day fit its name in DNS.
    pub fn is_nat(&self, now: Millis) -> bool {
        self.0.as_ref().is_some_and(|habits| habits.fitting.count(Secs::DAY, now) >= 2)
    }
}

/// The detector.
pub struct Bot;

impl Detector for Bot {
    fn offence(&self) -> Offence {
        Offence::Bot
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        if around.class > Class::Unknown {
            return None;
        }
        let facts = family(seen, of, around).or_else(|| self.facts(seen, of, around))?;
        Some(Finding { offence: Offence::Bot, key: seen.key, at: seen.at, facts })
    }
}

impl Bot {
    fn facts(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<model::Facts> {
        match &seen.act {
            Act::Attempt { opens_session, trap, awaited, .. } => {
                // A welcome to a trap is told from spam at its end alone (DESIGN §8, OFF-2).
                let hit = trap.is_some() && !awaited && !seen.traits.rdns.is_confirmed();
                let hit = hit.then_some(Signal::Trap);
                match *opens_session || hit.is_some() {
                    true if is_bad(seen.traits.helo) => signal(hit, seen, of, around),
                    true => self.greeted(seen, of, around).or_else(|| signal(hit, seen, of, around)),
                    false => None,
                }
            }
            Act::Ended(ended) => {
                note_signer(of, ended.content.dkim, seen.at);
                let hit = !ended.traps.is_empty() && !backscatter::is_mild(ended.content.shape);
                signal(hit.then_some(Signal::Trap), seen, of, around)
            }
            Act::Rejected { unknown: true, .. } => {
                let many = of.unknown_recipients(seen.at) >= UNKNOWN;
                signal(many.then_some(Signal::Dictionary), seen, of, around)
            }
            Act::Conduct(habit) => signal(of_conduct(*habit), seen, of, around),
            _ => None,
        }
    }

    /// A session began.
    fn greeted(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<model::Facts> {
        let greeting = around.beside.greeting?;
        let known = of.rare_if_any().is_some_and(|rare| rare.bot.0.is_some());
        if !known && of.greeted.takes(greeting, seen.at) {
            return None;
        }
        let first = std::mem::take(&mut of.greeted);
        let habits = habits(of);
        habits.begin(first);
        let is_new = habits.meet(greeting, seen.at);
        let facts = habits.variety(seen.at, around);
        if is_new {
            of.account.add(Offence::Bot, seen.at, Units::whole(1));
        }
        facts.filter(|_| !greeting.fits)
    }
}

fn of_conduct(what: Habit) -> Option<Signal> {
    match what {
        Habit::EarlyTalk => Some(Signal::EarlyTalk),
        Habit::NonSmtp => Some(Signal::NonSmtp),
        _ => None,
    }
}

/// Classes b, c and i: no mail server greets so.
fn is_bad(helo: HeloClass) -> bool {
    matches!(helo, HeloClass::BareWord | HeloClass::RawAddress | HeloClass::Localdomain)
}

fn habits(of: &mut Record) -> &mut Habits {
    of.rare().bot.0.get_or_insert_default()
}

/// A signal of bots, or a bad greeting: do they stand together?
fn signal(new: Option<Signal>, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<model::Facts> {
    if new.is_none() && !is_bad(seen.traits.helo) {
        return None;
    }
    let (at, is_nat) = (seen.at, of.is_nat(seen.at));
    let habits = habits(of);
    if let Some(new) = new {
        habits.signals.meet(new as u32, 1, at, Secs::DAY, Signal::COUNT);
    }
    if is_bad(seen.traits.helo) {
        habits.greeted_badly = at.minute();
    }
    let badly = u64::from(at.minute().saturating_sub(habits.greeted_badly)) < Secs::DAY.0 / 60;
    let signals = habits.signals.count(Secs::DAY, at);
    let limit = around.least(if is_nat { 2 } else { 1 });
    if !badly || signals == 0 {
        return None;
    }
    of.account.add(Offence::Bot, at, Units::whole(1));
    let class = (Measure::HeloClass, seen.traits.helo as u64);
    let facts = vec![(Measure::BotSignals, signals), (Measure::LimitBotSignals, limit), class];
    (signals >= limit).then_some(facts)
}

/// Whether all marks of a family come together: those of the session, and conduct of a day.
fn family(seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<model::Facts> {
    let (opens, habit) = match seen.act {
        Act::Attempt { opens_session, .. } => (opens_session, None),
        Act::Conduct(habit) => (false, Some(habit)),
        _ => return None,
    };
    let at = seen.at;
    let mut found = None;
    for (n, one) in (0u32..).zip(&around.policy.bot.signatures).filter(|(_, one)| at < one.until) {
        let greets = around.beside.families & (1 << n) != 0 && is_unnamed(one, seen.traits.rdns);
        let did = one.conduct.is_none_or(|asked| habit == Some(asked) || of.did(asked, at));
        if opens && greets && one.conduct.is_some() {
            habits(of).families.meet(n, 1, at, Secs::DAY, SIGNATURES_MAX);
        }
        let greeted = || of.greeted_as(n, at);
        if did && ((opens && greets) || (habit.is_some() && habit == one.conduct && greeted())) {
            found = Some(one.features());
        }
    }
    let features = found?;
    of.account.add(Offence::Bot, at, Units::whole(1));
    Some(vec![(Measure::SignatureFeatures, features), (Measure::HeloClass, seen.traits.helo as u64)])
}

/// Whether reverse DNS is as a family's; one without this mark takes any.
fn is_unnamed(signature: &Signature, rdns: RdnsClass) -> bool {
    let unnamed = match rdns {
        RdnsClass::Missing => Unnamed::Missing,
        RdnsClass::Mismatch => Unnamed::Mismatch,
        RdnsClass::Generic => Unnamed::Generic,
        RdnsClass::Unknown | RdnsClass::Fine => return signature.rdns.is_empty(),
    };
    signature.rdns.is_empty() || signature.rdns.contains(&unnamed)
}

/// The families that greet with a name, as in [`Beside::families`](crate::seen::Beside).
pub fn families(signatures: &[Signature], helo: Option<&Name>) -> u32 {
    let all = (0u32..).zip(signatures).take(SIGNATURES_MAX);
    all.filter(|(_, one)| one.takes_helo(helo)).fold(0, |bits, (n, _)| bits | 1 << n)
}

/// Signers are counted once there is something to hold against them.
fn note_signer(of: &mut Record, signer: Option<DomainHash>, at: Millis) {
    let habits = of.rare_if_any().and_then(|rare| rare.bot.0.as_mut());
    if let (Some(habits), Some(signer)) = (habits, signer) {
        habits.signers.meet(signer.0 as u32, 1, at, Secs::DAY, NAMES_MAX);
    }
}

impl Habits {
    /// Takes over what was known before the greeting changed.
    fn begin(&mut self, first: First) {
        let First { name, org, minute, sessions, fits } = first;
        if name == 0 {
            return;
        }
        let at = Millis::from_secs(u64::from(minute) * 60);
        self.meet(Greeting { name, org, fits }, at);
        self.sessions_hour.add(Secs::HOUR, at, u32::from(sessions.saturating_sub(1)));
    }

    /// Counts a session; says whether its organisation is new and does not fit.
    fn meet(&mut self, greeting: Greeting, at: Millis) -> bool {
        self.sessions_hour.add(Secs::HOUR, at, 1);
        if greeting.fits {
            self.fitting.meet(greeting.name, 1, at, Secs::DAY, FITTING_MAX);
            return false;
        }
        self.orgs.meet(greeting.org, 1, at, Secs::DAY, NAMES_MAX)
    }

    /// Whether the greetings are those of many, and of none that belongs there.
    fn variety(&self, at: Millis, around: &Context<'_>) -> Option<model::Facts> {
        let rule: &BotRule = &around.policy.bot;
        let (hour, day) = (self.orgs.count(Secs::HOUR, at), self.orgs.count(Secs::DAY, at));
        let sessions = self.sessions_hour.sum(Secs::HOUR, at);
        let limits = [rule.orgs_hour, rule.orgs_day, rule.sessions].map(|limit| around.least(limit));
        let many = (hour >= limits[0] && sessions >= limits[2]) || day >= limits[1];
        let signed = self.signers.count(Secs::DAY, at) + SIGNERS_SLACK >= day;
        let fits = self.fitting.count(Secs::DAY, at) > 0;
        (many && !signed && !fits).then(|| {
            vec![
                (Measure::HeloOrgsHour, hour),
                (Measure::LimitHeloOrgsHour, limits[0]),
                (Measure::HeloOrgsDay, day),
                (Measure::LimitHeloOrgsDay, limits[1]),
                (Measure::Sessions, sessions),
                (Measure::LimitSessions, limits[2]),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::{Beside, Traits, tests::around, tests::ended};
    use model::content::Shape;
    use model::policy::TrapKind;
    use model::{Content, PersonHash, Policy, Rdns};

    const OWN: &[u8] = b"gw.own.example";

    /// Greets with names in turn, one session each so many seconds; says at which it fires.
    fn fires_at(names: &[&str], sessions: usize, apart: u64, class: Class) -> Option<usize> {
        let policy = Policy::shipped();
        let mut record = Record::default();
        (1..=sessions).find(|n| {
            let helo = names[(n - 1) % names.len()];
            let greeting = greeting(helo, Rdns::Confirmed(Name::new(OWN)));
            let beside = Beside { greeting, ..Beside::default() };
            let context = Context { beside, ..around(&policy, class) };
            observe(*n as u64 * apart, HeloClass::Fine, None, &mut record, &context)
        })
    }

    fn greeting(helo: &str, rdns: Rdns) -> Option<Greeting> {
        let addr = "192.0.2.1".parse().unwrap();
        let helo = Some(Name::new(helo.as_bytes()));
        let client = Client { addr, port: 0, helo, rdns, authenticated: false };
        let sum = |text: &[u8]| text.iter().fold(7, |sum: u64, b| sum.wrapping_mul(31) + u64::from(*b));
        Greeting::of(&client, sum)
    }

    /// One session, to a trap if one is given.
    fn observe(
        at: u64,
        helo: HeloClass,
        trap: Option<u64>,
        record: &mut Record,
        context: &Context<'_>,
    ) -> bool {
        let mut seen = ended(at, Content::default());
        seen.traits = Traits { helo, rdns: RdnsClass::Missing, ..Traits::default() };
        seen.act = attempt(trap);
        Bot.observe(&seen, record, context).is_some()
    }

    fn attempt(trap: Option<u64>) -> Act {
        let trap = trap.map(|who| (PersonHash(who), TrapKind::Recycled));
        Act::Attempt { opens_session: true, trap, recipient: None, awaited: false }
    }

    const FIVE: [&str; 5] =
        ["a.one.example", "b.two.example", "c.three.example", "d.four.example", "e.five.example"];

    #[test]
    fn a_4_five_helo_domains_in_ten_sessions_of_an_hour_are_a_bot() {
        for class in [Class::Dynamic, Class::NoRdns, Class::Unknown] {
            assert_eq!(fires_at(&FIVE, 30, 60, class), Some(10), "{class:?}");
        }
        assert_eq!(fires_at(&FIVE, 30, 1800, Class::Unknown), None, "five in two hours and a half");
        assert_eq!(fires_at(&FIVE[..4], 60, 60, Class::Unknown), None, "four");
    }

    #[test]
    fn ten_organisations_in_a_day_need_no_hurry() {
        let names: Vec<String> = (0..10).map(|n| format!("mx.n{n}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(fires_at(&names, 30, 3600, Class::Unknown), Some(10));
        assert_eq!(fires_at(&names, 30, 3 * 3600, Class::Unknown), None);
    }

    #[test]
    fn a_4_two_servers_behind_a_nat_with_names_that_fit_are_no_bot() {
        let nat = ["mx1.own.example", "mx2.own.example"];
        assert_eq!(fires_at(&nat, 60, 60, Class::Unknown), None);
        let many = [&nat[..], &FIVE].concat();
        assert_eq!(fires_at(&many, 60, 60, Class::Unknown), None, "one that fits is a server");
    }

    #[test]
    fn known_servers_and_shared_ones_are_exempt() {
        for class in [Class::Known, Class::Established, Class::ListHost, Class::Forwarder, Class::Shared] {
            assert_eq!(fires_at(&FIVE, 60, 60, class), None, "{class:?}");
        }
    }

    #[test]
    fn hosts_of_one_organisation_are_one_and_sessions_before_the_change_count() {
        let hosts = ["a.one.example", "b.one.example", "c.one.example", "d.one.example", "e.one.example"];
        assert_eq!(fires_at(&hosts, 60, 60, Class::Unknown), None);
        let late = [[FIVE[0]; 6].as_slice(), &FIVE[1..]].concat();
        assert_eq!(fires_at(&late, 10, 60, Class::Unknown), Some(10));
    }

    #[test]
    fn as_many_signers_as_names_are_a_service_with_many_customers() {
        let policy = Policy::shipped();
        let mut record = Record::default();
        let fired = (0..40u64).any(|n| {
            let greeting = greeting(FIVE[n as usize % 5], Rdns::Missing);
            let beside = Beside { greeting, ..Beside::default() };
            let context = Context { beside, ..around(&policy, Class::NoRdns) };
            let fired = observe(n * 60, HeloClass::Fine, None, &mut record, &context);
            let signed = Content { dkim: Some(DomainHash(n % 5)), ..Content::default() };
            Bot.observe(&ended(n * 60, signed), &mut record, &context);
            fired
        });
        assert!(!fired);
    }

    #[test]
    fn without_an_answer_about_reverse_dns_nothing_is_counted() {
        assert_eq!(greeting("a.one.example", Rdns::Unknown), None);
        assert_eq!(greeting("localhost", Rdns::Missing), None);
        assert_eq!(greeting("[192.0.2.1]", Rdns::Missing), None);
        let fits = |ptr: &[u8]| greeting("mx.one.example", Rdns::Confirmed(Name::new(ptr))).unwrap().fits;
        assert!(fits(b"gw.one.example") && !fits(b"gw.two.example"));
    }

    #[test]
    fn a_4_localhost_alone_only_scores_and_with_a_trap_it_is_a_bot() {
        let policy = Policy::shipped();
        for class in [HeloClass::BareWord, HeloClass::RawAddress, HeloClass::Localdomain] {
            let (around, mut record) = (around(&policy, Class::Unknown), Record::default());
            assert!(!(0..50).any(|n| observe(n * 60, class, None, &mut record, &around)), "{class:?}");
            assert!(observe(3060, class, Some(1), &mut record, &around), "{class:?}");
        }
        let (around, mut record) = (around(&policy, Class::Unknown), Record::default());
        assert!(!observe(0, HeloClass::NotFqdn, Some(1), &mut record, &around), "a class that servers use");
    }

    #[test]
    fn a_bad_greeting_and_a_sign_stand_together_within_a_day() {
        let policy = Policy::shipped();
        let (around, mut record) = (around(&policy, Class::Unknown), Record::default());
        assert!(!observe(0, HeloClass::Fine, Some(1), &mut record, &around));
        assert!(!observe(86_460, HeloClass::BareWord, None, &mut record, &around), "a day after the trap");
        let seen = Seen { act: Act::Conduct(Habit::EarlyTalk), ..ended(90_000, Content::default()) };
        assert!(Bot.observe(&seen, &mut record, &around).is_some(), "early talk in another session");
    }

    #[test]
    fn a_welcome_to_a_trap_is_no_sign() {
        let policy = Policy::shipped();
        let (around, mut record) = (around(&policy, Class::Unknown), Record::default());
        observe(0, HeloClass::BareWord, None, &mut record, &around);
        let mut ends = |shape| {
            let mut seen = ended(60, Content { shape, ..Content::default() });
            if let Act::Ended(ended) = &mut seen.act {
                ended.traps.push((PersonHash(1), TrapKind::Pristine));
            }
            Bot.observe(&seen, &mut record, &around).is_some()
        };
        assert!(!ends(Shape::CONFIRMATION));
        assert!(ends(Shape::default()));
    }

    #[test]
    fn g_nat_two_names_that_fit_ask_for_two_kinds_of_signs() {
        let policy = Policy::shipped();
        let (plain, mut record) = (around(&policy, Class::Unknown), Record::default());
        for helo in ["mx1.own.example", "mx2.own.example"] {
            let greeting = greeting(helo, Rdns::Confirmed(Name::new(OWN)));
            let beside = Beside { greeting, ..Beside::default() };
            observe(0, HeloClass::Fine, None, &mut record, &Context { beside, ..plain });
        }
        assert!(!observe(60, HeloClass::BareWord, Some(1), &mut record, &plain));
        let seen = Seen { act: Act::Conduct(Habit::NonSmtp), ..ended(120, Content::default()) };
        assert!(Bot.observe(&seen, &mut record, &plain).is_some());
    }

    /// Whether a session with this HELO, and then such conduct, shows the second of two families.
    fn is_of_family(helo: &str, rdns: RdnsClass, conduct: Option<Habit>, text: &str) -> bool {
        let mut policy = Policy::shipped();
        policy.bot.signatures = model::signatures::parse(text).unwrap();
        let helo = Name::new(helo.as_bytes());
        let families = families(&policy.bot.signatures, Some(&helo));
        let mut record = Record::default();
        let mut seen = Seen { act: attempt(None), ..ended(60, Content::default()) };
        seen.traits = Traits { helo: HeloClass::NotFqdn, rdns, ..Traits::default() };
        let beside = Beside { families, ..Beside::default() };
        let context = Context { beside, ..around(&policy, Class::Unknown) };
        let first = Bot.observe(&seen, &mut record, &context).is_some();
        let act = conduct.map(Act::Conduct);
        first
            || act.is_some_and(|act| {
                let seen = Seen { act, ..ended(120, Content::default()) };
                Bot.observe(&seen, &mut record, &around(&policy, Class::Unknown)).is_some()
            })
    }

    #[test]
    fn off_20_a_family_is_known_by_all_of_its_marks_until_its_review() {
        let both = "x 2001-01-01 2002-01-01 helo=zzz rdns=missing\ny 2001-01-01 2002-01-01 helo=pc-* rdns=missing,generic";
        assert!(is_of_family("pc-7", RdnsClass::Missing, None, both));
        assert!(is_of_family("pc-7", RdnsClass::Generic, None, both));
        assert!(!is_of_family("pc-7", RdnsClass::Fine, None, both));
        assert!(!is_of_family("mail-7", RdnsClass::Missing, None, both));
        let old = "y 2001-01-01 2001-01-02 helo=pc-* rdns=missing";
        assert!(!is_of_family("pc-7", RdnsClass::Missing, None, old), "nobody has looked again");
    }

    #[test]
    fn off_20_conduct_is_a_mark_that_may_come_later() {
        let text = "y 2001-01-01 2002-01-01 helo=pc-* conduct=early-talk";
        assert!(!is_of_family("pc-7", RdnsClass::Fine, None, text));
        assert!(is_of_family("pc-7", RdnsClass::Fine, Some(Habit::EarlyTalk), text));
        assert!(!is_of_family("pc-7", RdnsClass::Fine, Some(Habit::BareLf), text));
        assert!(!is_of_family("mx", RdnsClass::Fine, Some(Habit::EarlyTalk), text));
    }

    #[test]
    fn off_20_the_shipped_list_knows_ylmf_pc() {
        let shipped = Policy::shipped().bot.signatures;
        assert_eq!(families(&shipped, Some(&Name::new(b"ylmf-pc"))), 1);
        assert_eq!(families(&shipped, None), 0);
    }
}
