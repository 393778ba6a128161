//! What must hold for any message to whoever hands out zones: signed, signed wrongly, or not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use edge::Clock;
use edge::dns::transfer::{Config, Edition, Outlet, Past};
use edge::dns::{OwnedName, Transfers};
use hmac::{Hmac, KeyInit, Mac};
use model::{Codes, Millis, Site};
use projections::records::{Entries, Held, Zone};
use sha2::Sha256;
use wire::dns::{DnsName, HEADER_LEN, Query, Tsig};

const KEY: &str = "xfr:hmac-sha256:bWFpbHdhcmQgdGVzdHMgc2lnbiB3aXRoIHRoaXMga2V5";
const SECRET: &[u8] = b"mailward tests sign with this key";
const KEY_NAME: &[u8] = b"\x03xfr\0";
const ALGORITHM: &[u8] = b"\x0bhmac-sha256\0";
/// Messages of the longest answer here: the zone has five entries.
const MESSAGES_MAX: usize = 1;

/// What came of a message with a right signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Nothing: it has no header, or is an answer.
    Silence,
    /// This code, and so many records.
    Answer(u8, u16),
}

/// Hands messages to one that hands out zones.
pub(crate) struct Server {
    outlet: Outlet,
    from: SocketAddr,
}

impl Server {
    /// With a key, and a zone of five addresses.
    pub(crate) fn new() -> Server {
        let config = Config {
            base: "dnsbl.example".parse().expect("a name"),
            servers: vec!["ns.example".parse().expect("a name")],
            contact: OwnedName::of_mailbox("hostmaster@example").expect("a mailbox"),
            ttl: 60,
            negative_ttl: 60,
            from: vec!["127.0.0.0/8".parse().expect("a prefix")],
            keys: vec![Arc::new(KEY.parse().expect("a key"))],
            site: Arc::new(Site { portal: "https://portal.example".into(), ..Site::default() }),
        };
        let outlet = Outlet::new(config, Clock::manual(Millis(1_795_300_807_000)));
        let mut entries = Entries::default();
        for nth in 0..5 {
            let held = Held { codes: Codes::of(3), holes: Vec::new() };
            let prefix = format!("203.0.113.{nth}").parse().expect("a prefix");
            entries.set(prefix, &Held::default(), &held);
        }
        let zone = Zone::all().next().expect("a zone");
        outlet.publish(0, Edition { zone, serial: 7, entries, past: Arc::new(Past::default()) });
        Server { outlet, from: "127.0.0.1:5353".parse().expect("an address") }
    }

    /// Hands a message over as it is, with a right signature, and with one octet of that
    /// changed; panics where something does not hold. What came of the right one.
    pub(crate) fn check(&self, message: &[u8]) -> Outcome {
        let plain = check_split(message);
        self.check_unsigned(message);
        let outcome = self.check_signed(&plain);
        self.check_changed(&plain, message);
        outcome
    }

    fn answers(&self, message: &[u8]) -> Vec<Vec<u8>> {
        let udp = self.outlet.over_udp(message, self.from);
        let tcp: Vec<_> = self.outlet.over_tcp(message, self.from).take(MESSAGES_MAX + 1).collect();
        assert!(tcp.len() <= MESSAGES_MAX, "{} messages", tcp.len());
        udp.into_iter().chain(tcp).collect()
    }

    /// Nobody gets a record without a signature (ADV-14).
    fn check_unsigned(&self, message: &[u8]) {
        for answer in self.answers(message) {
            assert_eq!(records(&answer), 0, "{}", message.escape_ascii());
            assert!(Query::parse(&answer).is_err(), "two servers could answer each other for ever");
            assert_ne!(answer[3] & 15, 0, "a code");
        }
    }

    /// RFC 8945 §5.3: every answer to a right signature is signed, over the one before.
    fn check_signed(&self, plain: &[u8]) -> Outcome {
        let Some(signed) = signed(plain) else { return Outcome::Silence };
        let (_, ours) = Tsig::split(&signed).expect("we signed it").expect("we signed it");
        let mut outcome = Outcome::Silence;
        for answer in self.answers(&signed) {
            assert_eq!(answer[..2], signed[..2]);
            outcome = Outcome::Answer(answer[3] & 15, records(&answer));
            let Ok(Some((before, tsig))) = Tsig::split(&answer) else {
                // What does not parse as a question is no message that could be answered so.
                assert_eq!(outcome, Outcome::Answer(1, 0), "{}", signed.escape_ascii());
                continue;
            };
            let len = (ours.mac.len() as u16).to_be_bytes();
            let expect = mac(&[&len, ours.mac, &before, &tsig.variables()]);
            assert_eq!(tsig.mac, expect, "{}", signed.escape_ascii());
        }
        outcome
    }

    /// One octet changed is another message, or it was one that signatures leave open: the
    /// number (§4.3.3), or the case of a name (§4.3.3).
    fn check_changed(&self, plain: &[u8], noise: &[u8]) {
        let Some(signed) = signed(plain) else { return };
        let noise =
            noise.iter().fold(7_usize, |all, octet| all.wrapping_mul(31).wrapping_add(usize::from(*octet)));
        let mut changed = signed.clone();
        let at = noise / 8 % signed.len();
        changed[at] ^= 1 << (noise % 8);
        let same = |a: &[u8], b: &[u8]| {
            let (Ok(Some((a, of_a))), Ok(Some((b, of_b)))) = (Tsig::split(a), Tsig::split(b)) else {
                return false;
            };
            a == b && of_a.variables() == of_b.variables() && of_a.mac == of_b.mac
        };
        for answer in self.answers(&changed) {
            let is_open = same(&signed, &changed);
            assert!(is_open || records(&answer) == 0, "octet {at}: {}", signed.escape_ascii());
        }
    }
}

/// What a signature is taken off of, put together again, is what came; the rest.
fn check_split(message: &[u8]) -> Vec<u8> {
    let Ok(Some((plain, tsig))) = Tsig::split(message) else { return message.to_vec() };
    assert_eq!(plain[..2], tsig.original_id.to_be_bytes());
    let mut again = plain.clone();
    tsig.put(&mut again);
    assert_eq!(again[2..], message[2..]);
    let variables = tsig.variables();
    assert!(!variables[..tsig.key.as_bytes().len()].iter().any(u8::is_ascii_uppercase));
    assert_eq!(tsig.timers()[..6], tsig.time.to_be_bytes()[2..]);
    assert!(plain.len() < message.len());
    plain
}

fn records(answer: &[u8]) -> u16 {
    u16::from_be_bytes([answer[6], answer[7]]) + u16::from_be_bytes([answer[8], answer[9]])
}

/// The message with our key's signature, made without our code; `None` without a header.
fn signed(plain: &[u8]) -> Option<Vec<u8>> {
    let id = u16::from_be_bytes([*plain.first()?, *plain.get(1)?]);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let name = |bytes| DnsName::whole(bytes).expect("a name");
    let (key, algorithm) = (name(KEY_NAME), name(ALGORITHM));
    let tsig =
        Tsig { key, algorithm, time: now, fudge: 300, mac: &[], original_id: id, error: 0, other: &[] };
    // RFC 8945 §4.3.3.
    let [_, _, time @ ..] = now.to_be_bytes();
    let variables =
        [KEY_NAME, &[0, 255, 0, 0, 0, 0], ALGORITHM, &time, &300_u16.to_be_bytes(), &[0; 4]].concat();
    let mac = mac(&[plain, &variables]);
    let mut signed = plain.to_vec();
    Tsig { mac: &mac, ..tsig }.put(&mut signed);
    // Behind what does not parse a record is not found again, or is taken for another's data.
    let is_ours = |found: &(Vec<u8>, Tsig<'_>)| found.0 == plain && found.1.mac == mac;
    let found = Tsig::split(&signed).ok().flatten().is_some_and(|found| is_ours(&found));
    (plain.len() >= HEADER_LEN && found).then_some(signed)
}

fn mac(parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET).expect("any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}
