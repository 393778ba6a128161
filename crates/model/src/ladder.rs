//! How often a key was blocked on a ladder lately (REQUIREMENTS D.1, F3).
//!
//! A ladder's next step counts the blocks for the same offence and of the same mode, each
//! begun while the one before was remembered. Live and shadow climb on their own.

use minicbor::{Decode, Encode};

use crate::event::Mode;
use crate::finding::Offence;
use crate::time::{Millis, Secs};

/// The ladders that a key stands on: at most one an offence with a ladder and mode.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct Ladders(#[n(0)] Vec<Rung>);

/// How far up one ladder.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
struct Rung {
    #[n(0)]
    offence: Offence,
    #[n(1)]
    mode: Mode,
    /// Blocks so far; more than any ladder has steps is not told apart.
    #[n(2)]
    blocks: u8,
    /// When the newest began.
    #[n(3)]
    from: Millis,
    /// When the newest ends, or ended.
    #[n(4)]
    until: Millis,
}

impl Ladders {
    /// How many blocks are remembered at `now`.
    pub fn rung(&self, offence: Offence, mode: Mode, now: Millis, memory: Secs) -> usize {
        let own = self.0.iter().find(|rung| rung.is_of(offence, mode));
        own.filter(|rung| now.since(rung.until) <= memory).map_or(0, |rung| usize::from(rung.blocks))
    }

    /// Another block begins; `rung` blocks came before it.
    pub fn climb(&mut self, offence: Offence, mode: Mode, rung: usize, from: Millis, until: Millis) {
        self.0.retain(|other| !other.is_of(offence, mode));
        let blocks = u8::try_from(rung).unwrap_or(u8::MAX).saturating_add(1);
        self.0.push(Rung { offence, mode, blocks, from, until });
    }

    /// The block that began at `from` was an error: the key is a step lower.
    pub fn step_down(&mut self, mode: Mode, from: Millis) {
        for rung in self.0.iter_mut().filter(|rung| rung.mode == mode && rung.from == from) {
            (rung.blocks, rung.until) = (rung.blocks.saturating_sub(1), rung.from);
        }
        self.0.retain(|rung| rung.blocks > 0);
    }

    /// Whether nothing of it is remembered for longer than any ladder does.
    pub fn is_over(&self, now: Millis, memory: Secs) -> bool {
        self.0.iter().all(|rung| now.since(rung.until) > memory)
    }
}

impl Rung {
    fn is_of(&self, offence: Offence, mode: Mode) -> bool {
        self.offence == offence && self.mode == mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Offence = Offence::Flood;

    fn hour(n: u64) -> Millis {
        Millis::from_secs(1_000_000_000 + n * 3600)
    }

    #[test]
    fn a_block_is_remembered_for_a_day_after_its_end() {
        let mut ladders = Ladders::default();
        let rung = |ladders: &Ladders, at| ladders.rung(FLOOD, Mode::Live, hour(at), Secs::DAY);
        assert_eq!(rung(&ladders, 0), 0);
        ladders.climb(FLOOD, Mode::Live, 0, hour(0), hour(1));
        assert_eq!([rung(&ladders, 2), rung(&ladders, 25), rung(&ladders, 26)], [1, 1, 0]);
        ladders.climb(FLOOD, Mode::Live, 1, hour(20), hour(26));
        assert_eq!([rung(&ladders, 50), rung(&ladders, 51)], [2, 0]);
        assert!(!ladders.is_over(hour(50), Secs::DAY) && ladders.is_over(hour(51), Secs::DAY));
    }

    #[test]
    fn modes_and_offences_climb_on_their_own() {
        let mut ladders = Ladders::default();
        ladders.climb(FLOOD, Mode::Shadow, 4, hour(0), hour(1));
        let rung = |offence, mode| ladders.rung(offence, mode, hour(1), Secs::DAY);
        assert_eq!(rung(FLOOD, Mode::Live), 0);
        assert_eq!(rung(Offence::BruteForce, Mode::Shadow), 0);
        assert_eq!(rung(FLOOD, Mode::Shadow), 5);
    }

    #[test]
    fn sen_6_a_block_in_error_is_a_step_back() {
        let mut ladders = Ladders::default();
        ladders.climb(FLOOD, Mode::Live, 1, hour(0), hour(6));
        ladders.step_down(Mode::Live, hour(1));
        assert_eq!(ladders.rung(FLOOD, Mode::Live, hour(1), Secs::DAY), 2);
        ladders.step_down(Mode::Live, hour(0));
        assert_eq!(ladders.rung(FLOOD, Mode::Live, hour(1), Secs::DAY), 1);
        ladders.step_down(Mode::Live, hour(0));
        assert_eq!(ladders, Ladders::default());
    }
}
