//! Made-up SMTP sessions, the same for the same seed: one JSON object a line, with the
//! fields of a recorded stream.
//!
//! Four kinds of clients, in shares like those of a university's border MX: bots that
//! come once, offenders that come back, good servers, and mailbox providers that carry
//! both. Nothing here is measured from anybody's mail; names are RFC 2606 names.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use crate::error::TaskError;
use crate::random::Random;

/// 2026-01-01 00:00 UTC: when the first session begins.
const BEGINS: u64 = 1_767_225_600;

/// The mean time between sessions is 2.5 s, so that a million take 29 days.
const GAP_MAX_S: u64 = 5;

/// Good servers; each has one address and sends for years.
const GOOD: u64 = 4_000;

/// Mailbox providers' outgoing addresses.
const SHARED: u64 = 200;

/// Offenders that are active at the same time; each is replaced when its campaign ends.
const ACTIVE_OFFENDERS: usize = 400;

/// The most messages of one offender's campaign.
const CAMPAIGN_MAX: u64 = 400;

/// One session.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Session {
    ts: u64,
    seq: u64,
    client_ip: Ipv4Addr,
    client_name: Option<String>,
    helo: String,
    mail_from: String,
    rcpt: String,
    spam: bool,
    size: u64,
}

/// A client as the border MX sees it.
#[derive(Clone, Debug)]
struct Client {
    address: Ipv4Addr,
    name: Option<String>,
    helo: String,
}

/// An offender and how many messages it still sends.
struct Offender {
    client: Client,
    left: u64,
}

/// Makes sessions one after another.
struct Sessions {
    random: Random,
    offenders: Vec<Offender>,
    now: u64,
    seq: u64,
}

/// Writes `count` sessions to `path`; returns for each whether it is spam.
pub(crate) fn write(path: &Path, seed: u64, count: u64) -> Result<Vec<bool>, TaskError> {
    let file = File::create(path).map_err(TaskError::file(path))?;
    let mut out = BufWriter::new(file);
    let mut sessions = Sessions::new(seed);
    let mut labels = Vec::new();
    for _ in 0..count {
        let session = sessions.next();
        labels.push(session.spam);
        session.write(&mut out).map_err(TaskError::file(path))?;
    }
    out.flush().map_err(TaskError::file(path))?;
    Ok(labels)
}

/// The number of the session with this `id`.
pub(crate) fn number_of(id: &str) -> Option<usize> {
    id.strip_prefix('s')?.parse().ok()
}

impl Session {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { ts, seq, client_ip, helo, mail_from, rcpt, size, .. } = self;
        let name = self.client_name.as_ref().map_or("null".into(), |name| format!("\"{name}\""));
        let label = if self.spam { "spam" } else { "ham" };
        writeln!(
            out,
            r#"{{"ts":{ts},"id":"s{seq}","label":"{label}","status":"ok","client_ip":"{client_ip}","client_name":{name},"name_forged":false,"helo":"{helo}","mail_from":"{mail_from}","rcpt":"{rcpt}","size":{size},"seq":{seq}}}"#
        )
    }
}

impl Sessions {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let offenders = (0..ACTIVE_OFFENDERS).map(|_| offender(&mut random)).collect();
        Self { random, offenders, now: BEGINS, seq: 0 }
    }

    fn next(&mut self) -> Session {
        let (client, spam) = match self.random.below(100) {
            0..45 => (bot(&mut self.random), true),
            45..75 => (self.offend(), true),
            75..96 => (good(&mut self.random), self.random.chance(1)),
            _ => (shared(&mut self.random), self.random.chance(12)),
        };
        self.now += self.random.below(GAP_MAX_S + 1);
        let seq = self.seq;
        self.seq += 1;
        self.message(client, spam, seq)
    }

    fn message(&mut self, client: Client, spam: bool, seq: u64) -> Session {
        let random = &mut self.random;
        let sender_domain = random.below(20_000);
        let size = if spam { 1_000 + random.below(9_000) } else { 2_000 + random.below(200_000) };
        Session {
            ts: self.now,
            seq,
            client_ip: client.address,
            client_name: client.name,
            helo: client.helo,
            mail_from: format!("user{}@d{sender_domain}.example", random.below(1_000)),
            rcpt: format!("local{}@corp.example", random.below(3_000)),
            spam,
            size,
        }
    }

    /// One more message of an offender; a new one takes the place of one that is done.
    fn offend(&mut self) -> Client {
        let at = self.random.below(self.offenders.len() as u64) as usize;
        let offender = &mut self.offenders[at];
        let client = offender.client.clone();
        offender.left -= 1;
        if offender.left == 0 {
            *offender = self::offender(&mut self.random);
        }
        client
    }
}

/// An offender: a rented server with a fine name, or an infected one that stays.
fn offender(random: &mut Random) -> Offender {
    let client =
        if random.chance(40) { server(random.address(), "vps", random.below(100_000)) } else { bot(random) };
    // Most campaigns are short and a few are long: the smaller of two draws.
    let left = 2 + random.below(CAMPAIGN_MAX).min(random.below(CAMPAIGN_MAX));
    Offender { client, left }
}

/// An infected machine: a generic name or none, and mostly a bad HELO.
fn bot(random: &mut Random) -> Client {
    let address = random.address();
    let [a, b, c, d] = address.octets();
    let isp = random.below(500);
    let name = match random.below(10) {
        0..4 => None,
        4..7 => Some(format!("{d}-{c}-{b}-{a}.dsl.isp{isp}.example")),
        7..9 => Some(format!("host{a}-{b}-{c}-{d}.dyn.isp{isp}.example")),
        _ => Some(format!("static.isp{isp}.example")),
    };
    let helo = match random.below(10) {
        0..3 => format!("pc-{:x}", random.below(1 << 24)),
        3..5 => address.to_string(),
        5 => "localhost".into(),
        6 => "corp.example".into(),
        _ => name.clone().unwrap_or_else(|| format!("d{}.example", random.below(20_000))),
    };
    Client { address, name, helo }
}

/// One of the good servers; low numbers send most.
fn good(random: &mut Random) -> Client {
    let number = random.below(GOOD).min(random.below(GOOD));
    server(address_of("good", number), "mail", number)
}

/// One of the providers' servers.
fn shared(random: &mut Random) -> Client {
    let number = random.below(SHARED);
    server(address_of("shared", number), "out", number)
}

/// A server with a name that leads back to its address, and that says it in HELO.
fn server(address: Ipv4Addr, kind: &str, number: u64) -> Client {
    let name = format!("{kind}{number}.d{number}.example");
    Client { address, name: Some(name.clone()), helo: name }
}

/// The address of a server that keeps it.
fn address_of(kind: &str, number: u64) -> Ipv4Addr {
    Random::new(number ^ (kind.len() as u64) << 32).address()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashMap;

    fn sessions(seed: u64, count: usize) -> Vec<Session> {
        let mut sessions = Sessions::new(seed);
        (0..count).map(|_| sessions.next()).collect()
    }

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(sessions(7, 1000), sessions(7, 1000));
        assert_ne!(sessions(7, 1000), sessions(8, 1000));
    }

    #[test]
    fn a_line_is_json_with_the_streams_fields() {
        for session in sessions(1, 2000) {
            let mut line = Vec::new();
            session.write(&mut line).unwrap();
            let read: Value = serde_json::from_slice(&line).unwrap();
            let fields: Vec<_> = read.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields.len(), 12);
            assert_eq!(number_of(read["id"].as_str().unwrap()), Some(session.seq as usize));
            assert_eq!(read["client_name"].is_null(), session.client_name.is_none());
        }
    }

    #[test]
    fn sessions_come_in_the_order_of_time() {
        let all = sessions(1, 5000);
        assert!(all.windows(2).all(|pair| pair[0].ts <= pair[1].ts && pair[0].seq + 1 == pair[1].seq));
    }

    #[test]
    fn the_mix_has_repeat_offenders_and_one_shot_bots() {
        let all = sessions(3, 50_000);
        let mut spam_of: HashMap<Ipv4Addr, usize> = HashMap::new();
        for session in all.iter().filter(|session| session.spam) {
            *spam_of.entry(session.client_ip).or_default() += 1;
        }
        let once = spam_of.values().filter(|count| **count == 1).count();
        let often = spam_of.values().filter(|count| **count >= 20).count();
        let spam = all.iter().filter(|session| session.spam).count();
        assert!(once > 15_000 && often > 100, "{once} once, {often} often");
        assert!((35_000..40_000).contains(&spam), "{spam} spam");
    }
}
