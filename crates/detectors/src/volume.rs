//! OFF-1, spam volume.
//!
//! Needs: a verdict for each message. Two tiers. The first hit blocks a key without any
//! good mail whose connection looks like an end user's computer. All others need the
//! thresholds of REQUIREMENTS C.3 under their class factor, a share of spam, and two
//! recipients, because a filter errs now and then. Mail that passed DKIM or SPF on earlier
//! days, with no spam since, speaks for a key like a good message: its first spam does not
//! block.
//!
//! Who warms up and then bursts is judged by its last hour (ADV-18): good mail counts there
//! as far as it counts as good at all, five messages a day to one recipient, so that nobody
//! hides spam behind mail to himself. Where that hour is nearly all spam, the share of the
//! day is not asked, five hundred units are too many for any history, and single messages
//! are refused before ([`Slot::bursts`]).
//!
//! False positives come from: a filter's own errors (hence share and recipients), list
//! hosts (class), mailbox providers (class), forwarders (declared, or by guard). A filter
//! that calls everything spam makes bursts of good servers: then only what it calls spam is
//! refused, as it would do itself, until the ratio guard gives way.

use minicbor::{Decode, Encode};
use model::content::Shape;
use model::finding::Measure;
use model::policy::{FirstHit, VolumeRule};
use model::window::Window;
use model::{Class, Finding, Judgement, Millis, Offence, PersonHash, Secs, Units};

use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// The most units of one message, however many recipients it had (C.3).
pub const UNITS_PER_MESSAGE_MAX: u16 = 50;
/// Recent spam is what came in seven days; the ratio guard weighs it against good mail.
const WEEK: Secs = Secs(7 * 86_400);
/// What the last hour's mail of a burst is spam to, in percent, at least (ADV-18).
const BURST_SHARE: u64 = 80;
/// Units of an hour from which on its share counts instead of the day's (ADV-18).
const BURST_UNITS: u64 = 100;
/// The share of spam that an established server must reach (C.1).
const ESTABLISHED_SHARE: u64 = 30;

/// Counts of one key; made with its first judged message.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Counts>>);

#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Counts {
    #[n(0)]
    units_hour: Window,
    #[n(1)]
    units_day: Window,
    #[n(2)]
    messages_day: Window,
    #[n(3)]
    spam_day: Window,
    #[n(4)]
    spam_week: Window,
    /// Fragments of two recipients' hashes: enough to know that there were two.
    #[n(5)]
    recipients: [Option<u32>; 2],
    /// Units of good mail in one hour, as far as they count; most keys have none.
    #[n(6)]
    good_hour: Option<Box<Window>>,
}

impl Slot {
    /// Messages judged spam in the last seven days.
    pub fn spam_week(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |c| c.spam_week.sum(WEEK, now))
    }

    /// Messages judged spam in the last 24 hours.
    pub fn spam_day(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |c| c.spam_day.sum(Secs::DAY, now))
    }

    /// Messages judged in the last 24 hours.
    pub fn messages_day(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |c| c.messages_day.sum(Secs::DAY, now))
    }

    /// Share of spam among the messages judged in 24 hours, in percent.
    pub fn share_percent(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |c| c.share_percent(now))
    }

    /// Whether the last hour brought a dump: so many units, nearly all of it spam, that no
    /// history outweighs it (ADV-18). A key with history gets the more room the more it has.
    pub fn is_dump(&self, class: Class, rule: &VolumeRule, now: Millis) -> bool {
        let Some(counts) = &self.0 else { return false };
        let units = counts.units_hour.sum(Secs::HOUR, now);
        let limit = u64::from(rule.dump_units);
        let nearly_all = counts.share_hour(now) > BURST_SHARE;
        match class {
            Class::Dynamic | Class::NoRdns | Class::Unknown => units >= limit,
            Class::Known => nearly_all && units >= limit,
            Class::Established | Class::ListHost => nearly_all && units >= limit.saturating_mul(2),
            Class::Forwarder | Class::Shared | Class::Protected => false,
        }
    }

    /// Whether the last hour would block a stranger and was nearly all spam: then what a filter
    /// calls spam is refused from a server with history, too, message by message, before the
    /// server is (ADV-18).
    pub fn bursts(&self, class: Class, rule: &VolumeRule, now: Millis) -> bool {
        let of_history = matches!(class, Class::Known | Class::Established);
        let Some(counts) = self.0.as_ref().filter(|_| of_history) else { return false };
        counts.units_hour.sum(Secs::HOUR, now) >= u64::from(rule.units_hour)
            && counts.spam_day.sum(Secs::DAY, now) >= u64::from(rule.messages_min)
            && counts.share_hour(now) > BURST_SHARE
    }
}

impl Counts {
    /// `spent`: its recipient has had all good mail of this key that counts today.
    fn count(&mut self, at: Millis, judgement: Judgement, recipients: u16, spent: bool) {
        self.messages_day.add(Secs::DAY, at, 1);
        let units = u32::from(units_of(recipients));
        if judgement == Judgement::Ham && !spent {
            self.good_hour.get_or_insert_default().add(Secs::HOUR, at, units);
        }
        if judgement != Judgement::Spam {
            return;
        }
        self.units_hour.add(Secs::HOUR, at, units);
        self.units_day.add(Secs::DAY, at, units);
        self.spam_day.add(Secs::DAY, at, 1);
        self.spam_week.add(WEEK, at, 1);
    }

    fn meet(&mut self, recipient: Option<PersonHash>) {
        let Some(fragment) = recipient.map(|r| r.0 as u32) else { return };
        match self.recipients {
            [None, _] => self.recipients[0] = Some(fragment),
            [Some(first), None] if first != fragment => self.recipients[1] = Some(fragment),
            _ => {}
        }
    }

    fn share_percent(&self, now: Millis) -> u64 {
        let messages = self.messages_day.sum(Secs::DAY, now);
        (self.spam_day.sum(Secs::DAY, now) * 100).checked_div(messages).unwrap_or(0)
    }

    /// Share of spam in the units of the last hour, in percent.
    fn share_hour(&self, now: Millis) -> u64 {
        let spam = self.units_hour.sum(Secs::HOUR, now);
        let good = self.good_hour.as_ref().map_or(0, |good| good.sum(Secs::HOUR, now));
        (spam * 100).checked_div(spam + good).unwrap_or(0)
    }
}

/// Units of one message (C.3).
pub fn units_of(recipients: u16) -> u16 {
    recipients.clamp(1, UNITS_PER_MESSAGE_MAX)
}

/// The detector.
pub struct SpamVolume;

impl Detector for SpamVolume {
    fn offence(&self) -> Offence {
        Offence::SpamVolume
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Judged { judgement, recipients, recipient, shape, .. } = seen.act else { return None };
        // Who complains about spam sends it along: no spam of his, and no good mail either.
        if shape.any(Shape::TO_ABUSE_DESK) {
            return None;
        }
        let counts = of.volume.0.get_or_insert_default();
        counts.count(seen.at, judgement, recipients, around.beside.spent);
        if judgement != Judgement::Spam {
            return None;
        }
        counts.meet(recipient);
        of.account.add(Offence::SpamVolume, seen.at, Units::whole(u64::from(units_of(recipients))));
        let stranger = around.good == 0 && !of.has_history(seen.at);
        let facts = first_hit(seen, stranger, around).or_else(|| by_volume(seen, of, around))?;
        Some(Finding { offence: Offence::SpamVolume, key: seen.key, at: seen.at, facts })
    }
}

fn first_hit(seen: &Seen, stranger: bool, around: &Context<'_>) -> Option<model::Facts> {
    let fires = match around.policy.volume.first_hit {
        FirstHit::Off => false,
        FirstHit::Suspicious => stranger && seen.traits.suspicious(),
        FirstHit::Everybody => true,
    };
    fires.then(|| {
        vec![
            (Measure::FirstVerdict, 1),
            (Measure::GoodMail30d, u64::from(around.good)),
            (Measure::HeloClass, seen.traits.helo as u64),
            (Measure::RdnsClass, seen.traits.rdns as u64),
        ]
    })
}

fn by_volume(seen: &Seen, of: &Record, around: &Context<'_>) -> Option<model::Facts> {
    // G-HOST: one customer's spam does not block the others; it is refused by the message.
    let (slot, customers) = (&of.volume, of.customers(seen.at));
    let (rule, counts) = (&around.policy.volume, slot.0.as_ref()?);
    let room = if customers.is_some() { around.at_least(Class::Established) } else { *around };
    let (limit_hour, limit_day) = (room.scaled(rule.units_hour)?, room.scaled(rule.units_day)?);
    let (hour, day) = (counts.units_hour.sum(Secs::HOUR, seen.at), counts.units_day.sum(Secs::DAY, seen.at));
    let (share, messages) = (counts.share_percent(seen.at), counts.messages_day.sum(Secs::DAY, seen.at));
    let limit_share =
        if room.class >= Class::Established { ESTABLISHED_SHARE } else { u64::from(rule.share_percent) };
    let enough = hour >= limit_hour || day >= limit_day;
    let share_hour = counts.share_hour(seen.at);
    let bursts = hour >= BURST_UNITS && share_hour > BURST_SHARE;
    let bad = (share >= limit_share || bursts) && messages >= around.least(rule.messages_min);
    let proven = enough && bad && counts.recipients[1].is_some();
    (proven || slot.is_dump(around.class, rule, seen.at)).then(|| {
        let mut facts = vec![
            (Measure::UnitsHour, hour),
            (Measure::LimitUnitsHour, limit_hour),
            (Measure::UnitsDay, day),
            (Measure::LimitUnitsDay, limit_day),
            (Measure::MessagesDay, messages),
            (Measure::SpamSharePercent, share),
            (Measure::LimitSharePercent, limit_share),
        ];
        facts.extend(customers.map(|domains| (Measure::SignedDomains, domains)));
        if bursts && share < limit_share {
            facts.push((Measure::SpamShareHourPercent, share_hour));
            facts.push((Measure::LimitShareHourPercent, BURST_SHARE));
        }
        facts
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helo::HeloClass;
    use crate::rdns::RdnsClass;
    use crate::seen::{Fit, Traits, tests::around};
    use model::Policy;
    use model::content::Shape;

    const GOOD_LOOK: Traits = Traits {
        helo: HeloClass::Fine,
        rdns: RdnsClass::Fine,
        shared: false,
        line: 0,
        fit: Fit::Unknown,
        made: false,
    };

    fn judged(at: u64, judgement: Judgement, recipient: u64, traits: Traits) -> Seen {
        let recipient = Some(PersonHash(recipient));
        let act = Act::Judged { judgement, recipients: 1, recipient, shape: Shape::default(), signed: false };
        Seen { at: Millis::from_secs(1_000_000_000 + at), key: "192.0.2.1".parse().unwrap(), traits, act }
    }

    /// The same message to so many recipients.
    fn to(many: u16, mut seen: Seen) -> Seen {
        if let Act::Judged { recipients, recipient, .. } = &mut seen.act {
            (*recipients, *recipient) = (many, None);
        }
        seen
    }

    /// Runs `spam` messages, one a minute, after `ham` good ones; says at which spam it fires.
    fn fires_at(ham: u64, spam: u64, class: Class, good: u32, traits: Traits, people: u64) -> Option<u64> {
        let policy = Policy::shipped();
        let around = Context { good, ..around(&policy, class) };
        let mut record = Record::default();
        for n in 0..ham {
            assert!(
                SpamVolume.observe(&judged(n, Judgement::Ham, n, traits), &mut record, &around).is_none()
            );
        }
        (1..=spam).find(|n| {
            SpamVolume
                .observe(&judged(100 + n * 60, Judgement::Spam, n % people, traits), &mut record, &around)
                .is_some()
        })
    }

    /// C.0: a stranger's first spam must not double what is remembered of it.
    #[test]
    fn c_0_counts_of_a_key_take_less_than_150_bytes() {
        assert!(size_of::<Counts>() < 150);
    }

    #[test]
    fn the_first_hit_blocks_what_looks_like_an_end_users_computer() {
        for traits in [
            Traits { rdns: RdnsClass::Missing, ..GOOD_LOOK },
            Traits { rdns: RdnsClass::Generic, ..GOOD_LOOK },
            Traits { rdns: RdnsClass::Mismatch, ..GOOD_LOOK },
            Traits { helo: HeloClass::RawAddress, ..GOOD_LOOK },
        ] {
            assert_eq!(fires_at(0, 3, Class::Unknown, 0, traits, 9), Some(1), "{traits:?}");
            assert_eq!(
                fires_at(0, 3, Class::Unknown, 1, traits, 9),
                None,
                "{traits:?} with one good message"
            );
        }
        assert_eq!(fires_at(0, 3, Class::Unknown, 0, GOOD_LOOK, 9), None);
    }

    #[test]
    fn a_well_run_unknown_server_needs_ten_in_an_hour_to_two_people() {
        assert_eq!(fires_at(0, 20, Class::Unknown, 0, GOOD_LOOK, 9), Some(10));
        assert_eq!(fires_at(0, 50, Class::Unknown, 0, GOOD_LOOK, 1), None);
        assert_eq!(fires_at(30, 40, Class::Unknown, 0, GOOD_LOOK, 9), None, "share below 60 %");
    }

    #[test]
    fn known_servers_have_three_times_the_room_and_shared_ones_are_never_blocked() {
        assert_eq!(fires_at(0, 60, Class::Known, 0, GOOD_LOOK, 9), Some(30));
        assert_eq!(fires_at(0, 60, Class::Shared, 0, GOOD_LOOK, 9), None);
    }

    #[test]
    fn a_dump_blocks_whatever_the_share() {
        let policy = Policy::shipped();
        let around = around(&policy, Class::Unknown);
        let mut record = Record::default();
        let seen = |n: u64| to(60, judged(n, Judgement::Spam, 0, GOOD_LOOK));
        // 60 recipients count 50 units: ten messages make 500.
        let fired = (1..=20).find(|n| SpamVolume.observe(&seen(*n), &mut record, &around).is_some());
        assert_eq!(fired, Some(10));
    }

    #[test]
    fn a_dump_outweighs_a_history_when_it_is_nearly_all_spam() {
        let rule = Policy::shipped().volume;
        let at = Millis::from_secs(1_000_000_000);
        let dumps = |class, units: u64, ham: u64| {
            let mut counts = Counts::default();
            (0..ham).for_each(|_| counts.count(at, Judgement::Ham, 1, false));
            (0..ham * 9).for_each(|_| counts.count(at, Judgement::Ham, 1, true));
            (0..units).for_each(|_| counts.count(at, Judgement::Spam, 1, false));
            Slot(Some(Box::new(counts))).is_dump(class, &rule, at)
        };
        assert!(dumps(Class::Unknown, 500, 9000));
        assert!(dumps(Class::Known, 500, 100));
        assert!(!dumps(Class::Known, 499, 0));
        assert!(!dumps(Class::Known, 500, 125), "80 % is not more than 80 %");
        assert!(!dumps(Class::Established, 999, 0));
        assert!(dumps(Class::ListHost, 1000, 0));
        assert!(!dumps(Class::Shared, 9000, 0));
    }

    #[test]
    fn adv_18_a_burst_is_ten_messages_of_an_hour_that_is_nearly_all_spam() {
        let rule = Policy::shipped().volume;
        let at = Millis::from_secs(1_000_000_000);
        let bursts = |class, spam: u64, to: u16, ham: u64, later: u64| {
            let mut counts = Counts::default();
            (0..ham).for_each(|_| counts.count(at, Judgement::Ham, 1, false));
            (0..spam).for_each(|_| counts.count(at, Judgement::Spam, to, false));
            Slot(Some(Box::new(counts))).bursts(class, &rule, at.plus(Secs(later)))
        };
        assert!(bursts(Class::Established, 10, 1, 2, 0));
        assert!(bursts(Class::Known, 10, 1, 2, 0));
        assert!(!bursts(Class::Established, 12, 1, 3, 0), "80 % is not more than 80 %");
        assert!(!bursts(Class::Established, 9, 1, 0, 0));
        assert!(!bursts(Class::Established, 2, 50, 0, 0), "two messages to many are two errors of a filter");
        assert!(!bursts(Class::Established, 400, 1, 0, 2 * 3600), "an hour later it is over");
        for class in [Class::Unknown, Class::ListHost, Class::Forwarder, Class::Shared, Class::Protected] {
            assert!(!bursts(class, 900, 1, 0, 0), "{class:?}");
        }
    }

    #[test]
    fn a_message_counts_a_unit_for_each_recipient() {
        let policy = Policy::shipped();
        let around = around(&policy, Class::Unknown);
        let mut record = Record::default();
        SpamVolume.observe(&to(2, judged(1, Judgement::Spam, 0, GOOD_LOOK)), &mut record, &around);
        let units: Vec<Units> = record.account.take_fresh().iter().map(|f| f.units).collect();
        assert_eq!(units, [Units::whole(2)]);
    }
}
