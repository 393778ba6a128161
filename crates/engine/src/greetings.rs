//! OFF-9 g, S78: HELO names that do not exist in DNS.
//!
//! Needs: the answers of DNS about names with which strangers greet (`Fact::Resolved`), which
//! come while the rule looks at them. One ‘no such name’ says little, because DNS may be at
//! fault; the same again 24 hours later or more is a lesson, which every host of the site
//! keeps for a week after the last such answer. An answer that the name exists takes it back
//! at once. What DNS does not answer never comes here.
//!
//! False positives come from: a zone that was broken for a day (one answer ends it), and a
//! resolver of ours that denies names which exist (others' names are then denied, too; the
//! rule ships off). Names are chosen by strangers: their number is bounded, and nothing is
//! written for one that does not come back a day later.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use model::event::Cause;
use model::observation::Resolved;
use model::{Actor, Body, Lesson, Millis, Mode, Name, Secs, Subject};

use crate::Engine;

/// From the first answer to the one that makes a lesson.
const APART: Secs = Secs::DAY;
/// For so long a lesson holds, and an answer is remembered.
const KEPT: Secs = Secs(7 * 86_400);
/// What a name weighs that does not exist: a point, in quarters.
const WEIGHT: u8 = 4;
/// Names that are remembered: some 100 bytes each.
const NAMES_MAX: usize = 16_384;
/// Room is made at most so often: an attacker must not make us look through all.
const SWEEP_EVERY: Secs = Secs::HOUR;

/// Names that did not exist.
#[derive(Clone, Debug, Decode, Default, Encode)]
pub(crate) struct Greetings {
    #[n(0)]
    names: BTreeMap<Name, Denied>,
    #[n(1)]
    swept_at: Millis,
}

#[derive(Clone, Debug, Decode, Default, Encode)]
struct Denied {
    #[n(0)]
    first: Millis,
    #[n(1)]
    last: Millis,
    /// How often.
    #[n(2)]
    times: u32,
    /// Until when the lesson holds; 0 where there is none.
    #[n(3)]
    until: Millis,
}

impl Greetings {
    /// Takes in what DNS said; what the site learns of it, if that is new.
    pub(crate) fn note(&mut self, seen: &Resolved, at: Millis) -> Option<Lesson> {
        if seen.exists {
            let known = self.names.remove(&seen.name)?;
            return (known.until > Millis(0)).then(|| lesson(&seen.name, &Denied::default()));
        }
        if !self.names.contains_key(&seen.name) && !self.has_room(at) {
            return None;
        }
        let denied = self.names.entry(seen.name.clone()).or_default();
        if at.since(denied.last) >= KEPT {
            *denied = Denied { first: at, ..Denied::default() };
        }
        denied.last = denied.last.max(at);
        denied.times = denied.times.saturating_add(1);
        // Said again when half of its time is over: an event for each answer would be noise.
        let proven = denied.last.since(denied.first) >= APART;
        if !proven || denied.until.since(at) > Secs(KEPT.0 / 2) {
            return None;
        }
        denied.until = at.plus(KEPT);
        Some(lesson(&seen.name, denied))
    }

    fn has_room(&mut self, at: Millis) -> bool {
        if self.names.len() >= NAMES_MAX && at.since(self.swept_at) >= SWEEP_EVERY {
            self.swept_at = at;
            // A name that was denied once and did not come back for two days is one of many.
            let stays = |denied: &Denied| denied.until > at || at.since(denied.last) < Secs(2 * APART.0);
            self.names.retain(|_, denied| stays(denied));
        }
        self.names.len() < NAMES_MAX
    }
}

fn lesson(name: &Name, denied: &Denied) -> Lesson {
    let holds = denied.until > Millis(0);
    Lesson {
        of: Subject::NoSuchName(name.clone()),
        quarters: if holds { WEIGHT } else { 0 },
        until: denied.until,
        bad: denied.times,
        good: u32::from(!holds),
    }
}

impl Engine {
    /// Hears what DNS said of a HELO name.
    pub(crate) fn resolved(&mut self, index: u32, seen: &Resolved, at: Millis) {
        let at = at.min(self.council.now());
        if let Some(lesson) = self.mail.greetings.note(seen, at) {
            let cause: Cause = self.council.writer.input(index);
            self.council.write(cause, Actor::Engine, Mode::Live, None, None, Body::Learnt(lesson));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn note(all: &mut Greetings, name: &str, exists: bool, hours: u64) -> Option<u8> {
        let seen = Resolved { name: Name::new(name.as_bytes()), exists };
        let lesson = all.note(&seen, START.plus(Secs(hours * 3600)))?;
        assert_eq!(lesson.of, Subject::NoSuchName(seen.name));
        Some(lesson.quarters)
    }

    /// At which of these hours something is learned of a name that is always denied.
    fn learned(hours: &[u64]) -> Vec<u64> {
        let mut all = Greetings::default();
        hours.iter().copied().filter(|hour| note(&mut all, "mx.example", false, *hour).is_some()).collect()
    }

    #[test]
    fn s78_a_name_that_is_denied_again_a_day_later_is_a_lesson() {
        assert_eq!(learned(&[0, 1, 23]), []);
        assert_eq!(learned(&[0, 24]), [24]);
        assert_eq!(learned(&[0, 100]), [100]);
        assert_eq!(learned(&[0, 168, 190]), [], "the first was forgotten after a week");
        assert_eq!(learned(&[0, 24, 48, 72, 96, 107, 108, 120]), [24, 108], "it is renewed at half its time");
    }

    #[test]
    fn s78_a_name_that_exists_takes_it_back_and_begins_anew() {
        let mut all = Greetings::default();
        for (exists, hour, expect) in [
            (false, 0, None),
            (true, 12, None),
            (false, 24, None),
            (false, 48, Some(WEIGHT)),
            (true, 49, Some(0)),
            (true, 50, None),
            (false, 51, None),
        ] {
            assert_eq!(note(&mut all, "mx.example", exists, hour), expect, "hour {hour}");
        }
    }

    #[test]
    fn adv_11_names_are_bounded_and_those_that_did_not_come_back_make_room() {
        let mut all = Greetings::default();
        (0..NAMES_MAX + 9).for_each(|n| _ = note(&mut all, &format!("n{n}.example"), false, 1));
        assert_eq!(all.names.len(), NAMES_MAX);
        assert_eq!(note(&mut all, "mx.example", false, 40), None);
        assert!(!all.names.contains_key(&Name::new(b"mx.example")), "there is no room yet");
        note(&mut all, "mx.example", false, 49);
        assert_eq!(all.names.len(), 1);
        let restored: Greetings = minicbor::decode(&minicbor::to_vec(&all).unwrap()).unwrap();
        assert_eq!(minicbor::to_vec(&restored).unwrap(), minicbor::to_vec(&all).unwrap());
    }
}
