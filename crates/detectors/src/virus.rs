//! OFF-12, viruses.
//!
//! Needs: a scanner's verdict. A signature is proof; a heuristic or a program that many do
//! not want counts a fifth. Mail to an address where people report abuse is no offence:
//! they forward samples.
//!
//! False positives come from: heuristics (hence the fifth), forwarders and list hosts, who
//! pass on what others wrote (exempt), one infected user of a large server (class, share).

use minicbor::{Decode, Encode};
use model::content::Shape;
use model::finding::Measure;
use model::window::Window;
use model::{Class, Facts, Finding, Judgement, Millis, Offence, Secs, Units};

use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// Units of one infected message (C.3); a fifth for a guess.
const UNITS: u64 = 10;
/// So many guesses are one virus.
const GUESSES: u64 = 5;
/// Infected messages in 24 hours that block a known server.
const KNOWN: u64 = 3;
/// And an established one,
const ESTABLISHED: u64 = 25;
/// if so much of its mail of these hours is infected, in percent.
const ESTABLISHED_SHARE: u64 = 30;

/// Infected messages of 24 hours; made with the first.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Counts>>);

#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Counts {
    #[n(0)]
    proven: Window,
    #[n(1)]
    guessed: Window,
}

impl Slot {
    /// Proven and guessed in the last 24 hours.
    fn day(&self, now: Millis) -> (u64, u64) {
        let sum = |window: &Window| window.sum(Secs::DAY, now);
        self.0.as_ref().map_or((0, 0), |c| (sum(&c.proven), sum(&c.guessed)))
    }

    /// What they weigh against good mail: their units.
    pub fn weight(&self, now: Millis) -> u64 {
        let (proven, guessed) = self.day(now);
        (proven * GUESSES + guessed) * UNITS / GUESSES
    }
}

/// The detector.
pub struct Virus;

impl Detector for Virus {
    fn offence(&self) -> Offence {
        Offence::Virus
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Judged { judgement, shape, .. } = &seen.act else { return None };
        let proven = *judgement == Judgement::Virus;
        let guessed = *judgement == Judgement::Heuristic;
        if !(proven || guessed) || shape.any(Shape::TO_ABUSE_DESK) {
            return None;
        }
        let messages = of.volume.messages_day(seen.at);
        let slot = &mut of.rare().virus;
        let counts = slot.0.get_or_insert_default();
        let (window, units) =
            if proven { (&mut counts.proven, UNITS) } else { (&mut counts.guessed, UNITS / GUESSES) };
        window.add(Secs::DAY, seen.at, 1);
        let facts = facts(slot.day(seen.at), messages, around.class);
        of.account.add(Offence::Virus, seen.at, Units::whole(units));
        Some(Finding { offence: Offence::Virus, key: seen.key, at: seen.at, facts: facts? })
    }
}

fn facts((proven, guessed): (u64, u64), messages: u64, class: Class) -> Option<Facts> {
    let limit = limit(class)?;
    let share = (proven * 100).checked_div(messages).unwrap_or(0);
    let enough = proven * GUESSES + guessed >= limit * GUESSES;
    let bad = class < Class::Established || share >= ESTABLISHED_SHARE;
    (enough && bad).then(|| {
        vec![
            (Measure::VirusesDay, proven),
            (Measure::HeuristicsDay, guessed),
            (Measure::LimitVirusesDay, limit),
            (Measure::InfectedSharePercent, share),
        ]
    })
}

/// Infected messages in 24 hours that block a class.
fn limit(class: Class) -> Option<u64> {
    match class {
        Class::Dynamic | Class::NoRdns | Class::Unknown => Some(1),
        Class::Known => Some(KNOWN),
        Class::Established => Some(ESTABLISHED),
        Class::ListHost | Class::Forwarder | Class::Shared | Class::Protected => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::{Traits, tests::around};
    use crate::volume::SpamVolume;

    fn judged(n: u64, judgement: Judgement, shape: Shape) -> Seen {
        let act = Act::Judged { judgement, recipients: 1, recipient: None, shape, signed: false };
        let at = Millis::from_secs(1_000_000_000 + n);
        Seen { at, key: "192.0.2.1".parse().unwrap(), traits: Traits::default(), act }
    }

    /// After `ham` good messages: at which of `n` does it fire, and how many quarters were
    /// counted?
    fn fires_at(class: Class, ham: u64, n: u64, judgement: Judgement) -> (Option<u64>, u64) {
        let (policy, mut record) = (model::Policy::shipped(), Record::default());
        let around = around(&policy, class);
        let mut observe = |seen: &Seen| {
            SpamVolume.observe(seen, &mut record, &around);
            Virus.observe(seen, &mut record, &around).is_some()
        };
        (0..ham).for_each(|h| assert!(!observe(&judged(h, Judgement::Ham, Shape::default()))));
        let fired = (1..=n).find(|n| observe(&judged(ham + n, judgement, Shape::default())));
        (fired, record.account.take_fresh().iter().map(|f| f.units.quarters()).sum())
    }

    #[test]
    fn the_first_virus_blocks_a_stranger_and_the_third_a_known_server() {
        for class in [Class::Dynamic, Class::NoRdns, Class::Unknown] {
            assert_eq!(fires_at(class, 50, 2, Judgement::Virus), (Some(1), 40), "{class:?}");
        }
        assert_eq!(fires_at(Class::Known, 50, 9, Judgement::Virus), (Some(3), 120));
    }

    #[test]
    fn an_established_server_needs_twenty_five_and_thirty_percent() {
        assert_eq!(fires_at(Class::Established, 0, 99, Judgement::Virus).0, Some(25));
        assert_eq!(fires_at(Class::Established, 70, 99, Judgement::Virus).0, Some(30));
    }

    #[test]
    fn a_guess_counts_a_fifth() {
        assert_eq!(fires_at(Class::Unknown, 0, 9, Judgement::Heuristic), (Some(5), 40));
        assert_eq!(fires_at(Class::Known, 0, 99, Judgement::Heuristic).0, Some(15));
    }

    #[test]
    fn who_passes_on_what_others_wrote_is_exempt() {
        for class in [Class::ListHost, Class::Forwarder, Class::Shared, Class::Protected] {
            assert_eq!(fires_at(class, 0, 99, Judgement::Virus).0, None, "{class:?}");
        }
    }

    #[test]
    fn a_sample_for_the_abuse_desk_is_no_offence() {
        let (policy, mut record) = (model::Policy::shipped(), Record::default());
        let seen = judged(1, Judgement::Virus, Shape::TO_ABUSE_DESK);
        assert_eq!(Virus.observe(&seen, &mut record, &around(&policy, Class::Unknown)), None);
        assert_eq!(record.account.take_fresh(), []);
    }
}
