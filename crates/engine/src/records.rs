//! Blocks by hand of which a record is kept: the list kind `curated` (SBL).
//!
//! A record has a number, `C-0007`, at least one item of evidence or the operator's word
//! that he decided without, and a date on which somebody looks again. Then the alarm rings;
//! if nobody does anything, the block ends 14 days later (STD-12). A record that is widened
//! from an address to its network keeps its number, and with it its history.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use model::case::{Lifted, Opened};
use model::event::Cause;
use model::finding::Measure;
use model::key::client_prefix;
use model::{Body, CaseId, Command, Entry, Facts, Key, Millis, Prefix, Record, Secs, reasons};

use crate::alarm::Alarm;
use crate::commands::{CommandError, by_hand};
use crate::council::{Books, Council};
use crate::networks::Price;
use crate::running::Running;

/// So long after the date of its review a record that nobody looked at ends.
const GRACE: Secs = Secs(14 * 86_400);
/// Records kept: each is a person's work.
const RECORDS_MAX: usize = 10_000;
/// Operators say twice that they mean networks wider than these (STD-16).
const WIDE_V4: u8 = 16;
const WIDE_V6: u8 = 32;

/// All records.
#[derive(Debug, Decode, Default, Encode)]
#[cbor(transparent)]
pub(crate) struct Records(#[n(0)] BTreeMap<u32, Kept>);

/// One record.
#[derive(Clone, Debug, Decode, Encode)]
struct Kept {
    #[n(0)]
    key: Prefix,
    /// The case in force.
    #[n(1)]
    case: CaseId,
    /// When somebody looks again.
    #[n(2)]
    review: Millis,
    /// The alarm rang.
    #[n(3)]
    reminded: bool,
    /// How many entries there were before.
    #[n(4)]
    earlier: u64,
}

impl Records {
    /// The numbers of records that wait for their review.
    pub(crate) fn due(&self, now: Millis) -> impl Iterator<Item = (u32, CaseId)> {
        self.0.iter().filter(move |(_, kept)| kept.review <= now).map(|(number, kept)| (*number, kept.case))
    }

    fn next(&self) -> u32 {
        self.0.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))
    }
}

impl Council {
    /// Blocks a key by hand, if it does not cost too much.
    pub(crate) fn enter(
        &mut self,
        command: &Command,
        entry: &Entry,
        books: &mut Books<'_>,
    ) -> Result<Vec<CaseId>, CommandError> {
        let network = match &entry.key {
            Key::Net(network) => *network,
            Key::Domain(domain) => return self.enter_domain(command, domain, entry, books.policy),
            Key::DomainAt(..) => return Err(CommandError::NotANet(entry.key.clone())),
        };
        let price = self.price(network, books);
        self.price = Some(price);
        let held = books.policy.networks.good_mail_max;
        if !entry.even_so && !entry.spares_good {
            worth_it(network, price, held)?;
        }
        let cases = match entry.record {
            None => self.block(command, &entry.key, entry.kind, entry.lasts, books)?,
            Some(record) => vec![self.curate(command, entry, network, record, books)?],
        };
        if entry.spares_good
            && let [case] = cases[..]
        {
            self.spare_good(network, case, books);
        }
        Ok(cases)
    }

    fn curate(
        &mut self,
        command: &Command,
        entry: &Entry,
        network: Prefix,
        record: Record,
        books: &mut Books<'_>,
    ) -> Result<CaseId, CommandError> {
        if record.evidence == 0 && !record.decision {
            return Err(CommandError::NoEvidence);
        }
        self.clear(network, books)?;
        let number = record.number.unwrap_or_else(|| self.records.next());
        let before = self.records.0.get(&number).cloned();
        if let Some(before) = before.as_ref().filter(|before| !network.covers(before.key)) {
            return Err(CommandError::OtherRecord(number, before.key));
        }
        if before.is_none() && self.records.0.len() >= RECORDS_MAX {
            return Err(CommandError::TooManyRecords);
        }
        let earlier = before.as_ref().map_or(0, |before| before.earlier + 1);
        let opened = self.of_record(entry, number, record.evidence, earlier);
        let review = opened.until.minus(GRACE);
        let case = self.open_by_hand(command, network, opened, books);
        if let Some(before) = before {
            // The new entry takes its place: the old one shows its number, too.
            self.close(command, before.case, Lifted { at: self.now(), error: false }, books);
        }
        self.records.0.insert(number, Kept { key: network, case, review, reminded: false, earlier });
        Ok(case)
    }

    fn of_record(&self, entry: &Entry, number: u32, evidence: u32, earlier: u64) -> Opened {
        let facts: Facts = vec![
            (Measure::RecordNumber, number.into()),
            (Measure::RecordEvidence, evidence.into()),
            (Measure::RecordEarlier, earlier),
        ];
        let lasts = Secs(entry.lasts.0.saturating_add(GRACE.0));
        Opened { reason: reasons::CURATED, facts, ..by_hand(entry.kind, self.now(), lasts) }
    }

    /// Opens a case by hand, whatever else runs against the key.
    pub(crate) fn open_by_hand(
        &mut self,
        command: &Command,
        key: Prefix,
        opened: Opened,
        books: &mut Books<'_>,
    ) -> CaseId {
        let (case, mode) = (CaseId(self.writer.next_id()), self.mode);
        let running = Running::begin(case, mode, command.actor, &opened, false);
        let (cause, body) = (Cause::Command(command.id), Body::CaseOpened(opened));
        self.write(cause, command.actor, mode, Some(case), Some(Key::Net(key)), body);
        let entry = books.entry_by_hand(key, self.now());
        self.run(key, entry, running);
        case
    }

    /// Rings for records whose review is due, and forgets those whose case is over.
    pub(crate) fn review_records(&mut self) {
        let (now, cases) = (self.now(), &self.cases);
        self.records.0.retain(|_, kept| cases.contains_key(&kept.case) || kept.review > now);
        let due = self.records.0.values_mut().filter(|kept| kept.review <= now && !kept.reminded);
        let rings = due.map(|kept| kept.reminded = true).count() > 0;
        if rings {
            self.alarm(Alarm::ReviewDue);
        }
    }
}

/// Holds the price of a network against the budget; one server is always one's own to judge.
fn worth_it(network: Prefix, price: Price, budget: u32) -> Result<(), CommandError> {
    if network.is_host() || network == client_prefix(network.addr()) {
        return Ok(());
    }
    let widest = if matches!(network, Prefix::V4(..)) { WIDE_V4 } else { WIDE_V6 };
    if network.bits() < widest || price.messages > u64::from(budget) {
        return Err(CommandError::OverBudget(network, price));
    }
    Ok(())
}
