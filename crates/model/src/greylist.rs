//! Greylisting: a stranger is asked to come back later, and one who does is let in
//! (RFC 6647). What the rule is, and who waits since when.
//!
//! Who waits is named by tickets: keyed hashes, so that no address of a person stands in
//! the table. It is a meter and never evidence (DESIGN §4, invariant 3): small, bounded,
//! and what it forgets costs one more deferral.

use std::collections::{BTreeMap, VecDeque};

use minicbor::{Decode, Encode};

use crate::time::{Millis, Secs};

/// Tickets that wait at once; the oldest give way. A window of four hours at fourteen
/// strangers a second, near 15 MB.
pub const WAITING_MAX: usize = 200_000;

/// Who is asked to come back.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Asks {
    /// Strangers whose connection weighs two points and more.
    #[n(0)]
    Suspicious,
    /// Every stranger.
    #[n(1)]
    Everybody,
}

/// The rule.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Greylist {
    /// Who is asked.
    #[n(0)]
    pub asks: Asks,
    /// How long a stranger must wait.
    #[n(1)]
    pub pass: Secs,
    /// For so long after the first attempt a further one proves it; later it is a first one.
    #[n(2)]
    pub retry: Secs,
    /// For so long after it was last seen a pool passes.
    #[n(3)]
    pub white: Secs,
}

impl Greylist {
    /// The shipped times for those who are asked (REQUIREMENTS A.3).
    pub const fn shipped(asks: Asks) -> Greylist {
        let minutes = match asks {
            Asks::Suspicious => 5,
            Asks::Everybody => 25,
        };
        Greylist { asks, pass: Secs(minutes * 60), retry: Secs(4 * 3600), white: Secs(36 * 86_400) }
    }
}

/// How far an attempt has waited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waited {
    /// It is the first one.
    Not,
    /// It came back too early.
    TooShort,
    /// It came back in time.
    Enough,
}

/// Who waits since when.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    since: BTreeMap<u64, Millis>,
    /// The same in the order of arrival; an entry whose time differs was replaced.
    order: VecDeque<(u64, Millis)>,
}

impl Waiting {
    /// An attempt with this ticket at `now`.
    pub fn meet(&mut self, ticket: u64, now: Millis, rule: &Greylist) -> Waited {
        let known = self.since.get(&ticket).map(|since| now.since(*since)).filter(|span| *span < rule.retry);
        match known {
            Some(span) if span >= rule.pass => Waited::Enough,
            Some(_) => Waited::TooShort,
            None => {
                self.make_room(now, rule.retry);
                self.enter(ticket, now);
                Waited::Not
            }
        }
    }

    /// Lets a ticket wait since a time; for tables that were stored.
    pub fn enter(&mut self, ticket: u64, since: Millis) {
        self.since.insert(ticket, since);
        self.order.push_back((ticket, since));
    }

    /// How many are remembered: they wait, or came back.
    pub fn len(&self) -> usize {
        self.since.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// All tickets with their first attempts, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = (u64, Millis)> {
        self.order.iter().copied().filter(|(ticket, since)| self.since.get(ticket) == Some(since))
    }

    fn make_room(&mut self, now: Millis, retry: Secs) {
        while let Some((ticket, since)) = self.order.front().copied() {
            if now.since(since) < retry && self.order.len() < WAITING_MAX {
                return;
            }
            self.order.pop_front();
            if self.since.get(&ticket) == Some(&since) {
                self.since.remove(&ticket);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Greylist = Greylist::shipped(Asks::Suspicious);

    fn at(secs: u64) -> Millis {
        Millis::from_secs(1_793_491_200 + secs)
    }

    #[track_caller]
    fn check(steps: &[(u64, u64, Waited)]) {
        let mut waiting = Waiting::default();
        for (ticket, secs, expect) in steps {
            assert_eq!(waiting.meet(*ticket, at(*secs), &RULE), *expect, "{ticket} at {secs}");
        }
    }

    #[test]
    fn who_comes_back_after_five_minutes_has_waited_enough() {
        use Waited::{Enough, Not, TooShort};
        check(&[(1, 0, Not), (1, 299, TooShort), (2, 299, Not), (1, 300, Enough), (2, 301, TooShort)]);
        check(&[(1, 0, Not), (1, 4 * 3600 - 1, Enough), (1, 4 * 3600, Not), (1, 4 * 3600 + 300, Enough)]);
    }

    #[test]
    fn a_ticket_from_the_future_waits_like_a_new_one() {
        check(&[(1, 500, Waited::Not), (1, 100, Waited::TooShort), (1, 800, Waited::Enough)]);
    }

    #[test]
    fn the_oldest_give_way_and_the_table_stays_bounded() {
        let mut waiting = Waiting::default();
        for ticket in 0..WAITING_MAX as u64 + 10 {
            waiting.meet(ticket, at(0), &RULE);
        }
        assert_eq!((waiting.len(), waiting.order.len()), (WAITING_MAX, WAITING_MAX));
        assert_eq!(waiting.meet(9, at(300), &RULE), Waited::Not, "it gave way");
        assert_eq!(waiting.meet(99, at(300), &RULE), Waited::Enough);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut waiting = Waiting::default();
        let met = (0..100).filter(|ticket| waiting.meet(*ticket, at(*ticket), &RULE) == Waited::Not);
        assert_eq!(met.count(), 100);
        waiting.meet(1, at(4 * 3600 + 49), &RULE);
        assert_eq!(waiting.len(), 51);
        let mut again = Waiting::default();
        waiting.all().for_each(|(ticket, since)| again.enter(ticket, since));
        assert!(again.all().eq(waiting.all()));
    }
}
