//! Mailboxes that get only spam.
//!
//! Addresses that nobody uses are written to by spammers alone: guessed, harvested, or left by
//! people who are gone. What such mailboxes get is counted by how many clients sent spam to
//! them; one wanted message, one message that its owner writes, one report of its owner
//! protects it for three months. A mailbox that has got spam from many, for a week, and
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
/// From so many marks on, near 89 clients, and in so long a time, nobody uses it any more.
const DEAD: (u32, Secs) = (64, Secs(14 * 86_400));
/// And for so long nothing but spam: a week has days on which nobody writes to a firm.
const DAYS: Secs = Secs(7 * 86_400);
/// For so many days anything wanted protects it.
const QUIET_DAYS: u32 = 90;
/// Before so many wanted messages nothing weighs: a filter may report spam alone.
const WANTED: u64 = 100;
/// For so long it weighs after its last spam; told anew when half of it is gone.
const LASTS: Secs = Secs(30 * 86_400);
/// Mailboxes that got only spam and are remembered: near 10 MB.
const MAILBOXES_MAX: usize = 131_072;
/// Mailboxes that somebody uses and are remembered: near 7 MB. Where there are more, some have
/// the protection of their next wanted message only.
const USED_MAX: usize = 524_288;
/// Room is made at most so often: an attacker must not make us look through all.
const SWEEP_EVERY: Secs = Secs::HOUR;
/// A mailbox with fewer marks gives way after a day: guessed addresses get one message each.
const FEW: u32 = 4;

/// Fragment of the keyed hash of a recipient.
pub(crate) type Who = u32;

/// What those who answer shall hear of a mailbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MailboxNews {
    /// Fragment of the keyed hash of the recipient.
    pub who: u32,
    /// It gets only spam; strangers who write to it weigh until then; 0: no longer.
    pub until: Millis,
    /// For so long and from so many that nobody uses it any more.
    pub dead: bool,
}

/// All mailboxes that got spam.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    known: HashMap<Who, Mailbox, Seeded>,
    /// Days on which others showed that somebody uses them.
    used: HashMap<Who, u32, Seeded>,
    /// Wanted messages.
    wanted: u64,
    swept: Millis,
    /// What those who answer have not heard yet.
    news: Vec<MailboxNews>,
}

/// As they stand in a checkpoint, in order.
#[derive(Decode, Default, Encode)]
pub(crate) struct StoredMailboxes {
    #[n(0)]
    known: BTreeMap<Who, Mailbox>,
    #[n(1)]
    swept: Millis,
    #[n(2)]
    used: BTreeMap<Who, u32>,
    #[n(3)]
    wanted: u64,
}

/// One mailbox.
#[derive(Clone, Copy, Debug, Decode, Default, Encode)]
struct Mailbox {
    /// One of 128 bits for each client that sent spam.
    #[n(0)]
    marks: [u64; 2],
    /// Its first spam.
    #[n(1)]
    since: Millis,
    #[n(2)]
    last: Millis,
    /// Until when it was told to weigh.
    #[n(4)]
    told: Millis,
    /// It was told to be dead.
    #[n(5)]
    dead: bool,
}

impl Mailboxes {
    pub(crate) fn new(seeded: Seeded) -> Mailboxes {
        Mailboxes {
            known: HashMap::with_hasher(seeded),
            used: HashMap::with_hasher(seeded),
            wanted: 0,
            swept: Millis(0),
            news: Vec::new(),
        }
    }

    pub(crate) fn store(&self) -> StoredMailboxes {
        let known = self.known.iter().map(|(who, mailbox)| (*who, *mailbox)).collect();
        let used = self.used.iter().map(|(who, day)| (*who, *day)).collect();
        StoredMailboxes { known, swept: self.swept, used, wanted: self.wanted }
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredMailboxes) -> Mailboxes {
        let mut mailboxes = Mailboxes::new(seeded);
        mailboxes.known.extend(stored.known);
        mailboxes.used.extend(stored.used);
        (mailboxes.swept, mailboxes.wanted) = (stored.swept, stored.wanted);
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
            Judgement::Ham => {
                self.wanted = self.wanted.saturating_add(1);
                people.for_each(|who| self.used(who, now));
            }
            Judgement::Spam => people.for_each(|who| self.spammed(who, client, now)),
            Judgement::Virus | Judgement::Heuristic => {}
        }
    }

    /// Somebody uses it: wanted mail came, or its owner wrote or reported.
    pub(crate) fn used(&mut self, who: Who, now: Millis) {
        self.sweep(now);
        if self.used.len() < USED_MAX || self.used.contains_key(&who) {
            self.used.insert(who, now.day());
        }
        if self.known.remove(&who).is_some_and(|mailbox| mailbox.told > now) {
            self.news.push(MailboxNews { who, until: Millis(0), dead: false });
        }
    }

    fn spammed(&mut self, who: Who, client: u64, now: Millis) {
        self.sweep(now);
        let has_room = self.known.len() < MAILBOXES_MAX || self.known.contains_key(&who);
        if !has_room || self.used.get(&who).is_some_and(|day| is_recent(*day, now)) {
            return;
        }
        let mailbox = self.known.entry(who).or_default();
        mailbox.spammed(client, now);
        let weighs = self.wanted >= WANTED && mailbox.gets_only_spam(now);
        if weighs && mailbox.is_news(now) {
            self.news.push(mailbox.news(who));
        }
    }

    /// What those who answer shall hear.
    pub(crate) fn take_news(&mut self) -> Vec<MailboxNews> {
        std::mem::take(&mut self.news)
    }

    /// All that weigh, in no order, for those who answer and have just begun.
    pub(crate) fn all(&self) -> impl Iterator<Item = MailboxNews> {
        let told = self.known.iter().filter(|(_, mailbox)| mailbox.told > Millis(0));
        told.map(|(who, mailbox)| mailbox.news(*who))
    }

    /// Forgets whom nothing was heard of for long, when a table is full.
    fn sweep(&mut self, now: Millis) {
        let full = self.known.len() >= MAILBOXES_MAX || self.used.len() >= USED_MAX;
        if !full || now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        self.known.retain(|_, mailbox| mailbox.is_worth_room(now));
        self.used.retain(|_, day| is_recent(*day, now));
    }
}

fn is_recent(day: u32, now: Millis) -> bool {
    now.day().saturating_sub(day) < QUIET_DAYS
}

impl Mailbox {
    fn spammed(&mut self, client: u64, now: Millis) {
        self.last = self.last.max(now);
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

    /// Whether those who answer must hear anew of it; it is told from then on.
    fn is_news(&mut self, now: Millis) -> bool {
        let dead = self.count() >= DEAD.0 && now.since(self.since) >= DEAD.1;
        let is_news = dead != self.dead || self.told.since(now) <= Secs(LASTS.0 / 2);
        if is_news {
            (self.told, self.dead) = (now.plus(LASTS), dead);
        }
        is_news
    }

    fn news(&self, who: Who) -> MailboxNews {
        MailboxNews { who, until: self.told, dead: self.dead }
    }

    fn is_worth_room(&self, now: Millis) -> bool {
        now.since(self.last) < if self.count() < FEW { Secs::DAY } else { LASTS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    /// A site that has seen wanted mail.
    fn mailboxes() -> Mailboxes {
        let mut mailboxes = Mailboxes::new(Seeded([3, 4]));
        (0..WANTED).for_each(|_| mailboxes.judged([1].into_iter(), 0, Judgement::Ham, at(0)));
        mailboxes
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

    /// What is told of mailbox 7.
    #[track_caller]
    fn check(mailboxes: &mut Mailboxes, expect: &[(Millis, bool)]) {
        let told = mailboxes.take_news();
        assert!(told.iter().all(|news| news.who == 7));
        assert_eq!(told.iter().map(|news| (news.until, news.dead)).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn many_clients_and_a_week_of_nothing_else_make_it_weigh_and_two_weeks_are_the_end() {
        let mut mailboxes = mailboxes();
        spam(&mut mailboxes, 40, 0, 0);
        check(&mut mailboxes, &[]);
        spam(&mut mailboxes, 1, 0, 7 * DAY);
        check(&mut mailboxes, &[(at(37 * DAY), false)]);
        spam(&mut mailboxes, 200, 1, 8 * DAY);
        check(&mut mailboxes, &[]);
        spam(&mut mailboxes, 2, 1, 14 * DAY);
        check(&mut mailboxes, &[(at(44 * DAY), true)]);
        assert_eq!(
            mailboxes.all().collect::<Vec<_>>(),
            [MailboxNews { who: 7, until: at(44 * DAY), dead: true }]
        );
    }

    #[test]
    fn where_no_wanted_mail_is_seen_nothing_weighs() {
        let mut mailboxes = Mailboxes::new(Seeded([3, 4]));
        for day in 0..60 {
            spam(&mut mailboxes, 40, 0, day * DAY);
        }
        check(&mut mailboxes, &[]);
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
        spam(&mut mailboxes, 40, 0, 0);
        spam(&mut mailboxes, 1, 0, 7 * DAY);
        mailboxes.take_news();
        mailboxes.judged([7].into_iter(), 1, Judgement::Ham, at(8 * DAY));
        check(&mut mailboxes, &[(Millis(0), false)]);
        for day in 9..96 {
            spam(&mut mailboxes, 40, 0, day * DAY);
        }
        check(&mut mailboxes, &[]);
        spam(&mut mailboxes, 40, 0, 99 * DAY);
        spam(&mut mailboxes, 40, 0, 106 * DAY);
        check(&mut mailboxes, &[(at(136 * DAY), false)]);
    }

    #[test]
    fn what_its_owner_did_before_the_first_spam_counts_as_wanted_mail() {
        let mut mailboxes = mailboxes();
        mailboxes.used(7, at(0));
        spam(&mut mailboxes, 100, 0, DAY);
        spam(&mut mailboxes, 100, 0, 15 * DAY);
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
        mailboxes.spammed(2, 5, at(2 * DAY));
        assert_eq!(mailboxes.store().known.into_keys().collect::<Vec<_>>(), [2, 7]);
    }

    #[test]
    fn a_checkpoint_keeps_them() {
        let mut mailboxes = mailboxes();
        spam(&mut mailboxes, 100, 0, 0);
        spam(&mut mailboxes, 1, 0, 14 * DAY);
        mailboxes.used(9, at(14 * DAY));
        let bytes = model::event::cbor(&mailboxes.store());
        let mut again = Mailboxes::restore(Seeded([3, 4]), minicbor::decode(&bytes).unwrap());
        assert_eq!(again.all().collect::<Vec<_>>(), mailboxes.all().collect::<Vec<_>>());
        assert_eq!((again.all().count(), again.used.len(), again.wanted), (1, 2, WANTED));
        assert_eq!(again.news, []);
        again.used(7, at(15 * DAY));
        check(&mut again, &[(Millis(0), false)]);
    }
}
