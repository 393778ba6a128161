//! Mailboxes that get only spam.
//!
//! Addresses that nobody uses are written to by spammers alone: guessed, harvested, or left by
//! people who are gone. What such mailboxes get is counted by how many clients sent spam to
//! them; one wanted message, one message that its owner writes, one report of its owner takes
//! all of it back for three months. A mailbox that has got spam from many, for days, and
//! nothing else weighs in the connection score of strangers who write to it
//! ([`detectors::score`]), never enough to refuse alone.
//!
//! No event tells of it: a recipient is a person, and the ledger is for ever. Those who answer
//! hear of it beside the events ([`crate::Step::mailboxes`]), and at a start from the engine.
//!
//! Configured traps are none of these: a trap must be answered like any other address (ADV-5).

use std::collections::BTreeMap;

use hashbrown::HashMap;
use minicbor::{Decode, Encode};
use model::{Judgement, Millis, Secs};

use crate::seeded::Seeded;

/// So many of a mailbox's marks, one for each client that sent spam: 24 of 128 are near 27
/// clients. Who is refused leaves none, so it takes long where much is refused.
const MARKS: u32 = 24;
/// And for so long nothing but spam.
const DAYS: Secs = Secs(2 * 86_400);
/// For so long anything wanted protects it.
const QUIET: Secs = Secs(90 * 86_400);
/// For so long it weighs after its last spam; told anew when half of it is gone.
const LASTS: Secs = Secs(30 * 86_400);
/// Mailboxes that are remembered: near 12 MB.
const MAILBOXES_MAX: usize = 131_072;
/// Room is made at most so often: an attacker must not make us look through all.
const SWEEP_EVERY: Secs = Secs::HOUR;
/// A mailbox with fewer marks gives way after a day: guessed addresses get one message each.
const FEW: u32 = 4;

/// Fragment of the keyed hash of a recipient.
pub(crate) type Who = u32;

/// All mailboxes that got spam.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    known: HashMap<Who, Mailbox, Seeded>,
    swept: Millis,
    /// What those who answer have not heard yet.
    news: Vec<(Who, Millis)>,
}

/// As they stand in a checkpoint, in order.
#[derive(Decode, Default, Encode)]
pub(crate) struct StoredMailboxes {
    #[n(0)]
    known: BTreeMap<Who, Mailbox>,
    #[n(1)]
    swept: Millis,
}

/// One mailbox.
#[derive(Clone, Copy, Debug, Decode, Default, Encode)]
struct Mailbox {
    /// One of 128 bits for each client that sent spam.
    #[n(0)]
    marks: [u64; 2],
    /// Its first spam since it was last wanted.
    #[n(1)]
    since: Millis,
    #[n(2)]
    last: Millis,
    /// When anything showed that somebody uses it.
    #[n(3)]
    used_at: Millis,
    /// Until when it was told to weigh.
    #[n(4)]
    told: Millis,
}

impl Mailboxes {
    pub(crate) fn new(seeded: Seeded) -> Mailboxes {
        Mailboxes { known: HashMap::with_hasher(seeded), swept: Millis(0), news: Vec::new() }
    }

    pub(crate) fn store(&self) -> StoredMailboxes {
        let known = self.known.iter().map(|(who, mailbox)| (*who, *mailbox)).collect();
        StoredMailboxes { known, swept: self.swept }
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredMailboxes) -> Mailboxes {
        let mut mailboxes = Mailboxes::new(seeded);
        mailboxes.known.extend(stored.known);
        mailboxes.swept = stored.swept;
        mailboxes
    }

    /// A message to these recipients was judged; `client` is a hash of its sender's key.
    pub(crate) fn judged(
        &mut self,
        people: impl Iterator<Item = Who>,
        client: u64,
        judgement: Judgement,
        now: Millis,
    ) {
        match judgement {
            Judgement::Ham => people.for_each(|who| self.used(who, now)),
            Judgement::Spam => people.for_each(|who| self.spammed(who, client, now)),
            Judgement::Virus | Judgement::Heuristic => {}
        }
    }

    /// Somebody uses it: wanted mail came, or its owner wrote or reported.
    pub(crate) fn used(&mut self, who: Who, now: Millis) {
        let Some(mailbox) = self.known.get_mut(&who) else { return };
        let told = std::mem::take(&mut mailbox.told);
        *mailbox = Mailbox { used_at: mailbox.used_at.max(now), last: now, ..Mailbox::default() };
        if told > now {
            self.news.push((who, Millis(0)));
        }
    }

    fn spammed(&mut self, who: Who, client: u64, now: Millis) {
        self.sweep(now);
        if self.known.len() >= MAILBOXES_MAX && !self.known.contains_key(&who) {
            return;
        }
        let mailbox = self.known.entry(who).or_default();
        mailbox.spammed(client, now);
        if mailbox.gets_only_spam(now) && mailbox.told.since(now) <= Secs(LASTS.0 / 2) {
            mailbox.told = now.plus(LASTS);
            self.news.push((who, mailbox.told));
        }
    }

    /// What those who answer shall hear: until when a mailbox weighs, 0 for no longer.
    pub(crate) fn take_news(&mut self) -> Vec<(Who, Millis)> {
        std::mem::take(&mut self.news)
    }

    /// All that weigh, in no order, for those who answer and have just begun.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Who, Millis)> {
        let told = self.known.iter().map(|(who, mailbox)| (*who, mailbox.told));
        told.filter(|(_, until)| *until > Millis(0))
    }

    /// Forgets whom nothing was heard of for long, when the table is full.
    fn sweep(&mut self, now: Millis) {
        if self.known.len() < MAILBOXES_MAX || now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        self.known.retain(|_, mailbox| mailbox.is_worth_room(now));
    }
}

impl Mailbox {
    fn spammed(&mut self, client: u64, now: Millis) {
        self.last = self.last.max(now);
        if self.used_at > Millis(0) && now.since(self.used_at) < QUIET {
            return;
        }
        if self.since == Millis(0) {
            self.since = now;
        }
        let mark = client % 128;
        self.marks[(mark / 64) as usize] |= 1 << (mark % 64);
    }

    fn count(&self) -> u32 {
        self.marks.iter().map(|marks| marks.count_ones()).sum()
    }

    fn gets_only_spam(&self, now: Millis) -> bool {
        self.since > Millis(0) && now.since(self.since) >= DAYS && self.count() >= MARKS
    }

    fn is_worth_room(&self, now: Millis) -> bool {
        let is_used = self.used_at > Millis(0);
        let span = match self.count() {
            _ if is_used => QUIET,
            0..FEW => Secs::DAY,
            _ => LASTS,
        };
        now.since(self.last) < span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn mailboxes() -> Mailboxes {
        Mailboxes::new(Seeded([3, 4]))
    }

    fn at(secs: u64) -> Millis {
        Millis::from_secs(1_700_000_000 + secs)
    }

    fn spam(mailboxes: &mut Mailboxes, clients: u64, from: u64, secs: u64) {
        for n in 0..clients {
            // Odd steps through all bits, as the hashes of different clients are.
            let client = (from + n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            mailboxes.judged([7].into_iter(), client, Judgement::Spam, at(secs));
        }
    }

    #[track_caller]
    fn check(mailboxes: &mut Mailboxes, expect: &[(Who, Millis)]) {
        assert_eq!(mailboxes.take_news(), expect);
    }

    #[test]
    fn many_clients_and_two_days_of_nothing_else_make_it_weigh() {
        let mut mailboxes = mailboxes();
        spam(&mut mailboxes, 100, 0, 0);
        check(&mut mailboxes, &[]);
        spam(&mut mailboxes, 1, 0, 2 * DAY);
        check(&mut mailboxes, &[(7, at(32 * DAY))]);
        spam(&mut mailboxes, 1, 1, 3 * DAY);
        check(&mut mailboxes, &[]);
        assert_eq!(mailboxes.all().collect::<Vec<_>>(), [(7, at(32 * DAY))]);
    }

    #[test]
    fn few_clients_are_not_enough_however_long() {
        let mut mailboxes = mailboxes();
        for day in 0..60 {
            spam(&mut mailboxes, 20, 0, day * DAY);
        }
        check(&mut mailboxes, &[]);
    }

    #[test]
    fn one_wanted_message_takes_all_of_it_back_for_three_months() {
        let mut mailboxes = mailboxes();
        spam(&mut mailboxes, 100, 0, 0);
        spam(&mut mailboxes, 1, 0, 2 * DAY);
        mailboxes.take_news();
        mailboxes.judged([7].into_iter(), 1, Judgement::Ham, at(3 * DAY));
        check(&mut mailboxes, &[(7, Millis(0))]);
        for day in 4..90 {
            spam(&mut mailboxes, 100, 0, day * DAY);
        }
        check(&mut mailboxes, &[]);
        spam(&mut mailboxes, 100, 0, 94 * DAY);
        spam(&mut mailboxes, 100, 0, 96 * DAY);
        check(&mut mailboxes, &[(7, at(126 * DAY))]);
    }

    #[test]
    fn what_its_owner_does_counts_as_wanted_mail() {
        let mut mailboxes = mailboxes();
        spam(&mut mailboxes, 100, 0, 0);
        mailboxes.used(7, at(DAY));
        spam(&mut mailboxes, 100, 0, 5 * DAY);
        check(&mut mailboxes, &[]);
    }

    #[test]
    fn a_virus_says_nothing_of_who_reads() {
        let mut mailboxes = mailboxes();
        for client in 0..200 {
            mailboxes.judged([7].into_iter(), client, Judgement::Virus, at(client * DAY));
        }
        check(&mut mailboxes, &[]);
    }

    #[test]
    fn guessed_addresses_give_way_and_those_that_weigh_stay() {
        let mut mailboxes = mailboxes();
        spam(&mut mailboxes, 100, 0, 0);
        let guessed = 1000..1000 + MAILBOXES_MAX as u32;
        guessed.clone().for_each(|who| mailboxes.spammed(who, 5, at(1)));
        assert_eq!(mailboxes.known.len(), MAILBOXES_MAX);
        mailboxes.spammed(1, 5, at(2 * DAY));
        assert_eq!(mailboxes.store().known.into_keys().collect::<Vec<_>>(), [1, 7]);
    }

    #[test]
    fn a_checkpoint_keeps_them() {
        let mut mailboxes = mailboxes();
        spam(&mut mailboxes, 100, 0, 0);
        spam(&mut mailboxes, 1, 0, 2 * DAY);
        let bytes = model::event::cbor(&mailboxes.store());
        let mut again = Mailboxes::restore(Seeded([3, 4]), minicbor::decode(&bytes).unwrap());
        assert_eq!(again.all().collect::<Vec<_>>(), mailboxes.all().collect::<Vec<_>>());
        check(&mut again, &[]);
    }
}
