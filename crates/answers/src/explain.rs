//! `mailward explain KEY`: what holds against a key, for an operator at a terminal.
//!
//! Not for strangers: it shows exact numbers, shadow cases and the link.

use model::case::{Force, Opened};
use model::reasons::{Reason, by_number};
use model::{BlockKind, Key, Millis, Mode, Prefix};
use projections::{CaseView, View};

use crate::hold;
use crate::link::case_link;
use crate::page::{Sentence, State, fact_value, life};
use crate::when::When;

/// Explains a key in a few lines; what holds against a network around it counts, too.
pub fn explain(view: &View, key: &Key, now: Millis) -> String {
    let [live, shadow] = [Mode::Live, Mode::Shadow].map(|mode| strongest(view, key, mode, now));
    let Some((of, force)) = live.or(shadow) else { return clear(view, key, now) };
    let Some(case) = view.case(force.case) else { return clear(view, key, now) };
    let Some(opened) = &case.case.opened else { return clear(view, key, now) };
    let reason = by_number(opened.reason);
    let mut lines = vec![head(view, key, case, force.until, now)];
    lines.push(field("why", &why(opened)));
    let weights = crate::page::told_to_operator(&case.case);
    let sentence = Sentence::of(case, opened, &weights);
    lines.push(field("length", sentence.here.trim_start_matches("Here: ")));
    lines.extend(sentence.later.iter().map(|l| field("", l)));
    lines.push(field("effect", &effect(view, opened, reason, case)));
    lines.push(field("class", &class(view, &of, opened)));
    lines.extend(others(view, &of, Some(case), now));
    lines.push(field("page", &case_link(&view.site, case.id)));
    lines.push(field("undo", &format!("mailward unblock {of} --because \"…\"")));
    lines.join("\n") + "\n"
}

/// The hardest case of a mode against the key itself or a network around it.
fn strongest(view: &View, key: &Key, mode: Mode, now: Millis) -> Option<(Key, Force)> {
    let around = match key {
        Key::Net(prefix) if prefix.is_host() => hold::keys_around(view, prefix.addr()),
        Key::Domain(domain) => view.domains_around(domain.as_str()),
        _ => vec![key.clone()],
    };
    let host = key.prefix().filter(|p| p.is_host()).map(Prefix::addr);
    let force = |k: &Key| match host {
        Some(addr) => view.cases.force_on(k, addr, mode, now),
        None => view.cases.force(k, mode, now),
    };
    let forces = around.into_iter().filter_map(|k| Some((force(&k)?, k)));
    forces.max().map(|(force, key)| (key, force))
}

fn field(name: &str, text: &str) -> String {
    format!("  {name:<8} {text}")
}

fn head(view: &View, key: &Key, case: &CaseView, until: Millis, now: Millis) -> String {
    let left = until.since(now);
    let (state, _) = life(view, case, now);
    let around = if case.key == *key { String::new() } else { format!(" with {}", case.key) };
    let end = When::minute_up(until);
    match state {
        State::Shadow => {
            format!("{key} would be blocked{around} until {end} (shadow case {}, {left} left).", case.id)
        }
        _ => format!("{key} is blocked{around} until {end} (case {}, {left} left).", case.id),
    }
}

/// Each number that the rule saw or held another against, with its words.
pub fn facts(opened: &Opened) -> Vec<(&'static str, String)> {
    opened.facts.iter().map(|(m, n)| (m.label(), fact_value(*m, *n))).collect()
}

/// What the rule saw, with the limits that it held that against, in one line.
pub fn why(opened: &Opened) -> String {
    let reason = by_number(opened.reason);
    let facts = facts(opened).into_iter().map(|(label, value)| format!("{label}: {value}"));
    let facts = facts.collect::<Vec<_>>().join(", ");
    let colon = if facts.is_empty() { "" } else { ": " };
    format!("{}{colon}{facts} (rule {}, {})", reason.because, reason.id, reason.offence.id())
}

fn effect(view: &View, opened: &Opened, reason: &Reason, case: &CaseView) -> String {
    if view.mode == Mode::Shadow {
        return "none while learning; `mailward enforce` ends that".to_owned();
    }
    if case.case.mode == Mode::Shadow {
        return "none: the rule is in shadow".to_owned();
    }
    let route = match opened.kind {
        BlockKind::Rbl => "no null route",
        BlockKind::NullRoute => "null route",
    };
    let whom = if matches!(case.key, Key::Domain(_)) { " for its senders" } else { "" };
    format!("DNS {}; SMTP {} at RCPT{whom}; {route}", reason.dns, &reason.smtp[..3])
}

fn class(view: &View, key: &Key, opened: &Opened) -> String {
    let then = opened.class.word();
    let now = view.cases.key(key).and_then(|k| k.standing).map(|s| (s.class.word(), s.credit));
    match now {
        Some((word, true)) => format!("{word}, with good mail in 30 days (then {then})"),
        Some((word, false)) => format!("{word}, no good mail in 30 days (then {then})"),
        None => then.to_owned(),
    }
}

/// One line for each other case of the key, newest last.
fn others(view: &View, key: &Key, but: Option<&CaseView>, now: Millis) -> Vec<String> {
    let known = view.cases.key(key);
    let ids = known.iter().flat_map(|k| &k.cases).filter(|id| but.is_none_or(|c| c.id != **id));
    let cases = ids.filter_map(|id| view.case(*id));
    let line = |case: &CaseView| {
        let opened = case.case.opened.as_ref()?;
        let (state, end) = life(view, case, now);
        let (from, end) = (When::minute(opened.from), When::minute_up(end));
        let reason = by_number(opened.reason).id;
        Some(field("other", &format!("{from} to {end}, {reason}, {} (case {})", state.word(), case.id)))
    };
    cases.filter_map(|c| line(c)).collect()
}

fn clear(view: &View, key: &Key, now: Millis) -> String {
    let protected = key.prefix().and_then(|p| view.protected.listed().iter().find(|l| l.covers(p)));
    let mut lines = vec![match protected {
        Some(entry) => format!("{key} is not blocked: {entry} is protected."),
        None => format!("{key} is not blocked."),
    }];
    let of = key.prefix().map_or_else(|| key.clone(), |p| own_key(key, p));
    if let Some(standing) = view.cases.key(&of).and_then(|k| k.standing) {
        let credit = if standing.credit { "with" } else { "no" };
        lines.push(field("class", &format!("{}, {credit} good mail in 30 days", standing.class.word())));
    }
    lines.extend(others(view, &of, None, now));
    let way = match protected {
        Some(entry) => field("undo", &format!("mailward protect remove {entry}")),
        None => field("block", &format!("mailward block {key} --kind rbl --for 24h --because \"…\"")),
    };
    lines.push(way);
    lines.join("\n") + "\n"
}

/// The key under which a single address is remembered.
fn own_key(key: &Key, prefix: Prefix) -> Key {
    match key {
        Key::Net(_) if prefix.is_host() => Key::of_client(prefix.addr()),
        _ => key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Block, NOW};
    use model::{Class, Offence};

    #[track_caller]
    fn check(view: &View, key: &str, expect: &[&str]) {
        let got = explain(view, &key.parse().unwrap(), NOW);
        assert_eq!(got.lines().collect::<Vec<_>>(), expect);
    }

    const WHY: &str = "  why      we received spam from it: unwanted messages in one hour: 34, limit for one hour: 10 \
                       (rule spam-volume, OFF-1)";

    fn page(id: &str) -> String {
        format!("  page     {}", case_link(&testing::site(), id.parse().unwrap()))
    }

    #[test]
    fn a_block_says_why_how_long_what_and_how_to_undo_it() {
        check(
            &testing::view(&[Block::of("192.0.2.25").sentenced(&[(Offence::SpamVolume, 100)], 1)]),
            "192.0.2.25",
            &[
                "192.0.2.25 is blocked until 2026-11-22 17:41 UTC (case n1-1, 19 h left).",
                WHY,
                "  length   100 messages × 6 min × 2 (1 earlier block) = 20 h. Until 2026-11-22 17:41 UTC.",
                "  effect   DNS 127.0.0.3; SMTP 550 at RCPT; no null route",
                "  class    unknown",
                &page("n1-1"),
                "  undo     mailward unblock 192.0.2.25 --because \"…\"",
            ],
        );
    }

    #[test]
    fn an_address_in_a_blocked_network_is_explained_by_it() {
        let view = testing::view(&[Block::of("203.0.113.0/24")]);
        let got = explain(&view, &"203.0.113.9".parse().unwrap(), NOW);
        assert!(
            got.starts_with("203.0.113.9 is blocked with 203.0.113.0/24 until 2026-11-22 01:05 UTC"),
            "{got}"
        );
        assert!(got.contains("mailward unblock 203.0.113.0/24 "), "{got}");
    }

    #[test]
    fn a_name_below_a_blocked_domain_is_explained_by_it() {
        let view = testing::view(&[Block::of("spam.example").with(|opened| opened.reason = 1)]);
        let got = explain(&view, &"news.spam.example".parse().unwrap(), NOW);
        assert!(got.starts_with("news.spam.example is blocked with spam.example until 2026-11-22"), "{got}");
        assert!(got.contains("  effect   DNS 127.0.0.2; SMTP 550 at RCPT for its senders;"), "{got}");
        assert!(got.contains("mailward unblock spam.example "), "{got}");
        assert!(
            explain(&view, &"example.net".parse().unwrap(), NOW).starts_with("example.net is not blocked.")
        );
    }

    #[test]
    fn off_22_a_good_server_in_a_blocked_network_is_explained_as_free() {
        let net = Block { holes: vec!["203.0.113.9".parse().unwrap()], ..Block::of("203.0.113.0/24") };
        let got = explain(&testing::view(&[net]), &"203.0.113.9".parse().unwrap(), NOW);
        assert!(got.starts_with("203.0.113.9 is not blocked."), "{got}");
    }

    #[test]
    fn a_shadow_case_is_told_from_a_live_one() {
        let view = testing::view(&[Block { mode: Mode::Shadow, ..Block::of("192.0.2.25") }]);
        let got = explain(&view, &"192.0.2.25".parse().unwrap(), NOW);
        assert!(got.starts_with("192.0.2.25 would be blocked until"), "{got}");
        assert!(got.contains("  effect   none: the rule is in shadow\n"), "{got}");
        let got =
            explain(&testing::learning(&[Block::of("192.0.2.25")]), &"192.0.2.25".parse().unwrap(), NOW);
        assert!(got.contains("  effect   none while learning"), "{got}");
    }

    #[test]
    fn what_is_not_blocked_shows_what_is_remembered_of_it() {
        let past = Block::of("192.0.2.25").with(|o| o.until = NOW);
        check(
            &testing::view_with_class(&[past], "192.0.2.25", Class::Known),
            "192.0.2.25",
            &[
                "192.0.2.25 is not blocked.",
                "  class    known, with good mail in 30 days",
                "  other    2026-11-21 21:40 UTC to 2026-11-21 22:41 UTC, spam-volume, ended (case n1-1)",
                "  block    mailward block 192.0.2.25 --kind rbl --for 24h --because \"…\"",
            ],
        );
        check(
            &testing::view(&[]),
            "198.51.100.7",
            &[
                "198.51.100.7 is not blocked: 198.51.100.0/24 is protected.",
                "  undo     mailward protect remove 198.51.100.0/24",
            ],
        );
    }

    #[test]
    fn an_operator_sees_what_a_link_holder_does_not() {
        let block = Block::of("192.0.2.25").sentenced(&[(Offence::Trap, 5)], 0);
        let block = block.with(|o| o.facts = vec![(model::finding::Measure::DistinctTraps, 1)]);
        let got = explain(&testing::view(&[block]), &"192.0.2.25".parse().unwrap(), NOW);
        assert!(got.contains("different trap addresses written to: 1"), "{got}");
        assert!(got.contains("5 units × 6 min = 30 min, raised to the minimum of 2 h."), "{got}");
    }
}
