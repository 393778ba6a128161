//! Who is not known: what it hears instead of listings, and that a flood in its name is not worth while.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::asking::{Said, dig};
use super::lists::{Lists, SERVER, STRANGER};
use super::vectors::{BL, VECTORS};
use super::world::PATIENCE;

/// A key that a customer has.
const KEY: &str = "k3y0fsixteenormore";

fn stranger(name: &str, rtype: &str) -> Said {
    dig(&["-b", STRANGER], name, rtype)
}

/// Asks as a stranger, and must be told so.
#[track_caller]
fn check(rows: &[(&str, &str)]) {
    for (front, expect) in rows {
        let said = stranger(&format!("{front}.dnsbl.example.org"), "A");
        assert_eq!(said.told(), *expect, "{front}\n{}", said.text);
    }
}

/// As shipped, names of ours are like names of others to it.
pub(crate) fn a_local_list_refuses() {
    check(&[("2.0.0.127.bl", "REFUSED"), ("7.113.0.203.zz", "REFUSED"), ("bl", "REFUSED")]);
    assert_eq!(dig(&[], &format!("2.0.0.127.{BL}"), "A").told(), "NOERROR 127.0.0.2", "this host may");
}

/// It hears that it is not permitted, with a text; once its network is allowed it is answered.
pub(crate) fn a_list_with_an_acl_says_that_it_is_not_permitted(lists: &mut Lists) {
    lists.restart("access = \"acl\"");
    check(&[
        ("7.113.0.203.bl", "NOERROR 127.255.255.254"),
        ("2.0.0.127.bl", "NOERROR 127.255.255.254"),
        ("8.113.0.203.bl", "NOERROR 127.255.255.254"),
        // Which lists there are is told to those who may ask.
        ("2.0.0.127.zz", "REFUSED"),
    ]);
    let said = stranger(&format!("7.113.0.203.{BL}"), "TXT");
    assert_eq!(said.told(), "NOERROR TXT");
    assert!(!said.text.contains("/l/203.0.113.7"), "{}", said.text);
    lists.restart("access = \"acl\"\nallow = [\"203.0.113.192/26\"]");
    check(&[
        ("7.113.0.203.bl", "NOERROR 127.0.0.2"),
        ("8.113.0.203.bl", "NXDOMAIN (SOA)"),
        ("2.0.0.127.zz", "NOERROR 127.255.255.252"),
    ]);
    assert_eq!(stranger("2.0.0.127.zz.dnsbl.example.org", "TXT").told(), "NOERROR TXT");
}

/// A key in front of the list's name lets anybody ask.
pub(crate) fn a_key_opens_the_list(lists: &mut Lists) {
    lists.restart(&format!("access = \"keyed\"\nkeys = [\"customer:{KEY}\"]"));
    check(&[
        (&format!("7.113.0.203.{KEY}.bl"), "NOERROR 127.0.0.2"),
        ("7.113.0.203.k3y0fsixteenormorf.bl", "NOERROR 127.255.255.254"),
        ("7.113.0.203.bl", "NOERROR 127.255.255.254"),
    ]);
}

/// Whoever asks too much hears so; time stands, so its second never ends.
pub(crate) fn a_quota_is_used_up(lists: &mut Lists) {
    lists.restart("access = \"public\"\nrate-listed = 0\nrate-errors = 0\nquota = 8");
    // On connections: in a packet anybody can ask in another's name, and uses up nothing.
    let name = format!("7.113.0.203.{BL}");
    let told: Vec<String> = (0..12).map(|_| dig(&["-b", STRANGER, "+tcp"], &name, "A").told()).collect();
    let (good, over) = told.split_at(8);
    assert!(good.iter().all(|told| told == "NOERROR 127.0.0.2"), "{told:?}");
    assert!(over.iter().all(|told| told == "NOERROR 127.255.255.255"), "{told:?}");
    assert_eq!(
        dig(&[], &format!("7.113.0.203.{BL}"), "A").told(),
        "NOERROR 127.0.0.2",
        "known hosts have none"
    );
}

/// ADV-8: an answer to whom nobody knows is at most three times as long as the question.
pub(crate) fn no_answer_is_long(lists: &mut Lists) {
    lists.restart("access = \"public\"\nrate-mode = \"off\"");
    let socket = UdpSocket::bind((STRANGER, 0)).expect("an address of the room");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    socket.connect((SERVER, 53)).expect("a name server");
    for (front, rtype, _) in VECTORS.iter().chain(&[("", "SOA", ""), ("", "NS", ""), ("", "ANY", "")]) {
        let name = if front.is_empty() { BL.to_owned() } else { format!("{front}.{BL}") };
        for with_edns in [false, true] {
            let question = question(&name, rtype, with_edns);
            socket.send(&question).expect("it listens");
            let mut answer = [0; 2048];
            let len = socket.recv(&mut answer).unwrap_or_else(|e| panic!("{name} {rtype}: {e}"));
            assert!(len <= 3 * question.len(), "{name} {rtype}: {len} octets to {}", question.len());
        }
    }
}

/// A question as a forger would send it.
fn question(name: &str, rtype: &str, with_edns: bool) -> Vec<u8> {
    let rtype = match rtype {
        "A" => 1,
        "NS" => 2,
        "SOA" => 6,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "ANY" => 255,
        other => panic!("{other}"),
    };
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(with_edns)];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).expect("a label"));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, rtype, 0, 1]);
    if with_edns {
        packet.extend_from_slice(&[0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    }
    packet
}

/// What came back of a flood.
#[derive(Debug, Default)]
struct Flood {
    asked: usize,
    whole: usize,
    cut: usize,
    longest: usize,
}

/// ADV-8: ten thousand questions a second of one /24 bring a trickle of answers, and cut ones that are no
/// longer than the question. Who holds a connection or shows a cookie is served meanwhile.
pub(crate) fn a_flood_of_one_network_gets_a_trickle(lists: &mut Lists) {
    lists.restart_live("access = \"public\"");
    let question = question(&format!("2.0.0.127.{BL}"), "A", false);
    let begun = Instant::now();
    let mut real = Vec::new();
    let flood = send(&question, || real = vec![real_client("+tcp"), real_client("+notcp")]);
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("few") + 1;
    // A second's worth at once, and those that come back each second.
    assert!(flood.whole <= 20 * (seconds + 1), "{flood:?} in {seconds} s");
    assert!(flood.asked > 100 * flood.whole && flood.cut > 0, "{flood:?}");
    assert!(flood.longest <= 2 * question.len(), "{flood:?}");
    for client in real {
        let output = client.wait_with_output().expect("our own child");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("\t127.0.0.2\n"), "{text}");
    }
}

/// dig, in the flood's network; it shows its cookie, and comes again with ours.
fn real_client(transport: &str) -> Child {
    let (name, server) = (format!("2.0.0.127.{BL}"), format!("@{SERVER}"));
    let mut command = Command::new("dig");
    command.args(["-b", "203.0.113.250", "+tries=3", "+time=5", transport, &server, &name, "A"]);
    command.stdout(Stdio::piped()).spawn().expect("dig is installed")
}

/// Sends for two seconds, from sixteen addresses; in the midst of it others come.
fn send(question: &[u8], others: impl FnOnce()) -> Flood {
    let sockets: Vec<UdpSocket> = (1..=16).map(forger).collect();
    let (mut flood, begun, mut others) = (Flood::default(), Instant::now(), Some(others));
    while begun.elapsed() < Duration::from_secs(2) {
        let due = usize::try_from(begun.elapsed().as_millis() * 10).expect("few");
        for turn in flood.asked..due.min(flood.asked + 200) {
            // A full queue loses a question: the forger does not care.
            let _ = sockets[turn % sockets.len()].send(question);
            flood.asked += 1;
        }
        sockets.iter().for_each(|socket| flood.take(socket));
        if begun.elapsed() > Duration::from_millis(500)
            && let Some(others) = others.take()
        {
            others();
        }
    }
    sockets.iter().for_each(|socket| flood.take(socket));
    flood
}

fn forger(host: u8) -> UdpSocket {
    let at = SocketAddr::from((Ipv4Addr::new(203, 0, 113, host), 0));
    let socket = UdpSocket::bind(at).expect("an address of the room");
    socket.set_nonblocking(true).expect("a socket of ours");
    socket.connect((SERVER, 53)).expect("a name server");
    socket
}

impl Flood {
    fn take(&mut self, socket: &UdpSocket) {
        let mut answer = [0; 2048];
        loop {
            match socket.recv(&mut answer) {
                Ok(len) => {
                    let is_cut = answer[2] & 2 != 0;
                    *(if is_cut { &mut self.cut } else { &mut self.whole }) += 1;
                    self.longest = self.longest.max(len);
                }
                Err(error) => return assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
    }
}
