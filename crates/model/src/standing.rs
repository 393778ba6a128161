//! What is remembered of a key: good mail, strikes, probation.
//!
//! Standing survives restarts and changes of format: its stored form carries a version
//! and old forms are read for ever. Counting windows are not part of it.

use minicbor::{Decode, Encode};

use crate::event::Mode;
use crate::few::Few;
use crate::finding::Offence;
use crate::ladder::Ladders;
use crate::time::{Millis, Secs};

/// The most good messages credited to a key in one day (C.0): a warm-up buys nothing more.
pub const CREDIT_PER_DAY_MAX: u8 = 50;
/// The most credited for one local recipient in one day: no warming by mailing oneself.
pub const CREDIT_PER_RECIPIENT_MAX: u8 = 5;
/// Days over which good mail counts.
pub const CREDIT_DAYS: u32 = 30;
/// For so long an earlier sentence doubles the next (D.1).
pub const STRIKE_MEMORY: Secs = Secs(90 * 86_400);
/// No ladder remembers longer (`model::lasts`).
const LADDER_MEMORY: Secs = Secs(7 * 86_400);
/// More strikes than this are not kept; four at most count.
const STRIKES_MAX: usize = 8;
/// Distinct local recipients that are told apart; five are asked for (C.1).
const RECIPIENTS_MAX: usize = 5;
/// Recipients told apart within one day; ten times five reach the day's cap.
const TODAY_MAX: usize = 10;
/// The stored format.
const FORMAT: u8 = 1;

/// What is remembered of one key.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Standing {
    /// The first time it was seen.
    #[n(0)]
    pub first_seen: Millis,
    /// Newest day of `days`.
    #[n(1)]
    day: u32,
    /// Good messages a day; day `d` stands at `d % 30`.
    #[n(2)]
    days: Days,
    /// Hashes of today's recipients with what each gave.
    #[n(3)]
    today: Few<(u32, u8)>,
    /// Hashes of local recipients of good mail.
    #[n(4)]
    recipients: Few<u32>,
    /// Beginnings of earlier sentences, oldest first.
    #[n(5)]
    strikes: Few<Millis>,
    /// Until when triggers are four times as sharp.
    #[n(6)]
    pub probation_until: Millis,
    /// Good mail of it carries List-Id and a DKIM or SPF pass.
    #[n(7)]
    pub list_host: bool,
    /// Ladders that it stands on; most keys never do.
    #[n(8)]
    ladders: Option<Box<Ladders>>,
}

/// Counts of 30 days.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Days([u8; CREDIT_DAYS as usize]);

impl Default for Days {
    fn default() -> Self {
        Days([0; CREDIT_DAYS as usize])
    }
}

impl Standing {
    /// Credits one good message to `recipient` (a fragment of its hash); a reply counts
    /// five (`weight`). Caps of C.0 apply. Messages from before the kept days are dropped.
    pub fn credit(&mut self, at: Millis, recipient: u32, weight: u8) {
        let day = at.day();
        if day > self.day {
            self.roll(day);
        }
        if self.day - day >= CREDIT_DAYS {
            return;
        }
        let allowed = if day == self.day { self.allowed_today(recipient, weight) } else { weight };
        let slot = &mut self.days.0[(day % CREDIT_DAYS) as usize];
        *slot = slot.saturating_add(allowed).min(CREDIT_PER_DAY_MAX);
        if allowed > 0 && self.recipients.len() < RECIPIENTS_MAX && !self.recipients.contains(&recipient) {
            self.recipients.push(recipient);
        }
    }

    fn roll(&mut self, day: u32) {
        for step in 0..(day - self.day).min(CREDIT_DAYS) {
            self.days.0[((day - step) % CREDIT_DAYS) as usize] = 0;
        }
        self.day = day;
        self.today.clear();
    }

    fn allowed_today(&mut self, recipient: u32, weight: u8) -> u8 {
        let position = self.today.iter().position(|(r, _)| *r == recipient);
        let Some(at) = position else {
            if self.today.len() >= TODAY_MAX {
                return 0;
            }
            self.today.push((recipient, weight.min(CREDIT_PER_RECIPIENT_MAX)));
            return weight.min(CREDIT_PER_RECIPIENT_MAX);
        };
        let used = &mut self.today[at].1;
        let allowed = weight.min(CREDIT_PER_RECIPIENT_MAX - *used);
        *used += allowed;
        allowed
    }

    /// Whether `recipient` has had all good mail of this key that counts on the day of `at`.
    pub fn is_spent(&self, at: Millis, recipient: u32) -> bool {
        let spent = |(who, used): &(u32, u8)| *who == recipient && *used >= CREDIT_PER_RECIPIENT_MAX;
        at.day() == self.day && self.today.iter().any(spent)
    }

    /// Good messages of the last 30 days and the number of days that had some.
    pub fn good(&self, now: Millis) -> (u32, u32) {
        self.good_in(CREDIT_DAYS, now)
    }

    /// Good messages of the last `days`, which are at most 30, and the number of days that
    /// had some.
    pub fn good_in(&self, days: u32, now: Millis) -> (u32, u32) {
        let oldest = now.day().saturating_sub(days.clamp(1, CREDIT_DAYS) - 1);
        if self.day < oldest {
            return (0, 0);
        }
        // Asked several times of each observation: all days count while the newest is today.
        if self.day >= CREDIT_DAYS && self.day - oldest >= CREDIT_DAYS - 1 {
            let days = &self.days.0;
            let sum = days.iter().map(|good| u32::from(*good)).sum();
            return (sum, days.iter().map(|good| u32::from(*good > 0)).sum());
        }
        let counts = (0..CREDIT_DAYS)
            .map(|back| self.day.saturating_sub(back))
            .filter(|day| *day >= oldest)
            .map(|day| u32::from(self.days.0[(day % CREDIT_DAYS) as usize]));
        counts.fold((0, 0), |(sum, days), n| (sum + n, days + u32::from(n > 0)))
    }

    /// How many of our recipients got good mail from it, at most 5 are told apart.
    pub fn distinct_recipients(&self) -> usize {
        self.recipients.len()
    }

    /// Fragments of the hashes of recipients of good mail, at most five.
    pub fn recipients(&self) -> &[u32] {
        &self.recipients
    }

    /// Remembers a sentence that began at `at`.
    pub fn strike(&mut self, at: Millis) {
        let place = self.strikes.partition_point(|s| *s <= at);
        self.strikes.insert(place, at);
        if self.strikes.len() > STRIKES_MAX {
            self.strikes.remove(0);
        }
    }

    /// Forgets the sentence that began at `at`: it was an error (SEN-6).
    pub fn pardon(&mut self, at: Millis) {
        self.strikes.retain(|s| *s != at);
    }

    /// r: how many sentences began in the 90 days before `now`.
    pub fn repeats(&self, now: Millis) -> u32 {
        let oldest = now.minus(STRIKE_MEMORY);
        u32::try_from(self.strikes.iter().filter(|s| **s >= oldest).count()).unwrap_or(u32::MAX)
    }

    /// How many blocks for an offence with a ladder are remembered.
    pub fn rung(&self, offence: Offence, mode: Mode, now: Millis, memory: Secs) -> usize {
        self.ladders.as_ref().map_or(0, |ladders| ladders.rung(offence, mode, now, memory))
    }

    /// Another block on a ladder begins; `rung` blocks came before it.
    pub fn climb(&mut self, offence: Offence, mode: Mode, rung: usize, from: Millis, until: Millis) {
        self.ladders.get_or_insert_default().climb(offence, mode, rung, from, until);
    }

    /// The block of this mode that began at `from` was an error: a step down, if it was one
    /// of a ladder.
    pub fn step_down(&mut self, mode: Mode, from: Millis) {
        if let Some(ladders) = &mut self.ladders {
            ladders.step_down(mode, from);
        }
        self.ladders = self.ladders.take().filter(|ladders| **ladders != Ladders::default());
    }

    /// Whether nothing in it would change an answer: such a standing need not be kept.
    pub fn is_plain(&self, now: Millis) -> bool {
        let ladders_are_over = self.ladders.as_ref().is_none_or(|l| l.is_over(now, LADDER_MEMORY));
        self.good(now).0 == 0
            && self.repeats(now) == 0
            && self.probation_until <= now
            && !self.list_host
            && ladders_are_over
    }

    /// The stored form: a format byte, then CBOR.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        minicbor::encode(self, &mut bytes).unwrap_or_else(
            |never: minicbor::encode::Error<std::convert::Infallible>| {
                unreachable!("a Vec takes every byte: {never}")
            },
        );
        bytes
    }

    /// Reads a stored form of this or an earlier format; `None` for a later or broken one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Standing> {
        match bytes.split_first()? {
            (&FORMAT, body) => minicbor::decode(body).ok(),
            _ => None,
        }
    }
}

impl<C> Encode<C> for Days {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Days {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.bytes()?.try_into().map(Days).map_err(|_| minicbor::decode::Error::message("expected 30 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: u64) -> Millis {
        Millis::from_secs(n * 86_400 + 100)
    }

    #[test]
    fn credit_is_capped_by_recipient_and_by_day() {
        let mut standing = Standing::default();
        for _ in 0..20 {
            standing.credit(day(100), 7, 1);
        }
        assert_eq!(standing.good(day(100)), (5, 1));
        for recipient in 0..100 {
            standing.credit(day(100), recipient, 5);
        }
        assert_eq!(standing.good(day(100)).0, u32::from(CREDIT_PER_DAY_MAX));
    }

    #[test]
    fn credit_lasts_thirty_days() {
        let mut standing = Standing::default();
        standing.credit(day(100), 1, 1);
        standing.credit(day(110), 2, 1);
        assert_eq!(standing.good(day(129)), (2, 2));
        assert_eq!(standing.good(day(130)), (1, 1));
        standing.credit(day(105), 3, 1);
        assert_eq!(standing.good(day(110)), (3, 3));
        standing.credit(day(70), 3, 1);
        assert_eq!(standing.good(day(110)), (3, 3));
    }

    #[test]
    fn the_good_mail_of_a_week_is_part_of_that_of_thirty_days() {
        let mut standing = Standing::default();
        standing.credit(day(100), 1, 1);
        standing.credit(day(106), 2, 1);
        standing.credit(day(107), 3, 1);
        let week = |on| standing.good_in(7, day(on)).0;
        assert_eq!([week(107), week(112), week(113), week(114)], [2, 2, 1, 0]);
    }

    #[test]
    fn strikes_double_for_ninety_days_and_a_pardon_takes_one_back() {
        let mut standing = Standing::default();
        standing.strike(day(100));
        standing.strike(day(150));
        assert_eq!(standing.repeats(day(160)), 2);
        assert_eq!(standing.repeats(day(191)), 1);
        standing.pardon(day(150));
        assert_eq!(standing.repeats(day(160)), 1);
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let mut standing = Standing { first_seen: day(100), ..Standing::default() };
        standing.credit(day(100), 7, 1);
        standing.strike(day(101));
        let hex: String = standing.to_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "01881b0000000202fd76a01864581e000000000000000000000100000000000000000000000000000000000000818207018107811b000000020823d2a000f4"
        );
        assert_eq!(Standing::from_bytes(&standing.to_bytes()), Some(standing.clone()));
        standing.climb(Offence::Flood, Mode::Live, 1, day(101), day(102));
        assert_eq!(Standing::from_bytes(&standing.to_bytes()), Some(standing));
        assert_eq!(Standing::from_bytes(&[99, 0]), None);
    }
}
