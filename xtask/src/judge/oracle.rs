//! What a blocker of addresses could reach at best: one that knows the label of each
//! message the moment it has passed, and blocks the address for a time.
//!
//! The reference that Mailward is held against. Real judges know less and later; on the
//! other hand the oracle knows nothing but addresses.

use std::collections::{HashMap, HashSet};

use super::stream::Session;

const HOUR: f64 = 3600.0;

/// How long spam of an address is remembered when sentences grow.
const MEMORY: f64 = 30.0 * 24.0 * HOUR;

/// The longest sentence that grows.
const CAP_HOURS: f64 = 30.0 * 24.0;

/// How long a block lasts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lasts {
    /// So many hours, whatever was sent.
    Hours(f64),
    /// So many hours for each spam so far.
    HoursEach(f64),
    /// For ever.
    Forever,
}

/// A rule of the oracle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// As the tables call it.
    pub(super) name: &'static str,
    /// How long a block lasts.
    pub(super) lasts: Lasts,
    /// Whether an address is spared that sent at least as much ham as spam.
    pub(super) by_share: bool,
}

/// The rules that Mailward is held against.
pub(super) const FIXED_24: Rule = Rule { name: "fixed 24 h", lasts: Lasts::Hours(24.0), by_share: false };
pub(super) const FIXED_96: Rule = Rule { name: "fixed 96 h", lasts: Lasts::Hours(96.0), by_share: false };
pub(super) const GROWING: Rule = Rule {
    name: "proportional 12 h x n, block only if spam > ham",
    lasts: Lasts::HoursEach(12.0),
    by_share: true,
};
pub(super) const CEILING: Rule = Rule { name: "ceiling", lasts: Lasts::Forever, by_share: false };

/// What is known of one address.
#[derive(Default)]
struct Known {
    until: f64,
    spam: u64,
    ham: u64,
    last_spam: Option<f64>,
}

/// Runs a rule over sessions in the order of time; the places of those that it refuses.
pub(super) fn refused(sessions: &[Session], rule: Rule) -> HashSet<usize> {
    let mut known: HashMap<&str, Known> = HashMap::new();
    let mut refused = HashSet::new();
    for (place, session) in sessions.iter().enumerate() {
        let of = known.entry(&session.client).or_default();
        if of.until > session.at {
            refused.insert(place);
        } else {
            of.learn(session, rule);
        }
    }
    refused
}

impl Known {
    fn learn(&mut self, session: &Session, rule: Rule) {
        if !session.is_spam() {
            self.ham += 1;
            return;
        }
        if self.last_spam.is_some_and(|last| session.at - last > MEMORY) {
            self.spam = 0;
        }
        self.spam += 1;
        self.last_spam = Some(session.at);
        if !(rule.by_share && self.ham >= self.spam) {
            self.until = self.until.max(session.at + rule.lasts.seconds(self.spam));
        }
    }
}

impl Lasts {
    fn seconds(self, spam: u64) -> f64 {
        match self {
            Self::Hours(hours) => hours * HOUR,
            Self::HoursEach(hours) => (hours * spam as f64).min(CAP_HOURS) * HOUR,
            Self::Forever => f64::INFINITY,
        }
    }
}
