//! What the connection score has learnt, as `status` and `doctor` show it.

use std::sync::PoisonError;

use detectors::Look;
use model::{Lesson, Subject};
use serde_json::{Value, json};

use crate::daemon::{Shared, utc};

/// So many lessons are shown, the newest first.
const NEWEST: usize = 10;

/// How many lessons of which kind hold, the newest, and what measures them.
pub(super) fn lessons(daemon: &Shared) -> Value {
    let (view, now) = (daemon.view(), daemon.clock.now());
    let holding = view.lessons.holding(now);
    let count = |kind: fn(&Subject) -> bool| holding.iter().filter(|lesson| kind(&lesson.of)).count();
    let newest = view.lessons.newest(NEWEST, now);
    let newest: Vec<Value> = newest.iter().map(|(at, lesson)| told(&utc(*at), lesson)).collect();
    let let_in = daemon.insight.lock().unwrap_or_else(PoisonError::into_inner).let_in;
    json!({
        "looks": count(|of| matches!(of, Subject::Look(_))),
        "names": count(|of| matches!(of, Subject::Names(_))),
        "networks": count(|of| matches!(of, Subject::Network(_))),
        "greetings": count(|of| matches!(of, Subject::Greeting(_))),
        "senders": count(|of| matches!(of, Subject::Conduct(..))),
        "no_such_names": count(|of| matches!(of, Subject::NoSuchName(_))),
        "on_trial": count(|of| matches!(of, Subject::Trial(_))),
        "rotating": count(|of| matches!(of, Subject::Rotating(_))),
        "resting": count(|of| matches!(of, Subject::Suspended(_))),
        "newest": newest,
        "let_in": {"judged": let_in.judged, "good": let_in.good},
    })
}

fn told(since: &str, lesson: &Lesson) -> Value {
    json!({
        "of": subject(&lesson.of),
        "points": f64::from(lesson.quarters) / 4.0,
        "since": since,
        "until": utc(lesson.until),
        "bad": lesson.bad,
        "good": lesson.good,
    })
}

/// What a lesson is about; names are printed escaped.
fn subject(of: &Subject) -> String {
    match of {
        Subject::Look(look) => {
            let [name, greeting] = Look(*look).words();
            format!("strangers with {name} and {greeting}")
        }
        Subject::Names(name) => format!("reverse DNS names under {name}"),
        Subject::Network(network) => format!("strangers from {network}"),
        Subject::Greeting(name) => format!("HELO names under {name} that nobody confirms"),
        Subject::Conduct(domain, slight) => format!("senders of {domain}, which {}", slight.words()),
        Subject::Suspended(rule) => format!("{} rests: good mail fails it, so the fault is ours", rule.id()),
        Subject::NoSuchName(name) => format!("the HELO name {name}, which does not exist in DNS"),
        Subject::Trial(rule) => format!("{} runs in shadow: it is new, or was changed", rule.id()),
        Subject::Rotating(network) => format!("{network}, which comes with a new /64 each time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Name, Slight};

    #[test]
    fn every_subject_has_its_words_and_no_byte_of_a_stranger_stands_bare() {
        let name = || Name::new(b"a\x1b[31m\xff.example");
        let all = [
            (Subject::Look(13), "strangers with no reverse DNS name and the sender's name in HELO"),
            (Subject::Names(name()), "reverse DNS names under a\\x1b[31m\\xff.example"),
            (Subject::Network("192.0.2.0/24".parse().unwrap()), "strangers from 192.0.2.0/24"),
            (Subject::Greeting(name()), "HELO names under a\\x1b[31m\\xff.example that nobody confirms"),
            (
                Subject::Conduct(name(), Slight::Abuse),
                "senders of a\\x1b[31m\\xff.example, which has no abuse address",
            ),
            (
                Subject::Suspended(model::Offence::Helo),
                "OFF-9 rests: good mail fails it, so the fault is ours",
            ),
            (
                Subject::NoSuchName(name()),
                "the HELO name a\\x1b[31m\\xff.example, which does not exist in DNS",
            ),
            (Subject::Trial(model::Offence::Helo), "OFF-9 runs in shadow: it is new, or was changed"),
            (
                Subject::Rotating("2001:db8::/48".parse().unwrap()),
                "2001:db8::/48, which comes with a new /64 each time",
            ),
        ];
        for (of, expect) in all {
            assert_eq!(subject(&of), expect);
        }
    }
}
