//! Questions that are taken from an interface, past the kernel's network stack (AF_XDP): dig in a
//! network of its own asks over a pair of virtual cards.
//!
//! Runs with `MAILWARD_WORLD=1`, as root; says `skipped: …` elsewhere.

mod world;

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;

use serde_json::Value;
use world::daemon::Daemon;
use world::http::ask;
use world::room::{self, Room};
use world::{Folder, free_port, missing, wait_for};

/// Two cards, one in the room and one in a network behind it; private addresses, so that no
/// listener is on loopback and none is reached from outside.
const CARDS: &str = "ip netns add client
ip link add mwx type veth peer name mwc netns client
ip addr add 10.99.0.1/24 dev mwx
ip addr add fd00:99::1/64 dev mwx nodad
ip link set mwx up
ip -n client addr add 10.99.0.2/24 dev mwc
ip -n client addr add fd00:99::2/64 dev mwc nodad
ip -n client link set mwc up
";

/// An address that is blocked; nobody sends to it.
const BLOCKED: &str = "45.67.89.10";

#[test]
fn an_interface_is_answered_past_the_stack_and_the_sockets_stay() {
    let programs = [room::PROGRAMS[0], room::PROGRAMS[1], "/usr/bin/dig"];
    let room = missing(&programs).map_or_else(Room::enter, Err);
    let room = match room {
        Ok(room) => room,
        Err(reason) => return println!("skipped: {reason}"),
    };
    room.run(CARDS);
    room.run("mount -t sysfs none /sys");
    let folder = Folder::new("dns-xdp");
    let mailward = Daemon::new(folder.path(), &config(folder.path(), "mwx"));
    let mut running = start(&room, &mailward);
    mailward.ask(&["block", BLOCKED, "--for", "2 h", "--because", "a test"]);
    mailward.wait("1 s");
    everything_is_answered(&room);
    let frames = || counts(&mailward)["frames"]["taken"].as_u64();
    let log = || std::fs::read_to_string(mailward.log()).expect("its log");
    assert!(frames() >= Some(6), "every question over UDP: {:?}\n{}", frames(), log());
    let before = frames();
    // What the program lets pass is for the sockets.
    assert_eq!(dig(&room, &["+tcp"], "10.99.0.1"), "127.0.0.2");
    assert_eq!(frames(), before);
    running.kill().and_then(|()| running.wait()).expect("our own child");
    // Without such an interface there is a word in the log, and the sockets answer.
    std::fs::write(mailward.config(), config(folder.path(), "mwnone")).expect("our own folder");
    let mut running = start(&room, &mailward);
    everything_is_answered(&room);
    assert_eq!(counts(&mailward)["frames"]["taken"], 0);
    wait_for("the log", || log().contains("interface=\"mwnone\"").then_some(()));
    running.kill().and_then(|()| running.wait()).expect("our own child");
}

/// Starts the daemon where it sees the room's interfaces, in files too, and waits until it answers.
fn start(room: &Room, mailward: &Daemon) -> Child {
    let log = File::options().create(true).append(true).open(mailward.log()).expect("a log");
    let mut command = room.command(env!("CARGO_BIN_EXE_mailward"));
    command.arg("--config").arg(mailward.config()).args(["serve", "--test-clock"]).stderr(log);
    let running = command.spawn().expect("it is built");
    let socket = mailward.config().with_file_name("data/control.sock");
    wait_for("the daemon", || UnixStream::connect(&socket).ok());
    running
}

fn everything_is_answered(room: &Room) {
    for server in ["10.99.0.1", "fd00:99::1"] {
        assert_eq!(dig(room, &[], server), "127.0.0.2", "{server}");
        assert_eq!(dig(room, &["+noedns"], server), "127.0.0.2", "{server}");
        assert_eq!(dig(room, &["+bufsize=512", "-t", "MX"], server), "", "{server}");
    }
}

/// What one question says.
fn dig(room: &Room, options: &[&str], server: &str) -> String {
    let name = BLOCKED.split('.').rev().collect::<Vec<_>>().join(".");
    let options = options.join(" ");
    let line = format!(
        "ip netns exec client dig +short +tries=1 +time=10 {options} @{server} {name}.bl.dnsbl.example.org"
    );
    room.run(&line).trim().to_owned()
}

/// What the name server counted.
fn counts(mailward: &Daemon) -> Value {
    let socket = mailward.config().with_file_name("data/control.sock");
    let (_, status) = ask(UnixStream::connect(socket).expect("it runs"), "mailward", "v1/status");
    serde_json::from_str::<Value>(&status).expect("JSON")["dns"].clone()
}

fn config(folder: &Path, interface: &str) -> String {
    let portal = free_port();
    format!(
        "data-dir = \"{}/data\"
mode = \"enforce\"

[portal]
url = \"http://127.0.0.1:{portal}\"
listen = \"127.0.0.1:{portal}\"
contact = \"postmaster@mail.internal\"

[milter]
tcp = \"off\"

[dns]
zone = \"dnsbl.example.org\"
listen = [\"10.99.0.1:53\", \"[fd00:99::1]:53\"]
allow = [\"10.99.0.0/24\", \"fd00:99::/64\"]
xdp = \"{interface}\"
",
        folder.display()
    )
}
