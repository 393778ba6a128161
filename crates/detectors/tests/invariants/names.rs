//! What must hold for any name that a client has, or says that it has.

use std::net::{IpAddr, Ipv4Addr};

use detectors::dynamic::{LINE_MAX, is_access_token, names_server, octets_in, words};
use detectors::greylist::pool;
use detectors::helo::HeloClass;
use detectors::org::{org, same_org};
use detectors::score::{Lessons, connection};
use detectors::{Look, Traits};
use model::{Client, Key, Name, Policy, Rdns};

/// The lightest and the heaviest that a connection can be: a name of its own and good mail,
/// and every family against it.
const QUARTERS: std::ops::RangeInclusive<i32> = -20..=60;

/// What was made of one input.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) helo: HeloClass,
    pub(crate) org: bool,
    pub(crate) line: bool,
}

/// Reads an input as an address, a HELO argument and a reverse DNS name, a line each, and
/// panics where something does not hold.
pub(crate) fn check(input: &[u8]) -> Outcome {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (addr, helo, ptr) = (address(next()), next(), next());
    let policy = Policy { our_names: vec![Name::new(b"mx.example.org")], ..Policy::shipped() };
    let name = Name::new(ptr);
    for rdns in [Rdns::Unknown, Rdns::Missing, Rdns::Mismatch(name.clone()), Rdns::Confirmed(name.clone())] {
        whole(&client(addr, helo, rdns), &policy);
    }
    for text in [helo, ptr] {
        of_name(text, addr);
    }
    readers(input);
    let traits = Traits::of(&client(addr, helo, Rdns::Confirmed(name.clone())), false, &policy);
    Outcome { helo: traits.helo, org: org(name.as_bytes()).is_some(), line: traits.line > 0 }
}

fn address(line: &[u8]) -> IpAddr {
    let text = std::str::from_utf8(line).ok().and_then(|text| text.trim().parse().ok());
    text.unwrap_or(IpAddr::from([192, 0, 2, 25]))
}

fn client(addr: IpAddr, helo: &[u8], rdns: Rdns) -> Client {
    Client { addr, port: 0, helo: Some(Name::new(helo)), rdns, authenticated: false }
}

/// Traits, look, score and pool of one connection.
fn whole(of: &Client, policy: &Policy) {
    let traits = Traits::of(of, false, policy);
    assert!(traits.line <= LINE_MAX, "{traits:?}");
    if let IpAddr::V4(v4) = of.addr {
        let mapped = Client { addr: v4.to_ipv6_mapped().into(), ..of.clone() };
        assert_eq!(Traits::of(&mapped, false, policy), traits, "{mapped:?}");
    }
    // What a client says of itself never makes it somebody's shared sender.
    let silent = Traits::of(&Client { helo: None, ..of.clone() }, false, policy);
    assert_eq!(traits.shared, silent.shared);
    let (none, all) = (
        Lessons::default(),
        Lessons { look: 16, names: true, network: 16, greeting: true, ..Lessons::default() },
    );
    for (lessons, credit) in [(&none, false), (&none, true), (&all, false), (&all, true)] {
        let score = connection(&traits, lessons, credit);
        assert!(QUARTERS.contains(&score.quarters()), "{:?}", score.parts);
        for text in score.heaviest().into_iter().flatten() {
            assert!(!text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
    assert!(Look::of(&traits).is_none_or(|look| look.words().iter().all(|word| !word.is_empty())));
    match pool(of, &traits) {
        key @ Key::Domain(_) => {
            assert!(of.rdns.confirmed().is_some(), "only a confirmed name makes a pool");
            assert_eq!(key.to_string().parse::<Key>().as_ref(), Ok(&key));
        }
        Key::Net(net) => assert!(net.covers(model::Prefix::host(of.addr)) || of.addr.is_ipv6()),
        other => panic!("{other}"),
    }
}

/// One name under the classifiers of names alone.
fn of_name(text: &[u8], addr: IpAddr) {
    let name = Name::new(text);
    let lower = name.as_bytes();
    if let Some(found) = org(lower) {
        assert!(lower.ends_with(found), "{name}");
        assert_eq!(org(found), Some(found), "{name}");
        assert!(same_org(lower, found), "{name}");
        let before = lower.len() - found.len();
        assert!(before == 0 || lower[before - 1] == b'.', "an organisation begins at a label");
    }
    if let IpAddr::V4(v4) = addr {
        // An address in a name speaks of no other client than that one.
        let other = IpAddr::from(Ipv4Addr::from_bits(!v4.to_bits()));
        assert!(octets_in(lower, addr) <= 4 && octets_in(lower, other) <= 4);
    }
    assert!(words(lower).all(|word| !word.is_empty() && lower.len() >= word.len()));
    let _ = (names_server(lower), is_access_token(lower));
}

/// Files and bytes of operators: signatures of bots, the stored table of networks.
fn readers(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err((line, what)) = model::signatures::parse(&text) {
        assert!(line <= text.lines().count() + 1 && !what.is_empty());
    }
    if let Ok(atlas) = model::Atlas::from_bytes(input) {
        assert_eq!(
            model::Atlas::from_bytes(&atlas.to_bytes()).as_ref().map(model::Atlas::hash).ok(),
            Some(atlas.hash())
        );
    }
}
