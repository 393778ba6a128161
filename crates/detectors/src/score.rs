//! The connection score: what a stranger's connection says of it (C.4 step 10, DESIGN §8).
//!
//! Families: HELO, reverse DNS, the name of a line, faults against SMTP, and what the site has
//! learned itself of such looks, such names, such networks and of whom it writes to
//! (`docs/decisions/connection-score.md`). A confirmed name of its own and good mail speak for a
//! sender. Four points refuse. Counted in quarters, so that half points stay whole numbers.
//!
//! What it needs: the connection's facts and the site's lessons. What can go wrong: a small
//! server without reverse DNS, a server on a line with a made name: no single fact of theirs
//! refuses, and what others taught is never held against who has sent good mail.

use model::policy::RuleMode;
use model::{Habit, Habits, Offence, Policy};

use crate::dynamic::{LINE, LINE_MAX};
use crate::helo::HeloClass;
use crate::rdns::RdnsClass;
use crate::seen::{Fit, Traits};

/// From here on a message is refused, where the score may refuse: four points.
pub const REFUSE: i32 = 16;
/// From here on a connection is suspicious: two points.
pub const SUSPICIOUS: i32 = 8;
/// What it weighs to write to a mailbox that gets only spam: enough only with another fact.
const MAILBOX: i32 = 14;
/// What it weighs for a server with a name of its own to write in another's name to one that
/// nobody uses any more: enough.
const DEAD_MAILBOX: i32 = REFUSE - OWN_NAME;
/// What good mail of the last 30 days speaks for a sender.
const HISTORY: i32 = -12;
/// What a confirmed name of its own speaks for it.
const OWN_NAME: i32 = -8;
/// A line's name beside a greeting that somebody chose weighs so much less.
const CHOSEN: i32 = 4;
/// What each kind of fault against SMTP weighs: a point (OFF-19).
const FAULT: i32 = 4;
/// What a HELO name weighs that does not exist: a point (OFF-9 g).
const NO_SUCH_NAME: i32 = 4;
/// What one family weighs at most: three points.
const FAMILY_MAX: i32 = 12;

/// What the site has learned, as far as it is about one connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lessons {
    /// Of its look, in quarters of a point.
    pub look: u8,
    /// Names of the organisation of its reverse DNS name are those of lines.
    pub names: bool,
    /// Of its network, in quarters of a point.
    pub network: u8,
    /// Only spam came of hosts that greet with such names without confirmed ones.
    pub greeting: bool,
    /// Its HELO name does not exist in DNS (OFF-9 g).
    pub no_such_name: bool,
    /// What is known of the recipient.
    pub mailbox: Mailbox,
    /// Kinds of faults against SMTP that it showed in 24 hours, as far as they count.
    pub faults: u8,
}

/// A recipient, as far as it weighs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mailbox {
    /// Nothing is known of it, or somebody uses it.
    #[default]
    Ordinary,
    /// It gets only spam.
    OnlySpam,
    /// It has got only spam for so long and from so many that nobody uses it any more, and the
    /// sender's domain is another one's than the server's.
    DeadInOthersNames,
}

/// Where points come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// The HELO argument.
    Helo,
    /// The reverse DNS name: missing or not pointing back; or a confirmed name of its own.
    ReverseDns,
    /// The name of an end user's line.
    Line,
    /// What came of others that look so.
    Look,
    /// What came of its network.
    Network,
    /// To whom it writes.
    Mailbox,
    /// Faults against SMTP (OFF-18, OFF-19).
    Protocol,
    /// The provider and the country that it connects from.
    Territory,
    /// Good mail.
    History,
}

/// One family's part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// Which family.
    pub family: Family,
    /// Quarters of a point; below zero it speaks for the sender.
    pub quarters: i32,
    /// The fact, in words that go after ‘refused:’.
    pub text: &'static str,
}

impl Part {
    /// The fact as outsiders read it: nothing about a mailbox of ours.
    pub fn told(&self) -> &'static str {
        if self.family == Family::Mailbox { "mail like this was only ever spam here" } else { self.text }
    }
}

/// The score of one connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConnectionScore {
    /// Every part that weighs something, heaviest first.
    pub parts: Vec<Part>,
}

impl ConnectionScore {
    /// The sum, in quarters of a point.
    pub fn quarters(&self) -> i32 {
        self.parts.iter().map(|part| part.quarters).sum()
    }

    /// The words of the two heaviest facts against it, heavier first, as outsiders read them.
    pub fn heaviest(&self) -> [Option<&'static str>; 2] {
        let mut against = self.parts.iter().filter(|part| part.quarters > 0).map(Part::told);
        [against.next(), against.next()]
    }

    /// The family that weighs most.
    pub fn main(&self) -> Option<Family> {
        self.parts.first().map(|part| part.family)
    }
}

/// Scores a connection; `credit` says that the key has good mail of the last 30 days.
pub fn connection(traits: &Traits, lessons: &Lessons, credit: bool) -> ConnectionScore {
    // What others taught is held against strangers alone, and appliances break rules (OFF-18,
    // OFF-19): who has sent good mail is judged by its own facts.
    let lessons = if credit { &Lessons::default() } else { lessons };
    let mut parts = facts(traits, lessons);
    if credit {
        parts.push(Part { family: Family::History, quarters: HISTORY, text: "it has sent good mail" });
    }
    parts.sort_by_key(|part| -part.quarters);
    ConnectionScore { parts }
}

/// What the connection weighs without its history.
pub fn facts(traits: &Traits, lessons: &Lessons) -> Vec<Part> {
    // Their addresses carry everybody's mail.
    if traits.shared {
        return Vec::new();
    }
    let traits = learned(traits, lessons.names);
    let parts = [
        helo(&traits, lessons),
        reverse_dns(&traits, lessons),
        line(&traits, lessons),
        look(lessons),
        network(lessons),
        mailbox(&traits, lessons),
        protocol(lessons),
    ];
    parts.into_iter().filter(|part| part.quarters != 0).collect()
}

/// Which of a client's faults count towards its score: those whose rule gives points.
pub fn weighing(faults: Habits, policy: &Policy) -> Habits {
    let gives = |offence| policy.mode(offence) >= RuleMode::Score;
    let (early, protocol) = (gives(Offence::EarlyTalker), gives(Offence::Protocol));
    Habits::of(|habit| faults.has(habit) && if habit == Habit::EarlyTalk { early } else { protocol })
}

/// The traits as they are where names of the organisation are those of lines.
pub fn learned(traits: &Traits, names: bool) -> Traits {
    if !names {
        return *traits;
    }
    let greets_so = traits.fit == Fit::OwnName && traits.helo == HeloClass::Fine;
    let helo = if greets_so { HeloClass::Line } else { traits.helo };
    Traits { line: LINE_MAX, helo, ..*traits }
}

fn helo(traits: &Traits, lessons: &Lessons) -> Part {
    let has_name = traits.rdns != RdnsClass::Missing;
    let (quarters, text) = match (traits.helo, traits.fit) {
        (helo, _) if helo.is_nobody() => (12, helo.fault().unwrap_or_default()),
        (helo, _) if helo.is_faulty() || helo == HeloClass::OurName => (8, helo.fault().unwrap_or_default()),
        _ if lessons.greeting => (12, "only spammers greeted with its HELO name"),
        (HeloClass::Line, _) => (6, HeloClass::Line.fault().unwrap_or_default()),
        (_, Fit::Neither) if has_name => (2, "the HELO name is neither its own nor the sender's"),
        (HeloClass::Fine, Fit::Unknown) => (2, "the HELO is an address, not a name"),
        _ => (0, ""),
    };
    // (g) is a fault beside what else is wrong with the name.
    let (quarters, text) = match lessons.no_such_name {
        true if quarters < NO_SUCH_NAME => (quarters + NO_SUCH_NAME, "the HELO name does not exist in DNS"),
        true => ((quarters + NO_SUCH_NAME).min(FAMILY_MAX), text),
        false => (quarters, text),
    };
    Part { family: Family::Helo, quarters, text }
}

fn reverse_dns(traits: &Traits, lessons: &Lessons) -> Part {
    let (quarters, text) = match traits.rdns {
        RdnsClass::Missing => (4, "the address has no reverse DNS name"),
        RdnsClass::Mismatch => (2, "its reverse DNS name does not point back"),
        // In a network of many names that all sent spam a name is no recommendation.
        _ if has_own_name(traits) && lessons.network == 0 => (OWN_NAME, "it has a confirmed name of its own"),
        _ => (0, ""),
    };
    Part { family: Family::ReverseDns, quarters, text }
}

/// Reverse DNS confirms a name that somebody chose.
fn has_own_name(traits: &Traits) -> bool {
    traits.rdns == RdnsClass::Fine && traits.line < LINE && !traits.made
}

fn line(traits: &Traits, lessons: &Lessons) -> Part {
    // Who gave the machine a name of its own in HELO set up a server; computers on lines get
    // one by themselves.
    let chosen = traits.fit == Fit::OwnOrg && traits.helo == HeloClass::Fine && !lessons.names;
    let less = if chosen { CHOSEN } else { 0 };
    let quarters = (i32::from(traits.line) - less).max(0);
    Part { family: Family::Line, quarters, text: "its name is that of an end user's line" }
}

fn look(lessons: &Lessons) -> Part {
    let text = "servers that connect like this sent only spam here";
    Part { family: Family::Look, quarters: i32::from(lessons.look), text }
}

fn network(lessons: &Lessons) -> Part {
    let text = "its neighbours sent only spam here";
    Part { family: Family::Network, quarters: i32::from(lessons.network), text }
}

fn mailbox(traits: &Traits, lessons: &Lessons) -> Part {
    let text = "the mailbox that it writes to gets only spam";
    let quarters = match lessons.mailbox {
        Mailbox::Ordinary => 0,
        Mailbox::DeadInOthersNames if has_own_name(traits) => DEAD_MAILBOX,
        Mailbox::OnlySpam | Mailbox::DeadInOthersNames => MAILBOX,
    };
    Part { family: Family::Mailbox, quarters, text }
}

fn protocol(lessons: &Lessons) -> Part {
    let quarters = (i32::from(lessons.faults) * FAULT).min(FAMILY_MAX);
    Part { family: Family::Protocol, quarters, text: "it breaks the rules of SMTP" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Client, Name, Rdns};

    const NONE: Lessons = Lessons {
        look: 0,
        names: false,
        network: 0,
        greeting: false,
        no_such_name: false,
        mailbox: Mailbox::Ordinary,
        faults: 0,
    };

    fn traits(rdns: Rdns, helo: &str, sender_fits: bool) -> Traits {
        let addr = "192.0.2.25".parse().unwrap();
        let helo = Some(Name::new(helo.as_bytes()));
        Traits::of(
            &Client { addr, port: 0, helo, rdns, authenticated: false },
            sender_fits,
            &model::Policy::shipped(),
        )
    }

    fn named(name: &str, helo: &str) -> Traits {
        traits(Rdns::Confirmed(Name::new(name.as_bytes())), helo, false)
    }

    #[track_caller]
    fn check(traits: &Traits, lessons: Lessons, credit: bool, expect: i32) {
        let score = connection(traits, &lessons, credit);
        assert_eq!(score.quarters(), expect, "{traits:?} {:?}", score.parts);
    }

    #[test]
    fn who_has_sent_good_mail_is_not_held_to_what_others_taught() {
        let all = Lessons {
            look: 16,
            names: true,
            network: 16,
            greeting: true,
            mailbox: Mailbox::DeadInOthersNames,
            no_such_name: true,
            faults: 3,
        };
        let exchange = traits(Rdns::Missing, "srv.firm.local", false);
        check(&exchange, all, true, 0);
        assert!(connection(&exchange, &all, false).quarters() >= REFUSE);
        let line = named("192-0-2-25.dsl.pool.example", "192-0-2-25.dsl.pool.example");
        check(&line, all, true, 6);
    }

    #[test]
    fn a_missing_name_alone_never_refuses() {
        check(&traits(Rdns::Missing, "mail.example.org", false), NONE, false, 4);
        check(&traits(Rdns::Missing, "DESKTOP-7", false), NONE, false, 12);
        check(&traits(Rdns::Missing, "DESKTOP-7", false), NONE, true, 0);
        check(&named("mail.example.org", "DESKTOP-7"), NONE, false, 0);
        check(&named("mail.example.org", "localhost"), NONE, false, 4);
        check(&traits(Rdns::Missing, "localhost", false), NONE, false, REFUSE);
    }

    #[test]
    fn a_mailbox_that_gets_only_spam_weighs_never_alone_and_is_never_named() {
        let missing = traits(Rdns::Missing, "mail.example.org", true);
        let only_spam = Lessons { mailbox: Mailbox::OnlySpam, ..NONE };
        let in_others_names = Lessons { mailbox: Mailbox::DeadInOthersNames, ..NONE };
        let own_name = named("mail.example.org", "mail.example.org");
        check(&missing, only_spam, false, 18);
        check(&missing, in_others_names, false, 18);
        check(&missing, in_others_names, true, -8);
        check(&own_name, only_spam, false, 6);
        check(&own_name, in_others_names, false, REFUSE);
        check(&own_name, in_others_names, true, -20);
        let told = connection(&own_name, &in_others_names, false).heaviest();
        assert_eq!(told, [Some("mail like this was only ever spam here"), None]);
    }

    #[test]
    fn a_line_that_greets_with_its_own_name_is_refused_at_first_sight() {
        let line = "192-0-2-25.dsl.pool.example";
        check(&named(line, line), NONE, false, 18);
        check(&named(line, "DESKTOP-7"), NONE, false, 20);
        // J6: the same line with good mail behind it is not.
        check(&named(line, line), NONE, true, 6);
        check(&traits(Rdns::Missing, line, false), NONE, false, 22);
    }

    #[test]
    fn a_server_on_a_line_is_not_refused_by_its_name_alone() {
        check(&named("192-0-2-25.dsl.pool.example", "mail.example.org"), NONE, false, 14);
        check(&named("192-0-2-25.dsl.isp.example", "mail.isp.example"), NONE, false, 8);
        check(&named("static-192-0-2-25.isp.example", "static-192-0-2-25.isp.example"), NONE, false, 3);
    }

    #[test]
    fn lessons_of_the_site_add_up() {
        let bare = traits(Rdns::Missing, "mail.example.org", true);
        check(&bare, Lessons { look: 12, ..NONE }, false, REFUSE);
        check(&bare, Lessons { look: 8, ..NONE }, false, 12);
        check(&bare, Lessons { greeting: true, ..NONE }, false, REFUSE);
        let fine = named("a7.example.org", "a7.example.org");
        check(&fine, NONE, false, -8);
        check(&fine, Lessons { names: true, ..NONE }, false, 18);
        check(&fine, Lessons { network: 16, ..NONE }, false, REFUSE);
        check(&fine, Lessons { network: 16, ..NONE }, true, -20);
    }

    #[test]
    fn s78_a_helo_name_that_does_not_exist_is_a_point() {
        let gone = Lessons { no_such_name: true, ..NONE };
        check(&traits(Rdns::Missing, "mail.example.org", true), gone, false, 8);
        check(
            &traits(Rdns::Missing, "mail.example.org", true),
            Lessons { greeting: true, ..gone },
            false,
            16,
        );
        check(&named("a7.example.org", "a7.example.org"), gone, false, -4);
        let score = connection(&traits(Rdns::Unknown, "mail.example.org", true), &gone, false);
        assert_eq!(score.heaviest()[0], Some("the HELO name does not exist in DNS"));
    }

    #[test]
    fn off_19_each_kind_of_fault_is_a_point_and_three_are_the_most() {
        let bare = traits(Rdns::Missing, "mail.example.org", true);
        let of = |faults| Lessons { faults, ..NONE };
        check(&bare, NONE, false, 4);
        [(1, 8), (3, 16), (8, 16)].iter().for_each(|(n, quarters)| check(&bare, of(*n), false, *quarters));
        check(&bare, of(3), true, 4 + HISTORY);
    }

    #[test]
    fn off_18_and_off_19_faults_weigh_where_their_rule_gives_points() {
        let shown = Habits::of(|habit| matches!(habit, Habit::EarlyTalk | Habit::BareLf | Habit::NonSmtp));
        let weighs = |early, protocol| {
            let modes = vec![(Offence::EarlyTalker, early), (Offence::Protocol, protocol)];
            weighing(shown, &Policy { modes, ..Policy::shipped() }).count()
        };
        assert_eq!(weighing(shown, &Policy::shipped()), shown);
        assert_eq!(weighs(RuleMode::Score, RuleMode::Shadow), 1);
        assert_eq!(weighs(RuleMode::Off, RuleMode::Defer), 2);
    }

    #[test]
    fn shared_senders_have_no_score() {
        let shared = Traits { shared: true, ..traits(Rdns::Missing, "DESKTOP-7", false) };
        let all = Lessons {
            look: 16,
            names: true,
            network: 16,
            greeting: true,
            no_such_name: true,
            mailbox: Mailbox::DeadInOthersNames,
            faults: 8,
        };
        check(&shared, all, false, 0);
    }

    #[test]
    fn forged_names_of_any_kind_are_weighed_within_bounds() {
        let long = vec![b'a'; 300];
        let dots = vec![b'.'; 255];
        let labels = b"1.".repeat(127);
        let names: [&[u8]; 14] = [
            b"",
            b".",
            b"[",
            b"[]",
            b"[192.0.2.25].example.org",
            b"mx.[198.51.100.7].example",
            b"192.0.2.25 (mx.example.org [198.51.100.7])",
            b"xn--80ak6aa92e.xn--p1ai",
            b"xn--\xff.example",
            b"\x00\xff\xfe.example.org",
            b"-192-0-2-25-.-.",
            &long,
            &dots,
            &labels,
        ];
        for (ptr, helo) in names.iter().flat_map(|ptr| names.iter().map(move |helo| (ptr, helo))) {
            let addr = "192.0.2.25".parse().unwrap();
            let (helo, ptr) = (Some(Name::new(helo)), Name::new(ptr));
            for rdns in [Rdns::Missing, Rdns::Mismatch(ptr.clone()), Rdns::Confirmed(ptr)] {
                let client = Client { addr, port: 0, helo: helo.clone(), rdns, authenticated: false };
                let traits = Traits::of(&client, false, &model::Policy::shipped());
                let quarters = connection(&traits, &NONE, false).quarters();
                assert!((-8..=30).contains(&quarters), "{client:?}: {quarters}");
                assert!(
                    crate::Look::of(&traits).is_none_or(|look| look.words().iter().all(|w| !w.is_empty()))
                );
            }
        }
    }

    #[test]
    fn the_heaviest_fact_is_named_first() {
        let score = connection(&traits(Rdns::Missing, "DESKTOP-7", false), &NONE, false);
        assert_eq!(score.heaviest()[0], Some("the HELO name has no domain"));
        assert_eq!(score.main(), Some(Family::Helo));
    }
}
