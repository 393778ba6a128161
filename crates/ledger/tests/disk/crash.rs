//! Killed at any moment: nothing acknowledged is lost, and what is left fits together.
//!
//! A child process writes as a daemon does (frames, sync, events, now and then a checkpoint) and
//! says after each step what is acknowledged; the parent kills it, opens the store, and compares.
//! Rounds: `MAILWARD_PROVE_ROUNDS`, 3 by default. A kill spares the kernel's page cache, so this
//! proves the order of our writes and the repair; what a power failure tears is in `torn`.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use ledger::journal::{Options, Writer};
use ledger::{DataDir, EventStore, Head, SqliteLedger, checkpoint, decisions};

use crate::common::{Scratch, chain, frame, open_with, read_from, roomy};

/// Where the child finds the store.
const STORE: &str = "MAILWARD_TEST_CRASH_STORE";

/// What a child may be ahead of its kill: the position of the frame behind each event.
const FRAMES_PER_GROUP: u64 = 3;

fn options() -> Options {
    Options { segment_bytes_max: 4_000, total_bytes_max: 20_000, ..roomy() }
}

/// What was acknowledged last, by kind: frame, event, checkpoint.
type Acknowledged = BTreeMap<String, u64>;

#[test]
fn a_killed_daemon_loses_nothing_that_it_acknowledged() {
    let rounds = env::var("MAILWARD_PROVE_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let scratch = Scratch::new();
    let mut acknowledged = Acknowledged::new();
    for round in 0..rounds {
        // Anything from the first line to deep into rotation.
        let lines = 1 + (round * 7_919 + u64::from(std::process::id())) % 400;
        run_and_kill(&scratch, lines, &mut acknowledged);
        check(&scratch, &acknowledged);
    }
    assert!(acknowledged.contains_key("frame"));
}

/// Runs the child until it has said `lines` lines, kills it, and notes all that it said.
fn run_and_kill(store: &Path, lines: u64, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::the_daemon_that_is_killed", "--ignored", "--nocapture"])
        .env(STORE, store)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut heard = 0;
    let mut note = |line: &str| {
        if let Some((kind, number)) =
            line.split_once(' ').filter(|(kind, _)| ["frame", "event", "checkpoint"].contains(kind))
        {
            acknowledged.insert(kind.to_owned(), number.parse().unwrap());
            heard += 1;
        }
        heard
    };
    while said.next().is_some_and(|line| note(&line) < lines) {}
    child.kill().unwrap();
    said.for_each(|line| {
        note(&line);
    });
    assert!(!child.wait().unwrap().success(), "the child ended by itself");
    assert!(heard >= lines, "the child said only {heard} lines");
}

fn check(path: &Path, acknowledged: &Acknowledged) {
    let at_least = |kind: &str| acknowledged.get(kind).copied().unwrap_or(0);
    let store = DataDir::open(path).unwrap();
    let (mut writer, _) = open_with(&store, options()).unwrap();
    let last = writer.next_position() - 1;
    assert!(last >= at_least("frame"), "{last} of {acknowledged:?}");

    let newest = checkpoint::newest_good(&store.checkpoints()).unwrap();
    assert_eq!(newest.skipped, []);
    let (position, state) = newest.found.unwrap_or_default();
    assert!(position >= at_least("checkpoint") && position <= last, "{position} of {acknowledged:?}");
    assert!(state.is_empty() || state == frame(position).inputs);
    // Retention has kept what a start from the checkpoint reads, and its frames are right.
    assert_eq!(read_from(&store, position + 1).unwrap(), (position + 1..=last).collect::<Vec<_>>());

    let ledger = SqliteLedger::open(&store, "n1").unwrap();
    let head = ledger.head("n1", 1).unwrap();
    assert!(head.seq >= at_least("event"), "{} of {acknowledged:?}", head.seq);
    // A frame that caused an event is durable before it.
    assert!(head.seq * FRAMES_PER_GROUP <= last, "event {} without its frame; the last is {last}", head.seq);
    assert_eq!(decisions::verify(&store.ledger(), &mut |_, _| {}).unwrap().events, head.seq);
    writer.append(&frame(last + 1)).unwrap();
}

/// Runs until it is killed.
#[test]
#[ignore = "the child of a_killed_daemon_loses_nothing_that_it_acknowledged"]
fn the_daemon_that_is_killed() {
    let store = env::var(STORE).expect("only a_killed_daemon_loses_nothing_that_it_acknowledged runs this");
    let store = DataDir::open(Path::new(&store)).unwrap();
    let (mut writer, _) = open_with(&store, options()).unwrap();
    let mut ledger = SqliteLedger::open(&store, "n1").unwrap();
    let mut head = ledger.head("n1", 1).unwrap();
    loop {
        append_group(&mut writer);
        say("frame", writer.synced());
        // As many events as the frames may cause: the check counts them.
        let events = chain(head, "n1", 1, 1);
        ledger.append(&events, &[], &[]).unwrap();
        head = Head { seq: events[0].seq, hash: events[0].hash };
        say("event", head.seq);
        if head.seq.is_multiple_of(10) {
            keep_checkpoint(&store, &mut writer);
        }
    }
}

fn append_group(writer: &mut Writer) {
    for _ in 0..FRAMES_PER_GROUP {
        writer.append(&frame(writer.next_position())).unwrap();
    }
    writer.sync().unwrap();
}

fn keep_checkpoint(store: &DataDir, writer: &mut Writer) {
    let position = writer.synced();
    let kept = checkpoint::write(&store.checkpoints(), position, &frame(position).inputs).unwrap();
    say("checkpoint", position);
    writer.retain(0, kept[0]).unwrap();
}

fn say(kind: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{kind} {number}").unwrap();
    out.flush().unwrap();
}
