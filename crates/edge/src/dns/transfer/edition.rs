//! A zone's state under one number, and how it came from earlier ones.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use projections::records::{Change, Entries, Zone};

/// One published state of a zone.
#[derive(Clone, Debug)]
pub struct Edition {
    /// Which zone.
    pub zone: Zone,
    /// Its number (RFC 1982).
    pub serial: u32,
    /// What is listed.
    pub entries: Entries,
    /// How it came to be so.
    pub past: Arc<Past>,
}

/// What changed between two numbers that follow each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// The number before.
    pub from: u32,
    /// The number behind.
    pub to: u32,
    /// The names that changed.
    pub changes: Vec<Change>,
}

/// The latest steps of a zone, oldest first, each from where the one before ended.
#[derive(Debug, Default)]
pub struct Past(Mutex<VecDeque<Arc<Step>>>);

impl Past {
    /// Adds the newest step.
    pub fn add(&self, step: Arc<Step>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(step);
    }

    /// Lets the oldest step go, and says what it was.
    pub fn forget_oldest(&self) -> Option<Arc<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// All steps, oldest first.
    pub fn all(&self) -> Vec<Arc<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The steps from one number to another; `None` where they are not all there.
    pub fn between(&self, from: u32, to: u32) -> Option<Vec<Arc<Step>>> {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Newest first: whoever asks is seldom far behind.
        let first = steps.iter().rposition(|step| step.from == from)?;
        let last = steps.iter().rposition(|step| step.to == to).filter(|last| *last >= first)?;
        // A copy that went over a gap would keep what was listed in it.
        let behind = steps.range(first..=last).skip(1);
        let joins = steps.range(first..=last).zip(behind).all(|(step, next)| step.to == next.from);
        joins.then(|| steps.range(first..=last).cloned().collect())
    }
}

/// Whether number `a` is later than `b` (RFC 1982 §3.2).
pub fn is_later(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_1982_numbers_go_round() {
        assert!(is_later(1, 0) && is_later(0, u32::MAX) && is_later(1 << 31, 1));
        assert!(!is_later(0, 0) && !is_later(0, 1) && !is_later(u32::MAX, 0) && !is_later((1 << 31) + 1, 1));
    }

    #[test]
    fn steps_are_found_only_where_all_are_there() {
        let past = Past::default();
        let step = |from: u32| Arc::new(Step { from, to: from.wrapping_add(1), changes: Vec::new() });
        [u32::MAX - 1, u32::MAX, 0, 1].into_iter().for_each(|from| past.add(step(from)));
        let len = |from, to| past.between(from, to).map(|steps| steps.len());
        assert_eq!([len(u32::MAX, 2), len(1, 2), len(u32::MAX, 0)], [Some(3), Some(1), Some(1)]);
        assert_eq!([len(u32::MAX - 2, 2), len(2, 2), len(1, 3), len(1, 0)], [None; 4]);
        assert_eq!(past.forget_oldest().map(|step| step.from), Some(u32::MAX - 1));
        assert_eq!(len(u32::MAX - 1, 2), None);
        past.add(step(3));
        assert_eq!([len(1, 4), len(3, 4), len(1, 2)], [None, Some(1), Some(1)], "2 to 3 is not there");
    }
}
