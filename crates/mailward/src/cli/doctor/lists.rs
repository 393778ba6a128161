//! What `doctor` says of the block lists: who can ask them, who must not, and whether they answer.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use edge::dns::{Access, OwnedName};
use wire::dns::{HEADER_LEN, UDP_LEN_MAX, class, rcode, rtype};

use super::{Finding, good, look};
use crate::config::{Config, NameServer};

/// The port on which resolvers ask (RFC 1035 §4.2).
const PORT: u16 = 53;

/// How long an answer may take, twice: we answer in microseconds, or the packet was lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a question is asked.
const TRIES: usize = 2;

/// What the settings mean for those who would ask.
pub(super) fn settings(config: &Config) -> Vec<Finding> {
    let Some(server) = config.name_server() else { return Vec::new() };
    let mut findings = vec![reached(&server)];
    let public: Vec<String> =
        server.listen.iter().filter(|at| is_odd(**at)).map(SocketAddr::to_string).collect();
    if !public.is_empty() {
        let text = format!(
            "asked at {}, but resolvers of others ask port {PORT} only (dns.listen)",
            public.join(", ")
        );
        findings.push(look("block lists", text));
    }
    findings.extend(limits(&server));
    findings
}

fn is_odd(at: SocketAddr) -> bool {
    !at.ip().is_loopback() && at.port() != PORT
}

/// Whether those who may ask can.
fn reached(server: &NameServer) -> Finding {
    let zone = &server.base;
    let is_local = server.listen.iter().all(|at| at.ip().is_loopback());
    let for_others = server.access != Access::Local || !server.allow.is_empty();
    match (is_local, for_others) {
        (true, true) => look(
            "block lists",
            format!(
                "{zone} is for others, too, but listens on loopback only: set dns.listen to an address of this host"
            ),
        ),
        (true, false) => good("block lists", format!("{zone} is for this machine only")),
        (false, false) => good("block lists", format!("{zone} is for this machine and own.networks")),
        (false, true) => good("block lists", format!("{zone} is for others, too: {}", who(server))),
    }
}

fn who(server: &NameServer) -> &'static str {
    match server.access {
        Access::Local | Access::Listed => "networks of dns.allow",
        Access::Keyed => "networks of dns.allow, and whoever has a key",
        Access::Public => "everybody",
    }
}

/// ADV-8: what everybody may ask in anybody's name must be limited.
fn limits(server: &NameServer) -> Option<Finding> {
    let rates = &server.rates;
    let is_limited =
        !rates.count_only && [rates.listed, rates.unlisted, rates.errors].iter().all(|rate| *rate > 0);
    (server.access == Access::Public && !is_limited).then(|| {
        let text = "everybody may ask without a limit: a forger can flood others with our answers (dns.rate-mode = \
                    \"on\", no rate of 0)";
        look("block lists", text.to_owned())
    })
}

/// Whether the test entry is answered, at each address.
pub(super) fn asked(config: &Config) -> Vec<Finding> {
    let Some(server) = config.name_server() else { return Vec::new() };
    server.listen.iter().map(|at| told(*at, &server.base, ask(*at, &server.base))).collect()
}

fn told(at: SocketAddr, zone: &OwnedName, heard: Heard) -> Finding {
    match heard {
        Heard::Listed => {
            good("block lists", format!("127.0.0.2 is listed in bl.{zone} at {at}, as it must be"))
        }
        Heard::Refused => look(
            "block lists",
            format!(
                "{at} refuses questions of this machine itself: set own.networks, or dns.allow to its addresses"
            ),
        ),
        Heard::Other(code) => {
            look("block lists", format!("{at} answers the test entry 127.0.0.2 with code {code}"))
        }
        Heard::Nothing(why) => look(
            "block lists",
            format!("{at} does not answer ({why}): was the daemon restarted since dns.zone was set?"),
        ),
    }
}

/// What came back.
#[derive(Debug, Eq, PartialEq)]
enum Heard {
    Listed,
    Refused,
    Other(u16),
    Nothing(String),
}

/// Asks for the test entry of the list that everybody uses (RFC 5782 §5).
fn ask(at: SocketAddr, zone: &OwnedName) -> Heard {
    let Some(question) = question(zone) else {
        return Heard::Nothing("the zone's name is too long".to_owned());
    };
    exchange(at, &question).unwrap_or_else(|error| Heard::Nothing(error.to_string()))
}

fn question(zone: &OwnedName) -> Option<Vec<u8>> {
    let labels = ["bl", "127", "0", "0", "2"];
    let name = labels.iter().try_fold(zone.clone(), |name, label| name.below(label)).ok()?;
    // One question; nobody else hears it, so its number need not be a secret.
    let head = [0x4d, 0x57, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    Some([&head, name.name().as_bytes(), &rtype::A.to_be_bytes(), &class::IN.to_be_bytes()].concat())
}

fn exchange(at: SocketAddr, question: &[u8]) -> std::io::Result<Heard> {
    // From the same address: this machine is known by it.
    let socket = UdpSocket::bind((at.ip(), 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(at)?;
    let mut answer = [0; UDP_LEN_MAX];
    let mut last = None;
    for _ in 0..TRIES {
        socket.send(question)?;
        match socket.recv(&mut answer) {
            Ok(len) => return Ok(read(&answer[..len], question)),
            Err(error) => last = Some(error),
        }
    }
    last.map_or_else(|| Ok(Heard::Other(rcode::SERVFAIL)), Err)
}

/// Our own answers have no EDNS where the question has none, and end with the address.
fn read(answer: &[u8], question: &[u8]) -> Heard {
    let is_ours = answer.len() >= HEADER_LEN && answer[..2] == question[..2] && answer[2] & 0x80 != 0;
    match answer.get(3).map(|low| u16::from(low & 15)) {
        Some(rcode::NOERROR) if is_ours && answer.ends_with(&[127, 0, 0, 2]) => Heard::Listed,
        Some(rcode::REFUSED) if is_ours => Heard::Refused,
        Some(code) if is_ours => Heard::Other(code),
        _ => Heard::Nothing("something else answers there".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dns: &str, expect: &[(bool, &str)]) {
        let text = format!("[dns]\nzone = \"lists.example.net\"\n{dns}");
        let config = Config::from_str("ours", &text).unwrap_or_else(|e| panic!("{e}"));
        let found = settings(&config);
        let told: Vec<_> = found.iter().map(|finding| (finding.good, finding.text.as_str())).collect();
        assert_eq!(told.len(), expect.len(), "{told:?}");
        for ((good, words), (is_good, text)) in expect.iter().zip(told) {
            assert!(*good == is_good && text.contains(words), "expected {words}, but got {text}");
        }
    }

    #[test]
    fn lists_that_others_may_ask_must_be_reached() {
        check("", &[(true, "for this machine only")]);
        check("access = \"acl\"", &[(false, "listens on loopback only")]);
        check("allow = [\"192.0.2.0/24\"]", &[(false, "listens on loopback only")]);
        check("listen = [\"192.0.2.1:53\"]\nallow = [\"192.0.2.0/24\"]", &[(true, "networks of dns.allow")]);
        check("listen = [\"192.0.2.1:53\"]", &[(true, "this machine and own.networks")]);
    }

    #[test]
    fn resolvers_ask_one_port() {
        check(
            "listen = [\"192.0.2.1:5353\", \"127.0.0.1:12353\"]",
            &[(true, "own.networks"), (false, "asked at 192.0.2.1:5353, but")],
        );
    }

    #[test]
    fn adv_8_what_everybody_may_ask_is_limited() {
        let public = "listen = [\"192.0.2.1:53\"]\naccess = \"public\"\n";
        check(public, &[(true, "everybody")]);
        for none in ["rate-mode = \"off\"", "rate-mode = \"count\"", "rate-listed = 0"] {
            check(&format!("{public}{none}"), &[(true, "everybody"), (false, "without a limit")]);
        }
    }

    #[test]
    fn without_a_zone_there_is_nothing_to_say() {
        let config = Config::from_str("ours", "").unwrap_or_else(|e| panic!("{e}"));
        assert!(settings(&config).is_empty() && asked(&config).is_empty());
    }

    /// Somebody who answers every question with these octets behind its number.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((_, from)) = socket.recv_from(&mut question) {
                socket.send_to(&[&question[..2], answer].concat(), from).unwrap();
            }
        });
        at
    }

    #[test]
    fn the_test_entry_is_asked_for() {
        let zone: OwnedName = "lists.example.net".parse().unwrap();
        let name = b"\x012\x010\x010\x03127\x02bl\x05lists\x07example\x03net\0";
        assert_eq!(question(&zone).unwrap()[HEADER_LEN..], [&name[..], &[0, 1, 0, 1]].concat());
        for (answer, expect) in [
            (&[0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0, 127, 0, 0, 2][..], Heard::Listed),
            (&[0x80, 5, 0, 1, 0, 0, 0, 0, 0, 0], Heard::Refused),
            (&[0x84, 3, 0, 1, 0, 0, 0, 0, 0, 0], Heard::Other(3)),
            (&[0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0], Heard::Other(0)),
            (&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0], Heard::Nothing("something else answers there".to_owned())),
        ] {
            assert_eq!(ask(server(answer), &zone), expect);
        }
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(ask(gone, &zone), Heard::Nothing(_)));
        assert!(!told(gone, &zone, ask(gone, &zone)).good && told(gone, &zone, Heard::Listed).good);
    }
}
