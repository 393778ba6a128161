//! OFF-9, the HELO argument: classes a to i, and the block for our own name.
//!
//! Needs: the argument, the client's address, our own names. The classes g (does not
//! resolve), h (resolves elsewhere) and j (random-looking) need a resolver or a model and
//! are not told apart here: such a name is [`HeloClass::Fine`].
//!
//! An underscore is tolerated, and an address literal of the client's own address is valid
//! (RFC 5321 §4.1.3). False positives come from: NAT hairpins and our own hosts, which
//! stand on the protected list; misconfigured small servers, which only score.

use std::borrow::Cow;
use std::net::IpAddr;

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::window::Window;
use model::{Finding, Name, Offence, Secs, Units};

use crate::dynamic;
use crate::org::is_under_known_tld;
use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// What kind of name a client greets with. The numbers stand in facts of events.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum HeloClass {
    /// Nothing to object to.
    #[default]
    #[n(0)]
    Fine,
    /// (a) A name or address of ours.
    #[n(1)]
    OurName,
    /// (b) A word that stands for no host: `localhost`, `friend`, `user`.
    #[n(2)]
    BareWord,
    /// (c) An address without brackets.
    #[n(3)]
    RawAddress,
    /// (d) The literal of an address that is not the client's.
    #[n(4)]
    OtherLiteral,
    /// (e) Not a host name by its letters.
    #[n(5)]
    Invalid,
    /// (f) A single label.
    #[n(6)]
    NotFqdn,
    /// (i) `localhost.localdomain` and its kin.
    #[n(7)]
    Localdomain,
    /// No argument at all.
    #[n(8)]
    Missing,
    /// A name made from the client's address, or of an access line: it has no name of its own.
    #[n(9)]
    Line,
    /// A name in a top-level domain that does not exist.
    #[n(10)]
    NoSuchTld,
}

impl HeloClass {
    /// Whether it is one of the classes b to f and i, or its domain can not exist (g).
    pub fn is_faulty(self) -> bool {
        !matches!(self, HeloClass::Fine | HeloClass::OurName | HeloClass::Missing | HeloClass::Line)
    }

    /// Whether no program that was set up as a mail server greets so: a word for no host, an
    /// address without brackets or another's, a default name (b, c, d, i).
    pub fn is_nobody(self) -> bool {
        matches!(
            self,
            HeloClass::BareWord | HeloClass::RawAddress | HeloClass::OtherLiteral | HeloClass::Localdomain
        )
    }

    /// What is wrong with it, for the reply and the page.
    pub fn fault(self) -> Option<&'static str> {
        Some(match self {
            HeloClass::Fine | HeloClass::Missing => return None,
            HeloClass::OurName => "the HELO name is ours",
            HeloClass::BareWord => "the HELO name is a bare word",
            HeloClass::RawAddress => "the HELO name is an address without brackets",
            HeloClass::OtherLiteral => "the HELO literal is another address",
            HeloClass::Invalid => "the HELO name is not a host name",
            HeloClass::NotFqdn => "the HELO name has no domain",
            HeloClass::Localdomain => "the HELO name is a default name",
            HeloClass::Line => "the HELO name is that of an end user's line",
            HeloClass::NoSuchTld => "the HELO name can not exist",
        })
    }
}

/// Words that programs without a host name greet with.
const BARE_WORDS: [&[u8]; 8] =
    [b"localhost", b"friend", b"user", b"local", b"mail", b"pc", b"computer", b"host"];

/// Sorts a HELO argument into its class; `points` says what a name weighs as that of a line
/// ([`dynamic::points`]).
pub fn classify(
    helo: Option<&[u8]>,
    client: IpAddr,
    our_names: &[Name],
    points: impl FnOnce(&[u8]) -> u8,
) -> HeloClass {
    let Some(name) = helo.map(|n| n.strip_suffix(b".").unwrap_or(n)).filter(|n| !n.is_empty()) else {
        return HeloClass::Missing;
    };
    if our_names.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name)) {
        return HeloClass::OurName;
    }
    if let Some(literal) = name.strip_prefix(b"[") {
        return literal_class(literal, client);
    }
    if address(name).is_some() {
        return HeloClass::RawAddress;
    }
    name_class(name, points)
}

fn literal_class(literal: &[u8], client: IpAddr) -> HeloClass {
    // §4.1.3: ‘IPv6:’ stands before an IPv6 address, in any case.
    let Some(inner) = literal.strip_suffix(b"]") else { return HeloClass::Invalid };
    let bare = if inner.len() > 5 && inner[..5].eq_ignore_ascii_case(b"ipv6:") { &inner[5..] } else { inner };
    match address(bare) {
        Some(addr) if model::key::fold(addr) == client => HeloClass::Fine,
        Some(_) => HeloClass::OtherLiteral,
        None => HeloClass::Invalid,
    }
}

/// A name in lower case, as most of them come.
fn lowered(name: &[u8]) -> Cow<'_, [u8]> {
    if name.iter().any(u8::is_ascii_uppercase) { name.to_ascii_lowercase().into() } else { name.into() }
}

fn address(text: &[u8]) -> Option<IpAddr> {
    // 45 octets hold the longest IPv6 address.
    let can_be = text.len() <= 45 && text.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'));
    std::str::from_utf8(text).ok().filter(|_| can_be)?.parse().ok()
}

fn name_class(name: &[u8], points: impl FnOnce(&[u8]) -> u8) -> HeloClass {
    let label_ok = |l: &[u8]| {
        (1..=63).contains(&l.len()) && l.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if name.len() > 253 || !name.split(|b| *b == b'.').all(label_ok) {
        HeloClass::Invalid
    } else if !name.contains(&b'.') {
        let known = BARE_WORDS.iter().any(|w| name.eq_ignore_ascii_case(w));
        if known { HeloClass::BareWord } else { HeloClass::NotFqdn }
    } else if ends_with(name, b".localdomain") {
        HeloClass::Localdomain
    } else if !is_under_known_tld(&lowered(name)) {
        HeloClass::NoSuchTld
    } else if points(name) > dynamic::LINE {
        HeloClass::Line
    } else {
        HeloClass::Fine
    }
}

fn ends_with(name: &[u8], suffix: &[u8]) -> bool {
    name.len() >= suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

/// Sessions that greeted with our name in 24 hours.
///
/// Nearly no key ever does, so the window is made when it is needed.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Window>>);

/// Sessions with our name that block (C.3).
const SESSIONS: u64 = 2;

/// Class a: a stranger that calls itself by our name.
pub struct OurName;

impl Detector for OurName {
    fn offence(&self) -> Offence {
        Offence::Helo
    }

    fn observe(&self, seen: &Seen, of: &mut Record, _: &Context<'_>) -> Option<Finding> {
        let opens = matches!(seen.act, Act::Attempt { opens_session: true, .. });
        if !opens || seen.traits.helo != HeloClass::OurName {
            return None;
        }
        let window = of.helo.0.get_or_insert_default();
        window.add(Secs::DAY, seen.at, 1);
        let sessions = window.sum(Secs::DAY, seen.at);
        of.account.add(Offence::Helo, seen.at, Units::whole(1));
        let facts = vec![(Measure::Sessions, sessions), (Measure::LimitSessions, SESSIONS)];
        (sessions >= SESSIONS).then_some(Finding {
            offence: Offence::Helo,
            key: seen.key,
            at: seen.at,
            facts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Traits;
    use model::{Millis, Policy};

    #[track_caller]
    fn check(helo: &str, expect: HeloClass) {
        let ours = [Name::new(b"mx.example.org")];
        let client = "192.0.2.1".parse().unwrap();
        let points = |name: &[u8]| dynamic::points(name, client);
        assert_eq!(classify(Some(helo.as_bytes()), client, &ours, points), expect, "{helo}");
    }

    #[test]
    fn each_class_has_its_examples() {
        check("mail.example.net", HeloClass::Fine);
        check("under_score.example.net", HeloClass::Fine);
        check("[192.0.2.1]", HeloClass::Fine);
        check("MX.example.org.", HeloClass::OurName);
        check("localhost", HeloClass::BareWord);
        check("192.0.2.1", HeloClass::RawAddress);
        check("2001:db8::1", HeloClass::RawAddress);
        check("[192.0.2.7]", HeloClass::OtherLiteral);
        check("[IPv6:2001:db8::7]", HeloClass::OtherLiteral);
        check("[192.0.2.1", HeloClass::Invalid);
        check("bad name.example", HeloClass::Invalid);
        check("a..example.net", HeloClass::Invalid);
        check("\u{e9}.example.net", HeloClass::Invalid);
        check("DESKTOP-7", HeloClass::NotFqdn);
        check("localhost.localdomain", HeloClass::Localdomain);
        check("", HeloClass::Missing);
    }

    #[test]
    fn a_literal_of_an_ipv6_client_is_its_own() {
        let client = "2001:db8::7".parse().unwrap();
        assert_eq!(classify(Some(b"[IPv6:2001:db8::7]"), client, &[], |_| 0), HeloClass::Fine);
    }

    #[test]
    fn the_second_session_with_our_name_blocks() {
        let policy = Policy::shipped();
        let around = crate::seen::tests::around(&policy, model::Class::Unknown);
        let mut record = Record::default();
        let mut observe = |at: u64, opens_session: bool| {
            let traits = Traits { helo: HeloClass::OurName, ..Traits::default() };
            let act = Act::Attempt { opens_session, trap: None, recipient: None, awaited: false };
            let seen = Seen { at: Millis::from_secs(at), key: "192.0.2.1".parse().unwrap(), traits, act };
            OurName.observe(&seen, &mut record, &around).is_some()
        };
        assert_eq!([observe(1000, true), observe(1001, false), observe(1002, true)], [false, false, true]);
    }
}
