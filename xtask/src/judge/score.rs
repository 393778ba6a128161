//! The figures of one run: shares refused, repeat offenders, and whether blocks keep to
//! what they promise.
//!
//! [`score`] computes what the reference scorer of the recorded streams prints, in its form,
//! so that the two can be compared; a test does.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::oracle::{self, Rule};
use super::stream::{Decision, Listing, Session};

const HOUR: f64 = 3600.0;

/// Spam from one address from which on it counts as a repeat offender.
const REPEATS: u64 = 5;

/// A block longer than this counts as one that never ends.
const NEVER_ENDS: f64 = 400.0 * 86_400.0;

/// Counts of what was refused among some sessions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Share {
    /// Sessions of spam, and those refused.
    pub(super) spam: (u64, u64),
    /// Sessions of ham, and those refused.
    pub(super) ham: (u64, u64),
    /// Addresses that sent spam, and those refused at least once with it.
    pub(super) spam_keys: (usize, usize),
    /// The same with ham.
    pub(super) ham_keys: (usize, usize),
}

impl Share {
    /// Counts sessions; `refused` says which were refused.
    pub(super) fn of<'a>(sessions: impl Iterator<Item = (&'a Session, bool)>) -> Self {
        let mut share = Self::default();
        let mut keys: [BTreeSet<&str>; 4] = Default::default();
        for (session, refused) in sessions {
            let (count, from) = match session {
                s if s.is_spam() => (&mut share.spam, 0),
                s if s.is_ham() => (&mut share.ham, 2),
                _ => continue,
            };
            count.0 += 1;
            keys[from].insert(&session.client);
            if refused {
                count.1 += 1;
                keys[from + 1].insert(&session.client);
            }
        }
        share.spam_keys = (keys[0].len(), keys[1].len());
        share.ham_keys = (keys[2].len(), keys[3].len());
        share
    }

    /// Spam refused, in percent.
    pub(super) fn spam_pct(&self) -> f64 {
        percent(self.spam.1, self.spam.0)
    }

    /// Ham refused, in percent.
    pub(super) fn ham_pct(&self) -> f64 {
        percent(self.ham.1, self.ham.0)
    }
}

/// A share in percent, 0 of nothing.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// Rounds to so many digits, halves as they are printed.
pub(super) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(value)
}

/// What is scored together.
pub(super) struct Run<'a> {
    /// The sessions, in the order of time.
    pub(super) sessions: &'a [Session],
    /// What was decided, by session; one without a decision counts as accepted.
    pub(super) decisions: &'a HashMap<String, Decision>,
    /// The blocks.
    pub(super) listings: &'a [Listing],
}

impl Run<'_> {
    /// What was done about a session.
    pub(super) fn action(&self, session: &Session) -> &str {
        self.decisions.get(&session.id).map_or("accept", |decision| decision.action.as_str())
    }

    /// Whether a session was refused for good.
    pub(super) fn refused(&self, session: &Session) -> bool {
        self.action(session) == "reject"
    }
}

/// All figures, in the form of the reference scorer.
pub(super) fn score(run: &Run<'_>) -> Value {
    let decided = run.sessions.iter().filter(|s| run.decisions.contains_key(&s.id)).count();
    let refused = |kinds: &[&str]| {
        Share::of(run.sessions.iter().map(|session| (session, kinds.contains(&run.action(session)))))
    };
    let (reject, both) = (refused(&["reject"]), refused(&["reject", "tempfail"]));
    let mut figures = json!({
        "sessions": run.sessions.len(),
        "decided": decided,
        "spam": reject.spam.0,
        "ham": reject.ham.0,
        "reject": shares(&reject),
        "reject_or_tempfail": shares(&both),
        "repeat_offenders_5plus": repeat_offenders(run),
        "reasons_spam": reasons(run, Session::is_spam),
        "reasons_ham": reasons(run, Session::is_ham),
    });
    for (name, rule) in [
        ("oracle: proportional 12 h x n, block only if spam > ham", oracle::GROWING),
        ("oracle: fixed 24 h", oracle::FIXED_24),
        ("oracle ceiling", oracle::CEILING),
    ] {
        figures[name] = reach(run.sessions, rule);
    }
    if !run.listings.is_empty() {
        figures["listings"] = listings(run);
    }
    figures
}

fn shares(share: &Share) -> Value {
    json!({
        "spam_pct": rounded(share.spam_pct(), 2),
        "ham_pct": (share.ham.0 > 0).then(|| rounded(share.ham_pct(), 3)),
        "ham_n": share.ham.1,
        "ham_ips": share.ham_keys.1,
        "spam_ips": share.spam_keys.1,
    })
}

fn reach(sessions: &[Session], rule: Rule) -> Value {
    let refused = oracle::refused(sessions, rule);
    let share =
        Share::of(sessions.iter().enumerate().map(|(place, session)| (session, refused.contains(&place))));
    let spam_pct = (share.spam.0 > 0).then(|| rounded(share.spam_pct(), 2));
    json!({"spam_pct": spam_pct, "ham_n": share.ham.1})
}

/// How soon those are blocked that come again and again.
fn repeat_offenders(run: &Run<'_>) -> Value {
    // Spam seen, spam let through, and how much that was before the first refusal.
    let mut known: HashMap<&str, (u64, u64, Option<u64>)> = HashMap::new();
    for session in run.sessions.iter().filter(|session| session.is_spam()) {
        let of = known.entry(&session.client).or_default();
        of.0 += 1;
        if run.refused(session) {
            of.2.get_or_insert(of.1);
        } else {
            of.1 += 1;
        }
    }
    let repeat: Vec<_> = known.values().filter(|of| of.0 >= REPEATS).collect();
    let mut before: Vec<u64> = repeat.iter().filter_map(|of| of.2).collect();
    before.sort_unstable();
    json!({
        "n": repeat.len(),
        "ever_blocked": before.len(),
        "median_spam_before_block": before.get(before.len() / 2),
    })
}

/// The twelve most frequent reasons of refusals, the earlier first among equals.
fn reasons(run: &Run<'_>, kind: fn(&Session) -> bool) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for session in run.sessions.iter().filter(|session| kind(session) && run.refused(session)) {
        let reason = run.decisions.get(&session.id).map_or("None", Decision::reason);
        let reason: String = reason.chars().take(60).collect();
        match counts.iter_mut().find(|(name, _)| *name == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(12);
    counts
}

/// Whether blocks grow with what they are for, end, and are what refuses.
fn listings(run: &Run<'_>) -> Value {
    let lasts: Vec<f64> = run.listings.iter().map(|l| l.to - l.from).collect();
    let hits: Vec<f64> = run.listings.iter().map(|l| l.hits).collect();
    let mut sorted = lasts.clone();
    sorted.sort_by(f64::total_cmp);
    let hours = |seconds: Option<&f64>| rounded(seconds.copied().unwrap_or(0.0) / HOUR, 2);
    let by = by_key(run.listings);
    let of_action = |action: &'static str| run.sessions.iter().filter(move |s| run.action(s) == action);
    json!({
        "n": lasts.len(),
        "addresses": by.len(),
        "duration_h": {
            "min": hours(sorted.first()),
            "median": hours(sorted.get(sorted.len() / 2)),
            "max": hours(sorted.last()),
        },
        "rank_correlation_hits_duration": rank_correlation(&hits, &lasts).map(|r| rounded(r, 3)),
        "never_expires": lasts.iter().filter(|lasts| **lasts > NEVER_ENDS).count(),
        "ip_hours": format!("{:.0}", lasts.iter().sum::<f64>() / HOUR).parse::<u64>().ok(),
        "rejects_outside_any_listing": of_action("reject").filter(|s| !listed(&by, s, false)).count(),
        "accepts_inside_a_listing": of_action("accept").filter(|s| listed(&by, s, true)).count(),
    })
}

type ByKey<'a> = HashMap<&'a str, Vec<(f64, f64)>>;

fn by_key(listings: &[Listing]) -> ByKey<'_> {
    let mut by: ByKey<'_> = HashMap::new();
    for listing in listings {
        by.entry(&listing.key).or_default().push((listing.from, listing.to));
    }
    by
}

/// Whether a client, or its /24 or /48, was listed; `strict`: since before that second.
fn listed(by: &ByKey<'_>, session: &Session, strict: bool) -> bool {
    let within = |(from, to): &(f64, f64)| {
        (if strict { *from < session.at } else { *from <= session.at }) && session.at < *to
    };
    let net = net_of(session.addr);
    [session.client.as_str(), net.as_str()]
        .iter()
        .any(|key| by.get(key).is_some_and(|l| l.iter().any(within)))
}

/// The /24 or /48 around an address.
fn net_of(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(addr) => {
            let [a, b, c, _] = addr.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(addr) => {
            let bits = addr.to_bits() >> 80 << 80;
            format!("{}/48", std::net::Ipv6Addr::from_bits(bits))
        }
    }
}

/// Spearman's correlation; `None` where one side does not vary.
fn rank_correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let product: f64 = a.iter().zip(&b).map(|(x, y)| (x - mean_a) * (y - mean_b)).sum();
    let spread = |v: &[f64], mean: f64| v.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let (spread_a, spread_b) = (spread(&a, mean_a), spread(&b, mean_b));
    (spread_a > 0.0 && spread_b > 0.0).then(|| product / (spread_a * spread_b).sqrt())
}

/// The rank of each value; equal values share the middle of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        equal.iter().for_each(|place| ranks[*place] = below as f64 + (equal.len() - 1) as f64 / 2.0);
        below += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests;
