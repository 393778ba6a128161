//! A real rbldnsd loads what we export, and answers as we hold it.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where rbldnsd is installed (`cargo xtask test world`
//! installs it); says `skipped: …` elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod site;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use site::Site;

/// Whether the world is asked for.
fn wanted() -> bool {
    let wanted = std::env::var("MAILWARD_WORLD").as_deref() == Ok("1");
    if !wanted {
        println!("skipped: MAILWARD_WORLD is not 1 (cargo xtask test world)");
    }
    wanted
}

/// An rbldnsd that ends with the test.
struct Peer {
    daemon: Child,
    port: u16,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Peer {
    fn start(zones: &[(&str, &str)]) -> Peer {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("rbldnsd");
        command.args(["-n", "-u", "nobody", "-b", &format!("127.0.0.1/{port}")]);
        command.args(zones.iter().map(|(zone, file)| format!("{zone}:combined:{file}")));
        let daemon = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let peer = Peer { daemon, port };
        let end = Instant::now() + Duration::from_secs(20);
        while peer.ask("2.0.0.127.bl.example").is_empty() {
            assert!(Instant::now() < end, "rbldnsd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        peer
    }

    /// The last octets of the A records of a name, ascending.
    fn ask(&self, name: &str) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(label.len() as u8);
            question.extend(label.as_bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        let mut answer = [0; 2048];
        for _ in 0..5 {
            socket.send_to(&question, ("127.0.0.1", self.port)).unwrap();
            if let Ok(len) = socket.recv(&mut answer) {
                return codes(&answer[..len], question.len());
            }
        }
        Vec::new()
    }

    fn listed(&self, addr: &str) -> Vec<u8> {
        let [a, b, c, d] = addr.parse::<Ipv4Addr>().unwrap().octets();
        self.ask(&format!("{d}.{c}.{b}.{a}.bl.example"))
    }
}

/// The A records behind the question: each has a pointer for its name.
fn codes(answer: &[u8], question_len: usize) -> Vec<u8> {
    let count = usize::from(answer[7]);
    let records = answer[question_len..].chunks(16).take(count);
    let mut codes: Vec<u8> = records.map(|record| record[15]).collect();
    codes.sort_unstable();
    codes
}

/// 300 entries of all kinds, from a seed.
fn list() -> String {
    let mut noise = 20_261_122_u64;
    let mut below = |end: u64| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise % end
    };
    let mut text = String::from(":3:spam\n");
    for _ in 0..300 {
        let (b, c, d, code) = (below(2), below(6), below(256), 2 + below(7));
        let line = match below(5) {
            0 => format!("198.5{b}.{c}.{}/{} :{code}:\n", d & 0xe0, 27),
            1 => format!("198.5{b}.{c}.{}-{} :{code}:\n", d / 2, d / 2 + below(100)),
            2 => format!("!198.5{b}.{c}.{d}\n"),
            _ => format!("198.5{b}.{c}.{d} :{code}:\n"),
        };
        text.push_str(&line);
    }
    text
}

#[track_caller]
fn told(site: &Site, args: &[&str]) -> String {
    let (done, told) = site.run(args);
    assert!(done, "{args:?}: {told}");
    told
}

/// Imports a list, as a file of this name and format.
fn import(site: &Site, name: &str, format: &str, text: &str) {
    let path = site.dir.0.join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    told(site, &["import", &path, "--name", name, "--as", "curated", "--format", format]);
}

/// A site with lists of all kinds, a block by hand, and one address with two codes.
fn site_with_lists() -> Site {
    let mut site = Site::new("world-rbldnsd");
    site.start();
    import(&site, "four", "ip4set", &list());
    import(&site, "six", "ip4trie", "2001:db8:1::/48 :4:\n2001:db8:2::25 :5:\n");
    import(&site, "names", "dnset", ":2:x\n.example.com\n!good.example.com\n*.example.net :4:\n");
    import(&site, "both", "ip4set", "203.0.113.7 :5:\n");
    told(&site, &["block", "203.0.113.7", "--for", "1 h", "--because", "x"]);
    site
}

/// What we hold of IPv4, address by address, as another form tells it.
fn held(site: &Site) -> BTreeMap<u32, Vec<u8>> {
    let mut held = BTreeMap::new();
    for row in told(site, &["export", "--format", "json", "--zone", "bl4"]).lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let addr = |name: &str| row[name].as_str().unwrap().parse::<Ipv4Addr>().unwrap().to_bits();
        let codes = row["codes"].as_array().unwrap().iter().map(|code| code.as_u64().unwrap() as u8);
        let codes: Vec<u8> = codes.collect();
        (addr("first")..=addr("last")).for_each(|bits| drop(held.insert(bits, codes.clone())));
    }
    assert!(held.len() > 500, "{}", held.len());
    held
}

#[test]
fn rbldnsd_answers_from_our_export_as_we_hold_it() {
    if !wanted() {
        return;
    }
    let site = site_with_lists();
    let out = |zone: &str| {
        let path = site.dir.0.join(format!("{zone}.rbl")).display().to_string();
        told(&site, &["export", "--format", "rbldnsd", "--zone", zone, "--out", &path]);
        path
    };
    let peer = Peer::start(&[("bl.example", &out("bl")), ("dom.example", &out("dom"))]);
    let held = held(&site);
    for base in ["198.50.0.0", "198.51.0.0"] {
        let base = base.parse::<Ipv4Addr>().unwrap().to_bits();
        for bits in base..base + 6 * 256 {
            let addr = Ipv4Addr::from_bits(bits).to_string();
            assert_eq!(peer.listed(&addr), held.get(&bits).cloned().unwrap_or_default(), "{addr}");
        }
    }
    assert_eq!(peer.listed("203.0.113.7"), [2, 5]);
    assert_eq!([2_u8, 3, 8, 18].map(|code| peer.listed(&format!("127.0.0.{code}"))), [[2], [3], [8], [18]]);
    assert!(peer.listed("127.0.0.1").is_empty());
    answers_for_ipv6_and_domains(&peer);
}

fn answers_for_ipv6_and_domains(peer: &Peer) {
    let zeros = "0.".repeat(18);
    let nibbles = |last: &str, net: &str| peer.ask(&format!("{last}{zeros}{net}.8.b.d.0.1.0.0.2.bl.example"));
    assert_eq!([nibbles("5.2.", "2.0.0.0"), nibbles("9.9.", "1.0.0.0")], [[5], [4]]);
    assert!(nibbles("6.2.", "2.0.0.0").is_empty());
    let name = |name: &str| peer.ask(&format!("{name}.dom.example"));
    assert_eq!(
        ["example.com", "a.example.com", "good.example.com", "example.net", "a.example.net", "test"]
            .map(name),
        [vec![2], vec![2], vec![], vec![], vec![4], vec![2]]
    );
}
