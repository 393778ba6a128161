//! What is remembered of one key between observations.

use minicbor::{Decode, Encode};
use model::observation::Habit;
use model::standing::STRIKE_MEMORY;
use model::{Class, Evidence, Few, Habits, Millis, Mode, Secs, Standing, evidence};

use crate::account::Account;
use crate::seen::Traits;
use crate::{
    attachment, backscatter, bot, conduct, dictionary, facts, flood, forged, greytrap, helo, hosts, ours,
    reports, traps, virus, volume,
};

/// How long a session may serve as evidence before a block: as long as its unit counts.
const SAMPLE_KEPT: Secs = Secs(7 * 86_400);
/// Beginnings of shadow sentences that are kept; four at most count.
const SHADOW_STRIKES_MAX: usize = 8;

/// Everything about one key, found once per observation.
///
/// Standing survives restarts and changes of format; slots are windows and may be dropped
/// when their format changes. So standing has a stored form of its own, and the form here
/// is without it.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub struct Record {
    /// Good mail, strikes, probation.
    #[cbor(skip)]
    pub standing: Standing,
    /// The last observation.
    #[n(0)]
    pub last_seen: Millis,
    /// Units that wait for a sentence.
    #[n(1)]
    pub account: Account,
    /// OFF-1's slot.
    #[n(2)]
    pub volume: volume::Slot,
    /// OFF-2's slot.
    #[n(3)]
    pub traps: traps::Slot,
    /// OFF-9's slot.
    #[n(4)]
    pub helo: helo::Slot,
    /// Sessions that a block would show: at most five, chosen by hash.
    #[n(5)]
    samples: Few<(u64, Evidence)>,
    /// Beginnings of shadow sentences: they never mix with live ones.
    #[n(6)]
    shadow_strikes: Few<Millis>,
    /// What most keys never need.
    #[n(7)]
    rare: Option<Box<Rare>>,
    /// OFF-20's slot of a key that always greets alike.
    #[n(8)]
    #[cbor(default)]
    pub greeted: bot::First,
}

/// Slots that are made with the first fact for one of them, so that a key of which no
/// message was seen pays eight bytes for all.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub struct Rare {
    /// OFF-4's slot.
    #[n(0)]
    pub reports: reports::Slot,
    /// OFF-12's slot.
    #[n(1)]
    pub virus: virus::Slot,
    /// OFF-13's slot.
    #[n(2)]
    pub attachment: attachment::Slot,
    /// OFF-14's slot.
    #[n(3)]
    pub forged: forged::Slot,
    /// OFF-15's slot.
    #[n(4)]
    pub backscatter: backscatter::Slot,
    /// Facts without a rule of their own.
    #[n(5)]
    pub facts: facts::Facts,
    /// OFF-5's slot.
    #[n(6)]
    #[cbor(default)]
    pub dictionary: dictionary::Slot,
    /// OFF-6's slot.
    #[n(7)]
    #[cbor(default)]
    pub flood: flood::Slot,
    /// OFF-20's slot.
    #[n(8)]
    #[cbor(default)]
    pub bot: bot::Slot,
    /// OFF-18's and OFF-19's slot.
    #[n(9)]
    #[cbor(default)]
    pub conduct: conduct::Slot,
    /// OFF-3's slot.
    #[n(18)]
    #[cbor(default)]
    pub greytrap: greytrap::Slot,
    /// Rules that its good mail has passed (G-OURS).
    #[n(15)]
    #[cbor(default)]
    pub passed: ours::Rules,
    /// Who is behind the key.
    #[n(14)]
    #[cbor(default)]
    pub hosts: hosts::Slot,
}

impl Record {
    /// The rare slots, made if need be.
    pub fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The rare slots, if there are any.
    pub fn rare_if_any(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    /// Distinct recipients of the last 24 hours that do not exist, where OFF-5 runs.
    pub fn unknown_recipients(&self, now: Millis) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.dictionary.unknown_day(now))
    }

    /// The faults against SMTP of the last 24 hours, where OFF-19 runs.
    pub fn faults(&self, now: Millis) -> Habits {
        self.rare.as_ref().map_or(Habits::NONE, |rare| rare.conduct.faults(now))
    }

    /// Whether a recipient of its was taken lately, as far as that was counted.
    pub fn was_taken(&self, now: Millis) -> bool {
        let taken = self.rare.as_ref().map_or(0, |rare| rare.dictionary.taken_day(now));
        taken > 0 || self.volume.messages_day(now) > 0 || self.standing.good(now).0 > 0
    }

    /// Whether so many percent of its recipients of ten minutes do not exist (OFF-5).
    pub fn mostly_unknown(&self, percent: u32, now: Millis) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.dictionary.is_mostly_unknown(percent, now))
    }

    /// Whether it was blocked for unknown recipients in the milder way lately (OFF-5).
    pub fn was_spared(&self, now: Millis) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.dictionary.was_spared(now))
    }

    /// Whether the key passes other people's mail on, by what its messages showed.
    ///
    /// What they show can be made by anybody, and so can good mail to a mailbox of one's own:
    /// what is bad of a week is at most nine times the good mail of 30 days that counts (C.0).
    pub fn passes_on(&self, now: Millis) -> Option<facts::PassesOn> {
        let outweighed = self.bad(now) > hosts::bears(self.standing.good(now).0);
        let shown = self.rare.as_ref()?.facts.passes_on(now).filter(|_| !outweighed);
        shown.or_else(|| self.is_forwarder(now).then_some(facts::PassesOn::SendsOn))
    }

    /// What forged senders of the last hour weigh against good mail, where that is judged.
    pub fn forged(&self, now: Millis) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.forged.weight(now))
    }

    /// Whether its mail passed DKIM or SPF on earlier days, with no spam since.
    pub fn has_history(&self, now: Millis) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.facts.has_history(now))
    }

    /// What its messages showed of those behind it.
    pub fn hosts(&self) -> Option<&hosts::Slot> {
        self.rare.as_ref().map(|rare| &rare.hosts)
    }

    /// Whether it was seen to do this in the last 24 hours, as OFF-19 counts it.
    pub fn did(&self, habit: Habit, now: Millis) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.conduct.holds(habit, now))
    }

    /// Whether it showed the greeting of the `n`th family of bots within a day.
    pub fn greeted_as(&self, n: u32, now: Millis) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.bot.greeted_as(n, now))
    }

    /// Whether several mail servers stand behind the key's address (G-NAT).
    pub fn is_nat(&self, now: Millis) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.bot.is_nat(now))
    }

    /// Fragments of those who reported it lately.
    pub fn reporters(&self) -> Vec<u32> {
        self.rare.as_ref().map_or_else(Vec::new, |rare| rare.reports.reporters())
    }

    /// Whether a session is kept as evidence.
    pub fn has_sample(&self, hash: u64) -> bool {
        self.samples.iter().any(|(kept, _)| *kept == hash)
    }

    /// Drops a session from the evidence: it can not be shown.
    pub fn drop_sample(&mut self, hash: u64) {
        self.samples.retain(|(kept, _)| *kept != hash);
    }

    /// Keeps a session as evidence if its hash is among the five smallest. One that is kept
    /// already learns what is new and forgets nothing.
    ///
    /// Chosen by hash and never ‘all’: a full set would let a sender wash its list (D.6).
    pub fn keep_sample(&mut self, hash: u64, mut sample: Evidence) {
        self.samples.retain(|(_, kept)| sample.at.since(kept.at) < SAMPLE_KEPT);
        for (_, kept) in &self.samples {
            share_names(&mut sample, kept);
        }
        let place = self.samples.partition_point(|(h, _)| *h < hash);
        if self.samples.get(place).is_some_and(|(h, _)| *h == hash) {
            learn(&mut self.samples[place].1, sample);
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

    /// Forgets what was counted against the key and shown as evidence up to `at`, which is
    /// now: it was lifted. Standing stays.
    pub fn forget(&mut self, at: Millis) {
        self.account.clear();
        self.samples.retain(|(_, sample)| sample.at > at);
        (self.volume, self.traps, self.helo) = Default::default();
        if let Some(rare) = self.rare.take() {
            let facts = rare.facts;
            self.rare =
                (facts != facts::Facts::default()).then(|| Box::new(Rare { facts, ..Rare::default() }));
        }
    }

    /// What speaks against the key, as much as good mail speaks for it: a week's spam, the
    /// traps it wrote to, and the units of what its messages held and people said of them.
    /// Forged senders are not among it: a forwarder has them, too.
    pub fn bad(&self, now: Millis) -> u64 {
        let rare = self.rare.as_ref().map_or(0, |rare| {
            rare.virus.weight(now) + rare.attachment.weight(now) + rare.reports.weight(now)
        });
        self.volume.spam_week(now) + self.traps.weight(now) + rare
    }

    /// Remembers a sentence of this mode that began at `at`.
    pub fn strike(&mut self, mode: Mode, at: Millis) {
        if mode == Mode::Live {
            return self.standing.strike(at);
        }
        self.shadow_strikes.push(at);
        if self.shadow_strikes.len() > SHADOW_STRIKES_MAX {
            self.shadow_strikes.remove(0);
        }
    }

    /// Forgets the sentence of this mode that began at `at`: it was an error (SEN-6).
    pub fn pardon(&mut self, mode: Mode, at: Millis) {
        self.standing.step_down(mode, at);
        match mode {
            Mode::Live => self.standing.pardon(at),
            Mode::Shadow => self.shadow_strikes.retain(|strike| *strike != at),
        }
    }

    /// r: sentences of this mode that began in the 90 days before `now`. Those in shadow
    /// never lengthen those that are enforced.
    pub fn repeats(&self, mode: Mode, now: Millis) -> u32 {
        if mode == Mode::Live {
            return self.standing.repeats(now);
        }
        let oldest = now.minus(STRIKE_MEMORY);
        let lately = self.shadow_strikes.iter().filter(|strike| **strike >= oldest).count();
        u32::try_from(lately).unwrap_or(u32::MAX)
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
        } else if self.is_forwarder(now) {
            Class::Forwarder
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

/// Takes over what a later look at the same session shows.
fn learn(known: &mut Evidence, later: Evidence) {
    let before = std::mem::replace(known, later);
    known.judgement = known.judgement.or(before.judgement);
    known.score = known.score.or(before.score);
    known.source = known.source.take().or(before.source);
    known.trap = known.trap.or(before.trap);
    known.exhibit = known.exhibit.or(before.exhibit);
    known.recipients = known.recipients.max(before.recipients);
}

/// Lets two sessions of one client hold one copy of a name that both have.
fn share_names(sample: &mut Evidence, kept: &Evidence) {
    if sample.client.helo == kept.client.helo {
        sample.client.helo.clone_from(&kept.client.helo);
    }
    if sample.client.rdns == kept.client.rdns {
        sample.client.rdns.clone_from(&kept.client.rdns);
    }
    if sample.source == kept.source {
        sample.source.clone_from(&kept.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdns::RdnsClass;
    use model::observation::{Client, Rdns, Sensor};

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
    fn sample(at: Millis) -> Evidence {
        let addr = "192.0.2.1".parse().unwrap();
        let client = Client { addr, port: 0, helo: None, rdns: Rdns::Missing, authenticated: false };
        Evidence {
            at,
            client,
            sensor: Sensor::Policy,
            sender: None,
            recipients: 1,
            judgement: None,
            score: None,
            source: None,
            trap: None,
            exhibit: None,
        }
    }

    #[test]
    fn the_five_smallest_hashes_are_kept_in_any_order_of_arrival() {
        let kept = |hashes: &[u64]| {
            let mut record = Record::default();
            hashes.iter().for_each(|h| record.keep_sample(*h, sample(Millis(*h))));
            record.samples().iter().map(|e| e.at.0).collect::<Vec<_>>()
        };
        assert_eq!(kept(&[9, 3, 7, 1, 8, 2, 6]), [1, 2, 3, 6, 7]);
        assert_eq!(kept(&[1, 2, 3, 6, 7, 8, 9, 9, 1]), [1, 2, 3, 6, 7]);
    }

    #[test]
    fn a_sample_serves_for_as_long_as_its_unit_counts() {
        let mut record = Record::default();
        record.keep_sample(1, sample(day(100)));
        record.keep_sample(2, sample(day(106)));
        assert_eq!(record.samples().len(), 2);
        record.keep_sample(3, sample(day(107)));
        assert_eq!(record.samples()[0].at, day(106));
        record.forget(day(106));
        assert_eq!(record.take_samples(), [sample(day(107))]);
        assert!(!record.has_samples());
    }

    #[test]
    fn strikes_of_live_and_shadow_are_apart_and_bounded() {
        let mut record = Record::default();
        (0..20).for_each(|n| record.strike(Mode::Shadow, day(100 + n)));
        assert_eq!([Mode::Live, Mode::Shadow].map(|m| record.repeats(m, day(120))), [0, 8]);
        record.pardon(Mode::Shadow, day(119));
        record.pardon(Mode::Live, day(118));
        assert_eq!(record.repeats(Mode::Shadow, day(120)), 7);
        assert_eq!(record.repeats(Mode::Shadow, day(300)), 0);
    }

    #[test]
    fn traps_speak_against_a_key_as_spam_does() {
        let mut record = Record::default();
        assert_eq!(record.bad(day(100)), 0);
        let policy = model::Policy::shipped();
        let around = crate::seen::tests::around(&policy, Class::Unknown);
        let trap = Some((model::PersonHash(1), model::policy::TrapKind::Recycled));
        let act = crate::Act::Attempt { opens_session: true, trap, recipient: None, awaited: false };
        let key = "192.0.2.1".parse().unwrap();
        let seen = crate::Seen { at: day(100), key, traits: Traits::default(), act };
        crate::Detector::observe(&traps::Trap, &seen, &mut record, &around);
        assert_eq!([record.bad(day(100)), record.bad(day(108))], [2, 0]);
    }
}
