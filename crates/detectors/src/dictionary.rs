//! OFF-5, dictionary attack: a server that tries recipients until one exists.
//!
//! Needs: the recipients that the MTA refuses because no such mailbox exists (5.1.1, and
//! nothing else), from the milter or the mail log; and the recipients that were taken, for
//! the ratio. Thresholds of C.3 under the class factor: 20 different ones in ten minutes
//! with 70 % of all recipients, or 100 in 24 hours with half. The same wrong address counts
//! once in 24 hours. The distributed form is judged over all keys, in the engine.
//!
//! False positives come from: an old list of a server without history (the ratio), domains
//! whose mailboxes are being moved or that have a catch-all (`catch-all` takes them out),
//! forwarders and list hosts (the engine makes no null route of them).

use minicbor::{Decode, Encode};
use model::damage::DictionaryRule;
use model::finding::{Facts, Measure};
use model::window::Window;
use model::{Finding, Millis, Offence, PersonHash, Secs, Units};

use crate::record::Record;
use crate::repeats::Repeats;
use crate::seen::{Act, Context, Detector, Seen};

/// The shorter of the two spans.
pub const MINUTES: Secs = Secs(600);
/// After the milder block the next one is a null route for so long (DESIGN §8).
const SPARED: Secs = Secs(7 * 86_400);
/// Recipients that a policy server let pass and the MTA may yet refuse: what one client can
/// have under way before the log says so. Those beyond stay counted as taken.
const UNDER_WAY_MAX: usize = 32;

/// What is counted of one key; made with its first recipient that does not exist.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Counts>>);

#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Counts {
    /// Recipients that do not exist, of a day or two.
    #[n(0)]
    named: Repeats,
    #[n(1)]
    unknown_minutes: Window,
    #[n(2)]
    unknown_day: Window,
    #[n(3)]
    taken_minutes: Window,
    #[n(4)]
    taken_day: Window,
    /// The newest recipients that passed, oldest first.
    #[n(5)]
    under_way: Vec<(u32, Millis)>,
    /// When the milder block began.
    #[n(6)]
    spared_at: Option<Millis>,
}

impl Slot {
    /// Distinct recipients of 24 hours that do not exist and were not sentenced.
    pub fn unknown_day(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |c| c.unknown_day.sum(Secs::DAY, now))
    }

    /// Recipients of 24 hours that were taken, since the first that was not.
    pub fn taken_day(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |c| c.taken_day.sum(Secs::DAY, now))
    }

    /// Whether so many percent of the recipients of ten minutes do not exist.
    pub fn is_mostly_unknown(&self, percent: u32, now: Millis) -> bool {
        self.0.as_ref().is_some_and(|c| c.minutes(now).is_share(percent))
    }

    /// Whether it had the milder block in the last seven days.
    pub fn was_spared(&self, now: Millis) -> bool {
        let at = self.0.as_ref().and_then(|c| c.spared_at);
        at.is_some_and(|at| now.since(at) <= SPARED)
    }

    /// A block begins: another one needs another run.
    pub fn sentenced(&mut self, milder: bool, now: Millis) {
        if let Some(counts) = &mut self.0 {
            let spared_at = if milder { Some(now) } else { counts.spared_at };
            let named = std::mem::take(&mut counts.named);
            **counts = Counts { named, spared_at, ..Counts::default() };
        }
    }
}

/// Recipients of one span.
#[derive(Clone, Copy, Debug)]
struct Tried {
    unknown: u64,
    taken: u64,
}

impl Tried {
    fn percent(self) -> u64 {
        (self.unknown * 100).checked_div(self.unknown + self.taken).unwrap_or(0)
    }

    fn is_share(self, percent: u32) -> bool {
        self.percent() >= u64::from(percent)
    }
}

impl Counts {
    fn minutes(&self, now: Millis) -> Tried {
        Tried { unknown: self.unknown_minutes.sum(MINUTES, now), taken: self.taken_minutes.sum(MINUTES, now) }
    }

    fn day(&self, now: Millis) -> Tried {
        Tried { unknown: self.unknown_day.sum(Secs::DAY, now), taken: self.taken_day.sum(Secs::DAY, now) }
    }

    fn take(&mut self, who: Option<PersonHash>, at: Millis) {
        self.taken_minutes.add(MINUTES, at, 1);
        self.taken_day.add(Secs::DAY, at, 1);
        let Some(PersonHash(who)) = who else { return };
        if self.under_way.len() >= UNDER_WAY_MAX {
            self.under_way.remove(0);
        }
        self.under_way.push((who as u32, at));
    }

    /// The MTA refused what we had let pass.
    fn take_back(&mut self, who: u32) {
        if let Some(place) = self.under_way.iter().position(|(known, _)| *known == who) {
            let (_, at) = self.under_way.remove(place);
            self.taken_minutes.take(MINUTES, at, 1);
            self.taken_day.take(Secs::DAY, at, 1);
        }
    }

    /// Counts a recipient that does not exist; says whether it is another one.
    fn miss(&mut self, who: PersonHash, at: Millis) -> bool {
        self.take_back(who.0 as u32);
        let new = self.named.is_new(who.0, Secs::DAY, at);
        if new {
            self.unknown_minutes.add(MINUTES, at, 1);
            self.unknown_day.add(Secs::DAY, at, 1);
        }
        new
    }
}

/// The detector.
pub struct Dictionary;

impl Detector for Dictionary {
    fn offence(&self) -> Offence {
        Offence::Dictionary
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        match seen.act {
            Act::Attempt { recipient, .. } => {
                let counts = of.rare_if_any().and_then(|rare| rare.dictionary.0.as_mut());
                counts?.take(recipient, seen.at);
                None
            }
            Act::Rejected { recipient: Some(who), unknown: true, .. } => {
                // What was judged before the first miss was taken, too.
                let judged = of.volume.messages_day(seen.at);
                let counts = of.rare().dictionary.0.get_or_insert_default();
                let new = counts.miss(who, seen.at);
                let facts = new.then(|| facts(counts, judged, around, seen.at)).flatten();
                if new {
                    of.account.add(Offence::Dictionary, seen.at, Units::whole(1));
                }
                facts.map(|facts| Finding { offence: Offence::Dictionary, key: seen.key, at: seen.at, facts })
            }
            _ => None,
        }
    }
}

/// The numbers of a run that blocks, with the limits in force.
fn facts(counts: &Counts, judged: u64, around: &Context<'_>, now: Millis) -> Option<Facts> {
    let rule: &DictionaryRule = &around.policy.dictionary;
    let (minutes, mut day) = (counts.minutes(now), counts.day(now));
    day.taken = day.taken.max(judged);
    let (limit_minutes, limit_day) = (around.scaled(rule.unknown_minutes)?, around.scaled(rule.unknown_day)?);
    if minutes.unknown >= limit_minutes && minutes.is_share(rule.share_minutes) {
        return Some(vec![
            (Measure::UnknownRecipientsMinutes, minutes.unknown),
            (Measure::LimitUnknownRecipientsMinutes, limit_minutes),
            (Measure::UnknownSharePercent, minutes.percent()),
            (Measure::LimitUnknownSharePercent, rule.share_minutes.into()),
        ]);
    }
    (day.unknown >= limit_day && day.is_share(rule.share_day)).then(|| {
        vec![
            (Measure::UnknownRecipientsDay, day.unknown),
            (Measure::LimitUnknownRecipientsDay, limit_day),
            (Measure::UnknownSharePercent, day.percent()),
            (Measure::LimitUnknownSharePercent, rule.share_day.into()),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::{Class, Content, Policy};

    const DAY: u64 = 86_400;

    fn seen(at: u64, act: Act) -> Seen {
        Seen { act, ..ended(at, Content::default()) }
    }

    fn missed(at: u64, who: u64) -> Seen {
        seen(at, Act::Rejected { recipient: Some(PersonHash(who)), unknown: true, null_sender: false })
    }

    fn taken(at: u64, who: u64) -> Seen {
        let recipient = Some(PersonHash(who));
        seen(at, Act::Attempt { opens_session: true, trap: None, recipient, awaited: false })
    }

    /// What was seen, in order; says at which it fires.
    fn fires_at(class: Class, all: impl IntoIterator<Item = Seen>) -> Option<usize> {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, class);
        all.into_iter().position(|seen| Dictionary.observe(&seen, &mut record, &around).is_some())
    }

    #[test]
    fn off_5_twenty_different_unknown_recipients_in_ten_minutes_fire() {
        assert_eq!(fires_at(Class::Unknown, (0..30).map(|n| missed(n, n))), Some(19));
        assert_eq!(fires_at(Class::NoRdns, (0..30).map(|n| missed(n, n))), Some(9), "half for no name");
        assert_eq!(fires_at(Class::Known, (0..99).map(|n| missed(n, n))), Some(59), "three times for known");
        assert_eq!(fires_at(Class::Shared, (0..99).map(|n| missed(n, n))), None);
        assert_eq!(fires_at(Class::Unknown, (0..99).map(|n| missed(n * 60, n))), None, "one a minute");
    }

    #[test]
    fn off_5_the_same_wrong_address_counts_once() {
        assert_eq!(fires_at(Class::Unknown, (0..999).map(|n| missed(n % 500, n % 19))), None);
        let (policy, mut record) = (Policy::shipped(), Record::default());
        for n in 0..60 {
            Dictionary.observe(&missed(n, n % 12), &mut record, &around(&policy, Class::Unknown));
        }
        assert_eq!(record.account.take_fresh().len(), 12, "a unit each");
        assert_eq!(record.unknown_recipients(missed(60, 0).at), 12);
        assert_eq!(record.unknown_recipients(missed(60 + DAY, 0).at), 0);
    }

    #[test]
    fn off_5_who_names_recipients_that_exist_needs_seven_tenths_that_do_not() {
        let mixed = |of_ten: u64| {
            let one = move |n| if n % 10 < of_ten { missed(n, n) } else { taken(n, n) };
            fires_at(Class::Unknown, (0..150).map(one)).is_some()
        };
        assert_eq!([mixed(7), mixed(6)], [true, false]);
    }

    #[test]
    fn off_5_a_hundred_in_a_day_fire_where_half_does_not_exist() {
        let slow = |every: u64| {
            let one =
                move |n: u64| if n.is_multiple_of(every) { missed(n * 200, n) } else { taken(n * 200, n) };
            fires_at(Class::Unknown, (0..400).map(one)).is_some()
        };
        assert_eq!([slow(1), slow(2), slow(3)], [true, true, false]);
    }

    #[test]
    fn what_a_policy_server_let_pass_and_the_mta_refused_was_not_taken() {
        let both = |n: u64| [taken(n, n), missed(n, n)];
        assert_eq!(fires_at(Class::Unknown, (0..30).flat_map(both)), Some(39));
    }

    #[test]
    fn only_what_does_not_exist_counts() {
        let other = |n| {
            let recipient = Some(PersonHash(n));
            seen(n, Act::Rejected { recipient, unknown: false, null_sender: false })
        };
        assert_eq!(fires_at(Class::Dynamic, (0..200).map(other)), None);
    }

    #[test]
    fn another_block_needs_another_run_and_an_old_address_is_none() {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, Class::Unknown);
        let fires = |who: std::ops::Range<u64>, record: &mut Record| {
            who.filter(|n| Dictionary.observe(&missed(*n, *n), record, &around).is_some()).count()
        };
        assert_eq!(fires(0..20, &mut record), 1);
        let at = missed(20, 0).at;
        record.rare().dictionary.sentenced(true, at);
        assert!(record.rare().dictionary.was_spared(at.plus(Secs(7 * DAY))));
        assert!(!record.rare().dictionary.was_spared(at.plus(Secs(7 * DAY + 1))));
        assert_eq!(fires(0..39, &mut record), 0);
        assert_eq!(fires(39..40, &mut record), 1);
    }

    #[test]
    fn nine_hundred_are_told_apart_with_little_loss_and_the_slot_stays_small() {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, Class::Established);
        let spread = |n: u64| n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13;
        (0..900).for_each(|n| drop(Dictionary.observe(&missed(1, spread(n)), &mut record, &around)));
        assert!((860..=900).contains(&record.unknown_recipients(missed(1, 0).at)));
        (900..50_000).for_each(|n| drop(Dictionary.observe(&missed(1, spread(n)), &mut record, &around)));
        assert!(minicbor::to_vec(&record.rare().dictionary).unwrap().len() < 4096);
    }
}
