//! How much mail to Mailward is taken in one minute.
//!
//! Small and lossy: whole minutes of the clock, all senders together. Who reports too much
//! is for the engine to weigh (ADV-3); this keeps a flood from filling disk and desk.

use model::Millis;

/// What was taken in the minute that is not over.
#[derive(Debug)]
pub(super) struct Rate {
    per_minute: u32,
    minute: u64,
    taken: u32,
}

impl Rate {
    pub(super) fn new(per_minute: u32) -> Rate {
        Rate { per_minute, minute: 0, taken: 0 }
    }

    /// Takes one more, if this minute has room for it.
    pub(super) fn take(&mut self, now: Millis) -> bool {
        let minute = now.0 / 60_000;
        if minute != self.minute {
            (self.minute, self.taken) = (minute, 0);
        }
        let room = self.taken < self.per_minute;
        self.taken += u32::from(room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_has_room_for_so_many() {
        let mut rate = Rate::new(2);
        let mut at = |secs| rate.take(Millis::from_secs(secs));
        assert_eq!(
            [at(60), at(90), at(119), at(120), at(121), at(179)],
            [true, true, false, true, true, false]
        );
        // A clock that was put back begins another minute.
        assert!(at(60));
    }
}
