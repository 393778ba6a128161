//! Facts about a key that no rule of its own needs a verdict for: noted whatever modes the
//! rules have.
//!
//! Mail that passed DKIM or SPF, and marks of a host that passes other people's mail on (G-UPSTREAM, DESIGN §8).

use minicbor::{Decode, Encode};
use model::content::{Shape, Spf};
use model::window::Window;
use model::{Content, Judgement, Millis, Secs};

use crate::distinct::Recent;
use crate::record::Record;
use crate::seen::{Act, Ended, Seen};

/// Sender domains that are told apart; more than fifty make a forwarder.
const DOMAINS_MAX: usize = 64;
/// Sender domains with SPF fail in 24 hours, more than which make a forwarder.
const DOMAINS: u64 = 50;
/// The share of good mail that a forwarder has, in percent, at least.
///
/// Asked for with either mark, for both can be forged. So can good mail, to a mailbox of
/// one's own: [`Record::passes_on`] asks what counts of it, too.
const GOOD: u64 = 10;
/// Days that history looks back.
const HISTORY_DAYS: u32 = 30;
/// Earlier days with mail that passed that make a history: a key that began today has none.
const HISTORY_DAYS_MIN: u32 = 3;
/// Good messages of a list that make a list host (C.1).
const LIST_MESSAGES: u8 = 20;

/// The slots.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub struct Facts {
    #[n(1)]
    passed_on: Option<Box<PassedOn>>,
    /// Newest day of `days`.
    #[n(2)]
    day: u32,
    /// Days with mail that passed DKIM or SPF: bit 0 is `day`, bit 1 the day before.
    #[n(3)]
    days: u32,
    /// Good messages with the marks of a list that passed.
    #[n(4)]
    of_lists: u8,
}

/// What a host that passes mail on shows in 24 hours.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct PassedOn {
    /// Sender domains with SPF fail.
    #[n(0)]
    domains: Recent,
    /// Messages that had been here before.
    #[n(1)]
    were_here: Window,
    /// Judged messages, and the good ones among them.
    #[n(2)]
    judged: Window,
    #[n(3)]
    good: Window,
}

/// Why a key is taken for one that passes other people's mail to us.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum PassesOn {
    /// It carries a large part of the site's mail, good mail among it.
    #[n(0)]
    CarriesMuch,
    /// Its mail fails SPF for many unrelated domains, good mail among it.
    #[n(1)]
    FailsForMany,
    /// Its mail was here before, good mail among it.
    #[n(2)]
    WasHere,
    /// A few people have mail of many signing domains sent on by it.
    #[n(3)]
    SendsOn,
}

impl Facts {
    /// Whether it looks like a host that passes mail on.
    pub fn passes_on(&self, now: Millis) -> Option<PassesOn> {
        let shown = self.passed_on.as_ref()?;
        let sum = |window: &Window| window.sum(Secs::DAY, now);
        let good = sum(&shown.good);
        if good == 0 || good * 100 < sum(&shown.judged) * GOOD {
            return None;
        }
        if shown.domains.count(Secs::DAY, now) > DOMAINS {
            return Some(PassesOn::FailsForMany);
        }
        (sum(&shown.were_here) > 0).then_some(PassesOn::WasHere)
    }

    /// Whether its mail passed DKIM or SPF on earlier days, with no spam since: such a key
    /// is no stranger, so its first spam does not block (a missing signature speaks against
    /// nobody).
    pub fn has_history(&self, now: Millis) -> bool {
        let gone = now.day().saturating_sub(self.day);
        let earlier = self.days.checked_shl(gone).unwrap_or(0) & !1 & mask();
        earlier.count_ones() >= HISTORY_DAYS_MIN
    }

    fn pass(&mut self, at: Millis) {
        let day = at.day();
        if day > self.day {
            self.days = self.days.checked_shl(day - self.day).unwrap_or(0) & mask();
            self.day = day;
        }
        let back = self.day - day;
        if back < HISTORY_DAYS {
            self.days |= 1 << back;
        }
    }

    fn ended(&mut self, ended: &Ended, at: Millis) {
        let content = &ended.content;
        if passes(content) {
            self.pass(at);
        }
        let was_here = content.shape.any(Shape::WAS_HERE);
        if content.spf != Spf::Fail && !was_here {
            return;
        }
        let shown = self.passed_on.get_or_insert_default();
        if was_here {
            shown.were_here.add(Secs::DAY, at, 1);
        }
        if let Some(domain) = content.sender_domain.filter(|_| content.spf == Spf::Fail) {
            shown.domains.meet(domain.0 as u32, 1, at, Secs::DAY, DOMAINS_MAX);
        }
    }

    fn judged(&mut self, judgement: Judgement, at: Millis) {
        if judgement == Judgement::Spam {
            self.days = 0;
        }
        if let Some(shown) = &mut self.passed_on {
            shown.judged.add(Secs::DAY, at, 1);
            shown.good.add(Secs::DAY, at, u32::from(judgement == Judgement::Ham));
        }
    }
}

/// The bits of the days that are looked back on.
fn mask() -> u32 {
    (1 << HISTORY_DAYS) - 1
}

/// Whether somebody vouches for the message: a signature that holds, or SPF for a sender.
pub fn passes(content: &Content) -> bool {
    content.dkim.is_some() || (content.spf == Spf::Pass && !content.shape.any(Shape::NULL_SENDER))
}

/// Notes the facts of an observation, after the rules have heard it.
pub fn note(seen: &Seen, of: &mut Record) {
    match &seen.act {
        Act::Ended(ended) => of.rare().facts.ended(ended, seen.at),
        Act::Judged { judgement, shape, signed, .. } => {
            if let Some(rare) = of.rare_if_any() {
                rare.facts.judged(*judgement, seen.at);
            }
            if *judgement == Judgement::Ham && *signed && shape.any(Shape::LIST) {
                let count = &mut of.rare().facts.of_lists;
                *count = count.saturating_add(1);
                let is_list_host = *count >= LIST_MESSAGES;
                of.standing.list_host |= is_list_host;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::ended;
    use model::name::DomainHash;

    const DAY: u64 = 86_400;

    fn act(at: u64, act: Act) -> Seen {
        Seen { act, ..ended(at, Content::default()) }
    }

    fn judged(at: u64, judgement: Judgement) -> Seen {
        let shape = Shape::LIST;
        act(at, Act::Judged { judgement, recipients: 1, recipient: None, shape, signed: true })
    }

    fn signed() -> Content {
        Content { dkim: Some(DomainHash(1)), ..Content::default() }
    }

    fn time(secs: u64) -> Millis {
        ended(secs, Content::default()).at
    }

    #[test]
    fn three_earlier_days_of_mail_that_passed_are_a_history_until_spam_comes() {
        let history = |days: &[u64], now: u64| {
            let mut record = Record::default();
            days.iter().for_each(|day| note(&ended(day * DAY, signed()), &mut record));
            record.has_history(time(now * DAY))
        };
        assert!(history(&[0, 1, 2], 3));
        assert!(!history(&[0, 1, 2], 2), "today does not count");
        assert!(history(&[2, 0, 1], 3), "days in any order");
        assert!(!history(&[0, 0, 1], 3));
        assert!(history(&[0, 1, 2], 29) && !history(&[0, 1, 2], 30));
        let mut record = Record::default();
        (0..5).for_each(|day| note(&ended(day * DAY, signed()), &mut record));
        note(&judged(5 * DAY, Judgement::Spam), &mut record);
        assert!(!record.has_history(time(5 * DAY)));
    }

    #[test]
    fn a_pass_of_spf_for_nobody_vouches_for_nobody() {
        let pass = |shape| passes(&Content { spf: Spf::Pass, shape, ..Content::default() });
        assert_eq!([pass(Shape::default()), pass(Shape::NULL_SENDER)], [true, false]);
        assert!(!passes(&Content::default()));
    }

    #[test]
    fn who_fails_for_many_domains_or_was_here_passes_on_if_good_mail_is_among_it() {
        let shows = |domains: u64, shape, good: u64, bad: u64| {
            let mut record = Record::default();
            for n in 0..domains {
                let content = Content {
                    spf: Spf::Fail,
                    sender_domain: Some(DomainHash(n)),
                    shape,
                    ..Content::default()
                };
                note(&ended(n, content), &mut record);
            }
            for n in 0..good {
                note(&judged(100 + n, Judgement::Ham), &mut record);
                record.standing.credit(time(100 + n), n as u32, 1);
            }
            (0..bad).for_each(|n| note(&judged(200 + n, Judgement::Virus), &mut record));
            record.passes_on(time(300))
        };
        assert_eq!(shows(51, Shape::default(), 10, 90), Some(PassesOn::FailsForMany));
        assert_eq!(shows(50, Shape::default(), 10, 90), None);
        assert_eq!(shows(51, Shape::default(), 9, 91), None, "under a tenth is good");
        assert_eq!(shows(51, Shape::default(), 0, 0), None);
        assert_eq!(shows(1, Shape::WAS_HERE, 1, 9), Some(PassesOn::WasHere));
        assert_eq!(shows(1, Shape::WAS_HERE, 0, 9), None, "the mark alone can be forged");
    }

    #[test]
    fn twenty_good_messages_of_a_list_make_a_list_host() {
        let mut record = Record::default();
        (0..19).for_each(|n| note(&judged(n, Judgement::Ham), &mut record));
        assert!(!record.standing.list_host);
        note(&judged(20, Judgement::Ham), &mut record);
        assert!(record.standing.list_host);
    }
}
