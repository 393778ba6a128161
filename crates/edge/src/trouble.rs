//! What goes wrong with peers, counted always and logged once a minute.
//!
//! A peer must not be able to fill the log: of each kind there is one line a minute, with
//! the number that it stands for. What the peer sent is escaped and shown at debug level
//! only, because it may hold addresses of persons.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::{Millis, Secs};

/// The kinds of trouble that one server can have.
pub(crate) trait Trouble: Copy {
    /// The server, as log lines name it.
    const SENSOR: &'static str;

    /// Its place among the kinds, below [`KINDS_MAX`].
    fn index(self) -> usize;

    /// What the log says, in the past tense.
    fn text(self) -> &'static str;

    /// It is our own doing, and somebody must act.
    fn is_ours(self) -> bool;
}

/// More kinds than any server has.
pub(crate) const KINDS_MAX: usize = 16;

/// When each kind was last logged, and how many lines were held back since.
#[derive(Debug)]
pub(crate) struct Troubles<T> {
    kinds: [Kind; KINDS_MAX],
    of: PhantomData<fn(T)>,
}

#[derive(Debug, Default)]
struct Kind {
    /// Milliseconds since 1970; 0 is never.
    logged: AtomicU64,
    held_back: AtomicU64,
}

impl<T> Default for Troubles<T> {
    fn default() -> Self {
        Troubles { kinds: Default::default(), of: PhantomData }
    }
}

impl<T: Trouble> Troubles<T> {
    /// How many troubles a line of this kind stands for, where the caller may write one now.
    pub(crate) fn due(&self, trouble: T, now: Millis) -> Option<u64> {
        self.kinds[trouble.index()].due(now)
    }

    /// Logs one trouble, unless its kind was logged within this minute.
    pub(crate) fn log(&self, trouble: T, now: Millis, detail: &dyn fmt::Display) {
        let (text, sensor) = (trouble.text(), T::SENSOR);
        tracing::debug!(%detail, "{text}");
        let Some(count) = self.kinds[trouble.index()].due(now) else { return };
        if trouble.is_ours() {
            tracing::error!(count, sensor, "{text}");
        } else {
            tracing::warn!(count, sensor, "{text}");
        }
    }
}

impl Kind {
    /// How many troubles a line stands for that may be written now.
    fn due(&self, now: Millis) -> Option<u64> {
        let logged = self.logged.load(Relaxed);
        let early = logged != 0 && now < Millis(logged).plus(Secs::MINUTE);
        let ours = !early && self.logged.compare_exchange(logged, now.0.max(1), Relaxed, Relaxed).is_ok();
        if ours {
            return Some(1 + self.held_back.swap(0, Relaxed));
        }
        self.held_back.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::logged;

    #[derive(Clone, Copy)]
    struct Malformed;

    impl Trouble for Malformed {
        const SENSOR: &'static str = "policy";

        fn index(self) -> usize {
            3
        }

        fn text(self) -> &'static str {
            "requests not understood"
        }

        fn is_ours(self) -> bool {
            false
        }
    }

    #[test]
    fn one_line_a_minute_stands_for_all_of_its_kind() {
        let kind = Kind::default();
        let at = |secs| kind.due(Millis::from_secs(secs));
        assert_eq!([at(100), at(101), at(159), at(160), at(161)], [Some(1), None, None, Some(3), None]);
        assert_eq!(at(1000), Some(2));
    }

    #[test]
    fn what_a_peer_sent_is_not_logged_by_default() {
        let bytes = b"sender=person@example.net\nperson@example.net\n\n";
        let error = wire::policy::split_request(bytes).unwrap_err();
        assert!(error.to_string().contains("person@example.net"), "{error}");
        let line = logged(|| Troubles::default().log(Malformed, Millis(5), &error));
        assert!(line.contains("WARN") && line.contains("count=1") && line.contains("policy"), "{line}");
        assert!(!line.contains("person"), "{line}");
    }

    #[test]
    fn each_kind_has_a_minute_of_its_own() {
        let troubles = Troubles::<Malformed>::default();
        assert_eq!(troubles.kinds[0].due(Millis(5)), Some(1));
        assert_eq!(troubles.kinds[1].due(Millis(5)), Some(1));
    }
}
