//! Greylisting in a replay: the same answers as at the border (M12).

use model::greylist::{Asks, Greylist};
use model::{Policy, Secs};

use super::line::{Line, Read, read};
use super::run::Replay;

/// What is decided of sessions: at which minute, from which address with which name, to whom.
#[track_caller]
fn check(
    asks: Asks,
    sessions: impl Iterator<Item = (u64, String, Option<String>, u64)>,
) -> Vec<&'static str> {
    let policy = Policy { greylist: Some(Greylist::shipped(asks)), ..Policy::shipped() };
    let mut replay = Replay::new(policy, Secs(0));
    let decided = sessions.map(|(minute, addr, name, to)| {
        let line = line(minute, &addr, name.as_deref(), to);
        match replay.session(&line, &mut |_| {}).tell {
            answers::Tell::Pass => "accept",
            answers::Tell::Defer(_) => "tempfail",
            answers::Tell::Refuse(_) => "reject",
        }
    });
    decided.collect()
}

fn line(minute: u64, addr: &str, name: Option<&str>, to: u64) -> Line {
    let text = serde_json::json!({
        "ts": 1_700_000_000 + minute * 60,
        "client_ip": addr,
        "client_name": name,
        "helo": name.unwrap_or("pc7"),
        "mail_from": "news@sender.example",
        "rcpt": format!("r{to}@inbox.example"),
    });
    match read(text.to_string().as_bytes(), minute) {
        Ok(Read::Session(line)) => *line,
        _ => panic!("{text}"),
    }
}

#[test]
fn m12_forty_addresses_of_one_provider_are_deferred_exactly_once() {
    let farm = (0..40u64).map(|n| {
        let name = format!("mail{n}.outbound.provider.com");
        (26 * n, format!("45.{n}.7.{}", n + 1), Some(name), if n < 2 { 0 } else { n })
    });
    let decided = check(Asks::Everybody, farm);
    assert_eq!(decided.iter().filter(|told| **told == "tempfail").count(), 1);
    assert_eq!((decided[0], decided.len()), ("tempfail", 40));
}

#[test]
fn m12_bots_from_ever_other_addresses_are_all_deferred() {
    for asks in [Asks::Suspicious, Asks::Everybody] {
        let bots = (0..400u64).map(|n| (n, format!("45.{}.{}.9", n / 250, n % 250), None, 0));
        let decided = check(asks, bots);
        assert!(decided.iter().all(|told| *told == "tempfail"), "{decided:?}");
    }
}
