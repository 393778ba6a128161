//! The connection score at RCPT: a client's facts, weighed with what the site has learned.

use std::net::IpAddr;

use detectors::dynamic::names_server;
use detectors::org::{org, same_org};
use detectors::ours::Rules;
use detectors::score::{Family, Lessons, Mailbox, connection, learned, weighing};
use detectors::{Look, Traits};
use model::key::fold;
use model::{Client, Greylist, Habits, Millis, Name, PersonHash, Policy, Prefix, Rdns};
use projections::View;

use crate::names;
use crate::session::ConnectionScore;
use crate::territory;

/// One stranger, and one network, in so many is not held to what the site has learned, so that
/// it sees what it would refuse (`docs/decisions/connection-score.md`).
const LET_THROUGH: u64 = 128;

/// From whom to whom, and how the client behaved, as far as it weighs.
#[derive(Clone, Copy, Debug, Default)]
pub struct MailPath {
    /// HELO name and sender are of one organisation.
    pub sender_fits: bool,
    /// The sender's domain is of an organisation of which neither the HELO name nor the reverse
    /// DNS name is; a null sender is nobody's.
    pub others: bool,
    /// The recipient, where the question is about one.
    pub to: Option<PersonHash>,
    /// Faults of the client's conduct in the last 24 hours, this session included (OFF-18,
    /// OFF-19).
    pub faults: Habits,
    /// DNS lately said that the HELO name does not exist, where it was asked (S78).
    pub absent: bool,
    /// A recipient takes mail from every country (OFF-21).
    pub spared: bool,
}

impl MailPath {
    /// Of a client's envelope; `sender` is the address without brackets.
    pub fn of(client: &Client, sender: &[u8], to: Option<PersonHash>) -> MailPath {
        let sender_fits = sender_fits(client.helo.as_ref(), sender);
        let known = [client.helo.as_ref(), client.rdns.name()];
        let others = domain(sender).is_some_and(|domain| !known.into_iter().any(|name| fits(name, &domain)));
        MailPath { sender_fits, others, to, ..MailPath::default() }
    }

    /// The same with faults that the client showed.
    #[must_use]
    pub fn with(self, faults: Habits) -> MailPath {
        MailPath { faults, ..self }
    }

    /// The same of a name that DNS lately denied, or not.
    #[must_use]
    pub fn named(self, absent: bool) -> MailPath {
        MailPath { absent, ..self }
    }

    /// The same with those faults alone whose rules give points.
    #[must_use]
    pub fn weighed(self, policy: &Policy) -> MailPath {
        self.with(weighing(self.faults, policy))
    }
}

/// Scores a connection by one view at `now`, with every part; `path` says as much of
/// sender and recipient as weighs.
pub fn weigh(
    client: &Client,
    traits: &Traits,
    path: MailPath,
    view: &View,
    now: Millis,
) -> detectors::ConnectionScore {
    let traits = &traits.without(suspended(view, now));
    let credit = view.has_credit(client.addr);
    let score = connection(traits, &lessons(client, traits, path, view, now), credit);
    if credit || traits.shared { score } else { territory::added(score, client.addr, path.spared, view) }
}

/// The score as an answer needs it.
///
/// Most connections are no stranger's worth a second look: good mail is looked up only for
/// those whom the score would refuse.
pub fn connection_score(
    client: &Client,
    traits: &Traits,
    path: MailPath,
    view: &View,
    now: Millis,
) -> ConnectionScore {
    let traits = &traits.without(suspended(view, now));
    let lessons = lessons(client, traits, path, view, now);
    let bare = ConnectionScore::from(&connection(traits, &lessons, false));
    if bare.refuses() && view.has_credit(client.addr) {
        return ConnectionScore::from(&connection(traits, &lessons, true));
    }
    bare
}

impl From<&detectors::ConnectionScore> for ConnectionScore {
    fn from(score: &detectors::ConnectionScore) -> ConnectionScore {
        ConnectionScore {
            quarters: score.quarters(),
            heaviest: score.heaviest(),
            line: score.main() == Some(Family::Line),
        }
    }
}

/// Whether greylisting asks a client with this score to come back: by the score, or because its
/// network comes with a new /64 each time (ADV-12).
pub fn asks(rule: &Greylist, client: &Client, quarters: i32, view: &View, now: Millis) -> bool {
    let addr = fold(client.addr);
    let rotates = || addr.is_ipv6() && view.lessons.rotates(Prefix::new(addr, 48), now);
    detectors::greylist::asks(rule, quarters) || rotates()
}

/// The rules that rest because good mail fails them (G-OURS).
pub fn suspended(view: &View, now: Millis) -> Rules {
    Rules::of(|rule| view.lessons.is_suspended(rule, now))
}

/// What the site has learned of a client's kind, and of whom it writes to.
pub fn lessons(client: &Client, traits: &Traits, path: MailPath, view: &View, now: Millis) -> Lessons {
    let addr = fold(client.addr);
    let own = Lessons {
        no_such_name: names::weighs(client.helo.as_ref(), path.absent, view, now),
        faults: u8::try_from(path.faults.count()).unwrap_or(u8::MAX),
        ..Lessons::default()
    };
    // A network is let through as a whole: who has one may not try its addresses in turn (ADV-12).
    let network = Prefix::new(addr, if addr.is_ipv4() { 24 } else { 48 });
    let network_weighs =
        if is_let_through(network.addr(), view.seed) { 0 } else { view.lessons.network(network, now) };
    let own = Lessons { network: network_weighs, ..own };
    if is_let_through(addr, view.seed) {
        return own;
    }
    let names = client.rdns.name().is_some_and(|name| are_of_lines(name.as_bytes(), view, now));
    Lessons {
        look: look(&learned(traits, names), view, now),
        names,
        greeting: is_spammers(client, view, now),
        mailbox: mailbox(path, view, now),
        ..own
    }
}

fn mailbox(path: MailPath, view: &View, now: Millis) -> Mailbox {
    match path.to.and_then(|who| view.mailboxes.only_spam(who, now)) {
        None => Mailbox::Ordinary,
        Some(true) if path.others => Mailbox::DeadInOthersNames,
        Some(_) => Mailbox::OnlySpam,
    }
}

/// Whether names of this one's organisation are those of lines; those of mail servers never are.
fn are_of_lines(name: &[u8], view: &View, now: Millis) -> bool {
    let of_lines = |org: &[u8]| org != name && view.lessons.names(org, now);
    org(name).is_some_and(of_lines) && !names_server(name)
}

/// Whether it greets, without a confirmed name of its own, as only spammers did.
fn is_spammers(client: &Client, view: &View, now: Millis) -> bool {
    let greeting = client.helo.as_ref().filter(|_| client.rdns.confirmed().is_none());
    let organisation = greeting.and_then(|name| org(name.as_bytes()));
    client.rdns != Rdns::Unknown && organisation.is_some_and(|org| view.lessons.greeting(org, now))
}

fn look(traits: &Traits, view: &View, now: Millis) -> u8 {
    Look::of(traits).map_or(0, |look| view.lessons.look(look.0, now))
}

/// Whether a client is one of those let through: by its address and a secret of the site.
fn is_let_through(addr: IpAddr, seed: u64) -> bool {
    let number = match addr {
        IpAddr::V4(addr) => u64::from(u32::from(addr)),
        // A client has all of its /64.
        IpAddr::V6(addr) => (u128::from(addr) >> 64) as u64,
    };
    // The finaliser of SplitMix64: every bit of the address moves every bit of the outcome.
    let mut mixed = number ^ seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).is_multiple_of(LET_THROUGH)
}

/// Whether a greeting and an envelope sender are of one organisation.
pub fn sender_fits(helo: Option<&Name>, sender: &[u8]) -> bool {
    domain(sender).is_some_and(|domain| fits(helo, &domain))
}

fn fits(name: Option<&Name>, domain: &Name) -> bool {
    name.is_some_and(|name| same_org(name.as_bytes(), domain.as_bytes()))
}

fn domain(sender: &[u8]) -> Option<Name> {
    let at = sender.iter().rposition(|b| *b == b'@')?;
    Some(Name::new(&sender[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_greeting_fits_the_sender_by_organisation() {
        let fits =
            |helo: &str, sender: &str| sender_fits(Some(&Name::new(helo.as_bytes())), sender.as_bytes());
        assert!(fits("mail.example.org", "a@EXAMPLE.org"));
        assert!(!fits("mail.example.org", "a@example.net"));
        assert!(!fits("mail.example.org", ""));
        assert!(!fits("DESKTOP-7", "a@DESKTOP-7"));
        assert!(!sender_fits(None, b"a@example.org"));
    }

    #[test]
    fn a_sender_is_anothers_where_no_name_of_the_client_is_of_its_organisation() {
        let name = |name: &str| Name::new(name.as_bytes());
        let client = Client {
            addr: "192.0.2.25".parse().unwrap(),
            port: 0,
            helo: Some(name("mail.example.org")),
            rdns: Rdns::Confirmed(name("host.example.net")),
            authenticated: false,
        };
        let others = |sender: &str| MailPath::of(&client, sender.as_bytes(), None).others;
        assert!(others("a@customer.example"));
        for own in ["a@example.org", "a@lists.EXAMPLE.net", "", "postmaster"] {
            assert!(!others(own), "{own}");
        }
    }

    #[test]
    fn one_in_a_hundred_and_twenty_eight_is_let_through_whatever_its_look_weighs() {
        let through = (0..64_000u32).filter(|n| is_let_through(IpAddr::from(n.to_be_bytes()), 7)).count();
        assert!((430..570).contains(&through), "{through}");
        let v6 = |tail: &str| is_let_through(tail.parse().unwrap(), 7);
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::2"));
    }

    #[test]
    fn adv_12_a_network_that_rotates_is_asked_to_come_back_whatever_it_scores() {
        use model::greylist::Asks;
        let mut projector = testing::projector(&[]);
        let of = model::Subject::Rotating("2001:db8:7::/48".parse().unwrap());
        let until = testing::NOW.plus(model::Secs::DAY);
        projector.apply(9, &testing::learnt(model::Lesson { of, quarters: 1, until, bad: 31, good: 0 }));
        let view = projector.view();
        let asked = |addr: &str, now| {
            let addr = addr.parse().unwrap();
            let client = Client { addr, port: 0, helo: None, rdns: Rdns::Unknown, authenticated: false };
            asks(&Greylist::shipped(Asks::Suspicious), &client, -8, &view, now)
        };
        let now = testing::NOW;
        assert!(asked("2001:db8:7:1234::25", now));
        assert!(!asked("2001:db8:8:1234::25", now) && !asked("192.0.2.25", now));
        assert!(!asked("2001:db8:7:1234::25", until));
    }

    #[test]
    fn a_stranger_without_lessons_is_scored_by_its_connection_alone() {
        let view = testing::view(&[]);
        let name = Name::new(b"192-0-2-25.dsl.isp.example");
        let client = Client {
            addr: "192.0.2.25".parse().unwrap(),
            port: 0,
            helo: Some(name.clone()),
            rdns: Rdns::Confirmed(name),
            authenticated: false,
        };
        let traits = Traits::of(&client, false, &model::Policy::shipped());
        let score = connection_score(&client, &traits, MailPath::default(), &view, Millis(1));
        assert!(score.refuses() && score.line, "{score:?}");
    }
}
