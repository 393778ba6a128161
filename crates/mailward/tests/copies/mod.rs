//! NSD, Knot and BIND as secondaries of one daemon, by what `setup copies` prints; an operator
//! in a hurry, and dice.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod files;
mod policy;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::site::{Site, free_port};
use crate::world::{Folder, wait_for};

pub(crate) use policy::Resolvers;

pub(crate) const PROGRAMS: [&str; 6] = [
    "/usr/sbin/nsd",
    "/usr/sbin/nsd-checkzone",
    "/usr/sbin/knotd",
    "/usr/sbin/named",
    "/usr/bin/named-compilezone",
    "/usr/bin/dig",
];

/// Which lists are copied: addresses of both families, domains, and a response policy.
pub(crate) const ZONES: [&str; 3] = ["bl", "dom", "rpz"];

const BASE: &str = "dnsbl.example.org";
const SECRET: &str = "bWFpbHdhcmQgdGVzdHMgc2lnbiB3aXRoIHRoaXMga2V5";
/// Connections of the operator: each order waits until it is seen.
const HANDS: usize = 8;

pub(crate) fn zone(label: &str) -> String {
    format!("{label}.{BASE}")
}

/// The file of the key, for its owner only.
fn key_file(site: &Site) -> PathBuf {
    let path = site.dir.0.join("transfer.keys");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    writeln!(file, "# of all copies\nmailward-xfr:hmac-sha256:{SECRET}").unwrap();
    path
}

/// Three servers.
pub(crate) struct Copies {
    folder: Folder,
    pub(crate) primary: u16,
    nsd: u16,
    knot: u16,
    bind: u16,
    running: Vec<Child>,
}

impl Copies {
    /// Chooses ports, and tells the daemon of them in its configuration.
    pub(crate) fn prepare(name: &str, site: &Site) -> Copies {
        let [primary, nsd, knot, bind] = [(); 4].map(|()| free_port());
        let mut config = std::fs::read_to_string(&site.config).unwrap();
        config += &format!(
            "[dns]\nzone = \"{BASE}\"\nlisten = [\"127.0.0.1:{primary}\"]\ntransfer-to = [\"127.0.0.1\"]\n\
             transfer-key-file = \"{}\"\n\
             notify = [\"127.0.0.1:{nsd}\", \"127.0.0.1:{knot}\", \"127.0.0.1:{bind} mailward-xfr\"]\n",
            key_file(site).display()
        );
        std::fs::write(&site.config, config).unwrap();
        Copies { folder: Folder::new(name), primary, nsd, knot, bind, running: Vec::new() }
    }

    /// Starts them, and waits until each has all zones.
    pub(crate) fn start(mut self, site: &Site) -> Copies {
        let (nsd, knot, bind) = (self.nsd(site), self.knot(site), self.bind(site));
        self.run("/usr/sbin/nsd", &["-d", "-c", nsd.to_str().unwrap()]);
        self.run("/usr/sbin/knotd", &["-c", knot.to_str().unwrap()]);
        self.run("/usr/sbin/named", &["-g", "-c", bind.to_str().unwrap()]);
        for (server, port) in self.ports() {
            for zone in ZONES {
                wait_for(&format!("{zone} on {server}"), || (self.serial(port, zone) > 0).then_some(()));
            }
        }
        self
    }

    pub(crate) fn ports(&self) -> [(&'static str, u16); 3] {
        [("NSD", self.nsd), ("Knot", self.knot), ("BIND", self.bind)]
    }

    /// Waits until each server has the primary's number and the same records.
    #[track_caller]
    pub(crate) fn all_agree(&self, when: &str) {
        // Changes are gathered for a second: after two nothing is still to come.
        std::thread::sleep(Duration::from_secs(2));
        for zone in ZONES {
            let ours = self.records(self.primary, zone);
            for (server, port) in self.ports() {
                wait_for(&format!("{zone} on {server} {when}"), || {
                    (self.serial(port, zone) == self.serial(self.primary, zone)).then_some(())
                });
                // A server that loads just then closes the connection: that says nothing of the zone.
                let theirs = wait_for(&format!("a transfer of {zone} from {server} {when}"), || {
                    Some(self.records(port, zone)).filter(|records| !records.is_empty())
                });
                let apart: Vec<_> = ours.symmetric_difference(&theirs).take(5).collect();
                assert!(apart.is_empty(), "{zone} on {server} {when}: {apart:?} of {}", ours.len());
            }
            println!("{zone} {when}: {} records on four servers", ours.len());
        }
    }

    /// A zone's number; 0 where the server has none.
    pub(crate) fn serial(&self, port: u16, label: &str) -> u32 {
        let out = self.dig(port, &["-y", &self.key(), &zone(label), "SOA"]);
        out.split_whitespace().nth(6).and_then(|serial| serial.parse().ok()).unwrap_or(0)
    }

    /// All records but the start, each as one line.
    pub(crate) fn records(&self, port: u16, label: &str) -> BTreeSet<String> {
        records(&self.dig(port, &["-y", &self.key(), &zone(label), "AXFR"]))
    }

    /// The differences since a number.
    pub(crate) fn ixfr(&self, label: &str, since: u32) -> String {
        self.dig(self.primary, &["-y", &self.key(), &zone(label), &format!("IXFR={since}")])
    }

    fn key(&self) -> String {
        format!("hmac-sha256:mailward-xfr:{SECRET}")
    }

    /// The answer's records.
    pub(crate) fn dig(&self, port: u16, args: &[&str]) -> String {
        let quiet = ["+noall", "+answer", "+nomultiline", "+time=5", "+tries=2"];
        let out = self.dig_all(port, &[&quiet[..], args].concat());
        out.lines().filter(|line| !line.starts_with(';')).map(|line| format!("{line}\n")).collect()
    }

    /// Everything that is told.
    pub(crate) fn dig_all(&self, port: u16, args: &[&str]) -> String {
        let port = port.to_string();
        let out = Command::new("timeout").args(["20", "dig", "@127.0.0.1", "-p", &port]).args(args).output();
        String::from_utf8_lossy(&out.unwrap().stdout).into_owned()
    }

    fn run(&mut self, program: &str, args: &[&str]) {
        let log = std::fs::File::create(self.path(&format!("{}.log", program.replace('/', "-")))).unwrap();
        let both = (log.try_clone().unwrap(), log);
        let child =
            Command::new(program).args(args).stdout(both.0).stderr(both.1).stdin(Stdio::null()).spawn();
        self.running.push(child.unwrap());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn dir(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        path.display().to_string()
    }

    /// What `setup copies` prints, with the key's secret where it belongs.
    fn printed(&self, site: &Site, part: &str) -> String {
        let (done, sheet) = site.run(&["setup", "copies", "--json"]);
        assert!(done && !sheet.contains(SECRET), "{sheet}");
        let sheet: serde_json::Value = serde_json::from_str(&sheet).unwrap();
        sheet[part].as_str().unwrap().replace("SECRET", SECRET)
    }

    /// The printed lines, with what is this machine's; and whole zones for us to compare.
    fn nsd(&self, site: &Site) -> PathBuf {
        let (dir, port) = (self.dir("nsd"), self.nsd);
        let all = "    allow-notify: 127.0.0.1 mailward-xfr\n";
        let printed = self.printed(site, "nsd_conf");
        let printed = printed.replace(all, &format!("{all}    provide-xfr: 127.0.0.1 mailward-xfr\n"));
        let text = format!(
            "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  database: \"\"\n  server-count: 1\n  \
             pidfile: \"{dir}/pid\"\n  xfrdfile: \"{dir}/xfrd\"\n  xfrdir: \"{dir}\"\n  zonelistfile: \"{dir}/zones\"\n\
             remote-control:\n  control-enable: no\n{printed}"
        );
        self.write("nsd.conf", &text)
    }

    fn knot(&self, site: &Site) -> PathBuf {
        let (dir, port) = (self.dir("knot"), self.knot);
        let printed = self.printed(site, "knot_conf").replace("action: notify", "action: [notify, transfer]");
        let text = format!(
            "server:\n  listen: 127.0.0.1@{port}\n  rundir: \"{dir}\"\ndatabase:\n  storage: \"{dir}\"\n\
             log:\n  - target: stderr\n    any: info\n\
             template:\n  - id: default\n    storage: \"{dir}\"\n    zonefile-sync: -1\n{printed}"
        );
        self.write("knot.conf", &text)
    }

    fn bind(&self, site: &Site) -> PathBuf {
        let (dir, port) = (self.dir("bind"), self.bind);
        let text = format!(
            "options {{ directory \"{dir}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             pid-file \"{dir}/pid\"; session-keyfile \"{dir}/session.key\"; managed-keys-directory \"{dir}\";\n\
             recursion no; dnssec-validation no; notify no; allow-transfer {{ key mailward-xfr; }}; }};\n\
             controls {{ }};\n{}",
            self.printed(site, "named_conf")
        );
        self.write("named.conf", &text)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for child in &mut self.running {
            // What ended by itself has said why in its log.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for (server, log) in [
                ("nsd", "-usr-sbin-nsd.log"),
                ("knot", "-usr-sbin-knotd.log"),
                ("bind", "-usr-sbin-named.log"),
            ] {
                let text = std::fs::read_to_string(self.path(log)).unwrap_or_default();
                let lines: Vec<_> = text.lines().rev().take(15).collect();
                eprintln!("{server}: {lines:#?}");
            }
        }
    }
}

/// All records of a text but the start, each as one line.
fn records(text: &str) -> BTreeSet<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let records = text.lines().map(line).filter(|line| !line.contains(" in soa "));
    records.filter(|line| !line.is_empty()).collect()
}

/// A person with eight hands at the control socket.
pub(crate) struct Operator;

impl Operator {
    /// Says how many orders changed something.
    pub(crate) fn order_all(site: &Site, wishes: &[String]) -> usize {
        let socket = site.data().join("control.sock");
        let work = |hand: usize| {
            let mut line = UnixStream::connect(&socket).unwrap();
            wishes.iter().skip(hand).step_by(HANDS).map(|wish| change(&mut line, wish)).sum::<usize>()
        };
        std::thread::scope(|scope| {
            let work = &work;
            let hands: Vec<_> = (0..HANDS).map(|hand| scope.spawn(move || work(hand))).collect();
            hands.into_iter().map(|hand| hand.join().unwrap()).sum()
        })
    }

    pub(crate) fn advance(site: &Site, seconds: u64) {
        let mut line = UnixStream::connect(site.data().join("control.sock")).unwrap();
        order(&mut line, &json!({"order": "advance", "seconds": seconds}).to_string()).unwrap();
    }
}

/// One order; what is blocked already is unblocked first, for another end. Says how many
/// changes that was: what is not blocked is unblocked in vain.
fn change(line: &mut UnixStream, wish: &str) -> usize {
    let Err(error) = order(line, wish) else { return 1 };
    if wish.contains("unblock") {
        return 0;
    }
    assert!(error.contains("blocked already"), "{wish}: {error}");
    let key = serde_json::from_str::<serde_json::Value>(wish).unwrap()["key"].as_str().unwrap().to_owned();
    let first = order(line, &unblock(&key));
    let again = order(line, wish);
    // Another hand may have been quicker, with either.
    usize::from(first.is_ok()) + usize::from(again.is_ok())
}

fn unblock(key: &str) -> String {
    json!({"order": "unblock", "target": key, "error": false, "because": "dice"}).to_string()
}

/// One order on an open connection, or why it is not carried out.
fn order(line: &mut UnixStream, wish: &str) -> Result<(), String> {
    let head = "POST /v1/order HTTP/1.1\r\nhost: mailward\r\ncontent-type: application/json\r\n";
    write!(line, "{head}content-length: {}\r\n\r\n{wish}", wish.len()).unwrap();
    let (mut got, mut room) = (Vec::new(), [0; 4096]);
    loop {
        let len = line.read(&mut room).unwrap();
        assert!(len > 0, "{wish}: {}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&room[..len]);
        let text = String::from_utf8_lossy(&got).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return if head.contains("200 ok") { Ok(()) } else { Err(body.to_owned()) };
        }
    }
}

/// Random, and the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    pub(crate) fn address(&mut self) -> IpAddr {
        if self.below(3) == 0 {
            let bits = 0x2001_0db8_u128 << 96 | u128::from(self.below(900)) << 64 | u128::from(self.below(3));
            return Ipv6Addr::from_bits(bits).into();
        }
        let net = [0xcb00_7100, 0xc633_6400, 0xc000_0200][self.below(3) as usize];
        Ipv4Addr::from_bits(net + self.below(250) as u32).into()
    }

    /// A client, or a network around it.
    fn key(&mut self) -> String {
        let addr = self.address();
        match (addr, self.below(40)) {
            (IpAddr::V4(addr), 6) => format!("{}/{}", masked(addr.to_bits(), 24), 24),
            (IpAddr::V4(addr), 7..10) => format!("{}/{}", masked(addr.to_bits(), 29), 29),
            (IpAddr::V4(addr), _) => addr.to_string(),
            (IpAddr::V6(addr), 6) => format!("{}/58", Ipv6Addr::from_bits(addr.to_bits() >> 70 << 70)),
            (IpAddr::V6(addr), _) => format!("{}/64", Ipv6Addr::from_bits(addr.to_bits() >> 64 << 64)),
        }
    }

    /// A block three times, an unblock once; blocks are short, so that many end by themselves.
    pub(crate) fn wish(&mut self) -> String {
        let (key, lasts) = (self.key(), 60 + self.below(2400));
        if self.below(4) > 0 {
            return Dice::block(&key, lasts);
        }
        unblock(&key)
    }

    pub(crate) fn block(key: &str, seconds: u64) -> String {
        let wish = json!({
            "order": "block", "key": key, "kind": "rbl", "seconds": seconds, "because": "dice", "even_so": true
        });
        wish.to_string()
    }
}

fn masked(bits: u32, len: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(bits >> (32 - len) << (32 - len))
}

/// The name that stands for an address.
pub(crate) fn reversed(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(addr) => addr.octets().iter().rev().map(ToString::to_string).collect::<Vec<_>>().join("."),
        IpAddr::V6(addr) => {
            let nibbles = (0..32).map(|nth| format!("{:x}", addr.to_bits() >> (4 * nth) & 15));
            nibbles.collect::<Vec<_>>().join(".")
        }
    }
}

fn question(name: &str, rtype: u8) -> Vec<u8> {
    let mut packet = vec![0x4d, 0x57, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend([0, 0, rtype, 0, 1]);
    packet
}

/// The codes that a server on loopback says of a name.
pub(crate) fn lookup(port: u16, name: &str) -> BTreeSet<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let (packet, mut room) = (question(name, 1), [0; 1500]);
    let len = (0..5)
        .find_map(|_| {
            socket.send(&packet).unwrap();
            socket.recv(&mut room).ok()
        })
        .unwrap_or_else(|| panic!("no answer about {name} from port {port}"));
    let answer = &room[packet.len()..len];
    let count = usize::from(u16::from_be_bytes([room[6], room[7]]));
    // Each record: a pointer to the question, ten octets, an address.
    (0..count).map(|nth| answer[nth * 16 + 15]).collect()
}

/// The code with which an unsigned question for a whole zone is answered.
pub(crate) fn unsigned_axfr(port: u16) -> u8 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let packet = question(&zone("bl"), 252);
    stream.write_all(&u16::try_from(packet.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&packet).unwrap();
    let mut head = [0; 14];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[8..10], [0, 0], "no records");
    head[5] & 15
}
