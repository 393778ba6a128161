//! The scorer beside the reference scorer, on a stream that is made up.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::judge::stream::{decisions, listings, sessions};
use crate::run;

/// One repeat offender, one ham sender that is blocked once, one IPv6 client; the last line
/// is left out.
const STREAM: &str = r#"{"ts":1000000,"seq":1,"id":"a1","client_ip":"192.0.2.1","label":"spam","status":"ok"}
{"ts":1000000,"seq":0,"id":"a0","client_ip":"192.0.2.1","label":"spam","status":"ok"}
{"ts":1000600,"seq":2,"id":"a2","client_ip":"192.0.2.1","label":"spam","status":"ok"}
{"ts":1001200,"seq":3,"id":"a3","client_ip":"192.0.2.1","label":"spam","status":"ok"}
{"ts":1090000,"seq":4,"id":"a4","client_ip":"192.0.2.1","label":"spam","status":"ok"}
{"ts":1000050,"seq":5,"id":"h0","client_ip":"198.51.100.7","label":"ham","status":"ok"}
{"ts":1000060,"seq":6,"id":"s0","client_ip":"198.51.100.7","label":"spam","status":"ok"}
{"ts":1000070,"seq":7,"id":"s1","client_ip":"198.51.100.7","label":"spam","status":"ok"}
{"ts":1003000,"seq":8,"id":"h1","client_ip":"198.51.100.7","label":"ham","status":"ok"}
{"ts":1003100,"seq":9,"id":"h2","client_ip":"198.51.100.8","label":"ham","status":"ok"}
{"ts":1003200,"seq":10,"id":"v0","client_ip":"2001:db8::1","label":"spam","status":"ok"}
{"ts":1003300,"seq":11,"id":"v1","client_ip":"2001:db8::1","label":"spam","status":"ok"}
{"ts":1003400,"seq":12,"id":"x","client_ip":null,"label":"spam","status":"no-ip"}
"#;

const DECISIONS: &str = r#"{"id":"a0","action":"accept","reason":""}
{"id":"a1","action":"reject","reason":"OFF-1"}
{"id":"a2","action":"tempfail","reason":"greylist"}
{"id":"a3","action":"reject","reason":"OFF-2"}
{"id":"a4","action":"reject","reason":"OFF-1"}
{"id":"h1","action":"reject","reason":"OFF-1"}
{"id":"h2","action":"reject","reason":"score"}
{"id":"v1","action":"reject","reason":"OFF-2"}
"#;

const LISTINGS: &str = r#"{"ip":"192.0.2.1","from":1000000,"to":1090001,"hits":4}
{"ip":"198.51.100.7","from":1000070,"to":1007270,"hits":2}
{"ip":"2001:db8::/48","from":1003200,"to":1010400,"hits":1}
{"ip":"203.0.113.9","from":1000000,"to":1007200,"hits":1}
"#;

/// The files of one case; they go with the value.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mailward-score-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        for (file, text) in [("stream", STREAM), ("decisions", DECISIONS), ("listings", LISTINGS)] {
            std::fs::write(path.join(file), text).unwrap();
        }
        Self(path)
    }

    fn scored(&self) -> Value {
        let at = |name: &str| self.0.join(name);
        let sessions = sessions(&at("stream")).unwrap();
        let (decisions, listings) =
            (decisions(&at("decisions")).unwrap(), listings(&at("listings")).unwrap());
        score(&Run { sessions: &sessions, decisions: &decisions, listings: &listings })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the reference scorer printed for these files.
const EXPECT: &str = r#"{
  "sessions": 12,
  "decided": 8,
  "spam": 9,
  "ham": 3,
  "reject": {"spam_pct": 44.44, "ham_pct": 66.667, "ham_n": 2, "ham_ips": 2, "spam_ips": 2},
  "reject_or_tempfail": {"spam_pct": 55.56, "ham_pct": 66.667, "ham_n": 2, "ham_ips": 2, "spam_ips": 2},
  "repeat_offenders_5plus": {"n": 1, "ever_blocked": 1, "median_spam_before_block": 1},
  "reasons_spam": [["OFF-1", 2], ["OFF-2", 2]],
  "reasons_ham": [["OFF-1", 1], ["score", 1]],
  "oracle: proportional 12 h x n, block only if spam > ham": {"spam_pct": 44.44, "ham_n": 1},
  "oracle: fixed 24 h": {"spam_pct": 55.56, "ham_n": 1},
  "oracle ceiling": {"spam_pct": 66.67, "ham_n": 1},
  "listings": {"n": 4, "addresses": 4, "duration_h": {"min": 2.0, "median": 2.0, "max": 25.0}, "rank_correlation_hits_duration": 0.816, "never_expires": 0, "ip_hours": 31, "rejects_outside_any_listing": 1, "accepts_inside_a_listing": 0}
}"#;

#[test]
fn the_figures_are_those_of_the_reference_scorer() {
    let expect: Value = serde_json::from_str(EXPECT).unwrap();
    assert_eq!(Files::new("kept").scored(), expect);
}

#[test]
fn the_reference_scorer_still_says_so() {
    let tool = crate::judge::data().join("tools/score.py");
    if !tool.exists() {
        return println!("skipped: there is no {} (MAILWARD_SHARED_DATA)", tool.display());
    }
    let files = Files::new("asked");
    let mut command = std::process::Command::new("python3");
    command.arg(tool).args(["stream", "decisions", "--listings", "listings"]).current_dir(&files.0);
    match run::output(&mut command, Duration::from_secs(60)) {
        Ok(text) => assert_eq!(files.scored(), serde_json::from_str::<Value>(&text).unwrap()),
        Err(error) => println!("skipped: {error}"),
    }
}

#[test]
fn the_median_of_ranks_is_shared_by_equals() {
    assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
    assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
}
