//! What is remembered of one key between observations.

use minicbor::{Decode, Encode};
use model::{Class, Evidence, Millis, Standing, evidence};

use crate::account::Account;
use crate::seen::Traits;
use crate::{helo, traps, volume};

/// Everything about one key, found once per observation.
///
/// Standing survives restarts and changes of format; slots are windows and may be dropped
/// when their format changes.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub struct Record {
    /// Good mail, strikes, probation.
    #[n(0)]
    pub standing: Standing,
    /// The last observation.
    #[n(1)]
    pub last_seen: Millis,
    /// Units that wait for a sentence.
    #[n(2)]
    pub account: Account,
    /// OFF-1's slot.
    #[n(3)]
    pub volume: volume::Slot,
    /// OFF-2's slot.
    #[n(4)]
    pub traps: traps::Slot,
    /// OFF-9's slot.
    #[n(5)]
    pub helo: helo::Slot,
    /// Sessions that a block would show: at most five, chosen by hash.
    #[n(6)]
    samples: Vec<(u64, Evidence)>,
    /// Beginnings of shadow sentences: they never mix with live ones.
    #[n(7)]
    pub shadow_strikes: Vec<Millis>,
}

impl Record {
    /// Keeps a session as evidence if its hash is among the five smallest.
    ///
    /// Chosen by hash and never ‘all’: a full set would let a sender wash its list (D.6).
    pub fn keep_sample(&mut self, hash: u64, sample: Evidence) {
        let place = self.samples.partition_point(|(h, _)| *h < hash);
        if self.samples.get(place).is_some_and(|(h, _)| *h == hash) {
            self.samples[place].1 = sample;
        } else {
            self.samples.insert(place, (hash, sample));
            self.samples.truncate(evidence::SAMPLES_MAX);
        }
    }

    /// Takes the samples out, in the order of time: they belong to a case now.
    pub fn take_samples(&mut self) -> Vec<Evidence> {
        let samples = self.samples();
        self.samples.clear();
        samples
    }

    /// The samples in the order of time.
    pub fn samples(&self) -> Vec<Evidence> {
        let mut samples: Vec<_> = self.samples.iter().map(|(_, e)| e.clone()).collect();
        samples.sort_by_key(|e| e.at);
        samples
    }

    /// Whether there is any evidence.
    pub fn has_samples(&self) -> bool {
        !self.samples.is_empty()
    }

    /// The class of a key that was not declared to be anything (C.1).
    ///
    /// Good mail comes before the look of the connection: a small server without reverse
    /// DNS that has written to us for weeks is known.
    pub fn class(&self, traits: &Traits, now: Millis) -> Class {
        let (good, days) = self.standing.good(now);
        let aged = now.since(self.standing.first_seen).0 >= 7 * 86_400;
        if traits.shared {
            Class::Shared
        } else if self.standing.list_host && good >= 20 {
            Class::ListHost
        } else if good >= 100
            && days >= 14
            && self.standing.distinct_recipients() >= 5
            && traits.rdns.is_confirmed()
        {
            Class::Established
        } else if good >= 10 && days >= 3 && aged {
            Class::Known
        } else if traits.rdns == crate::rdns::RdnsClass::Generic {
            Class::Dynamic
        } else if !traits.rdns.is_confirmed() {
            Class::NoRdns
        } else {
            Class::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdns::RdnsClass;

    fn day(n: u64) -> Millis {
        Millis::from_secs(n * 86_400)
    }

    fn with_good(days: u64, per_day: u32) -> Record {
        let mut record = Record::default();
        record.standing.first_seen = day(1);
        for d in 0..days {
            (0..per_day).for_each(|r| record.standing.credit(day(100 + d), r, 1));
        }
        record
    }

    #[test]
    fn good_mail_makes_a_class_and_outweighs_missing_reverse_dns() {
        let fine = Traits { rdns: RdnsClass::Fine, ..Traits::default() };
        let none = Traits { rdns: RdnsClass::Missing, ..Traits::default() };
        assert_eq!(Record::default().class(&fine, day(120)), Class::Unknown);
        assert_eq!(Record::default().class(&none, day(120)), Class::NoRdns);
        assert_eq!(with_good(3, 4).class(&none, day(103)), Class::Known);
        assert_eq!(with_good(14, 8).class(&fine, day(114)), Class::Established);
        assert_eq!(with_good(14, 8).class(&none, day(114)), Class::Known);
        assert_eq!(with_good(14, 8).class(&Traits { shared: true, ..fine }, day(114)), Class::Shared);
    }
}
