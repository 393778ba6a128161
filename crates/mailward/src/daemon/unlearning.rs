//! Lessons that outlived what they rest on.
//!
//! The ledger keeps lessons; what they were learned from stands in the engine's windows, which
//! a later version drops, and which a new life never had. Good mail can not take back what the
//! engine does not know, so at such a start the lessons that hold are taken back by orders:
//! they are journalled, and a replay does the same. Rules that rest or run on trial, and /48
//! that rotate, rest on no windows.

use model::{Actor, Command, Input, Lesson, Millis, Order, Subject};
use projections::Lessons;

/// Lessons in one order: some tens of kilobytes of the journal.
const SUBJECTS_MAX: usize = 1000;

/// The orders that take back every lesson that holds at `now`.
pub(super) fn orders(lessons: &Lessons, now: Millis) -> Vec<Input> {
    let of: Vec<Subject> = lessons.holding(now).into_iter().filter(rests_on_windows).map(|l| l.of).collect();
    let parts = (1u64..).zip(of.chunks(SUBJECTS_MAX));
    // The order of the mode has the number before.
    parts.map(|(n, of)| order(now.0 + n, now, of)).collect()
}

fn order(id: u64, at: Millis, of: &[Subject]) -> Input {
    let order = Order::Unlearn(of.to_vec());
    Input::Command(Command { id, at, actor: Actor::Engine, note: None, order })
}

fn rests_on_windows(lesson: &Lesson) -> bool {
    !matches!(lesson.of, Subject::Suspended(_) | Subject::Trial(_) | Subject::Rotating(_))
}

#[cfg(test)]
mod tests {
    use model::event::{Cause, FORMAT};
    use model::{Body, Envelope, EventId, Hybrid, Mode, Name, Node, Offence, Secs, Site};
    use projections::Projector;

    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn learnt(seq: u64, of: Subject) -> Envelope {
        let until = START.plus(Secs::HOUR.times(1 + seq % 2));
        Envelope {
            format: FORMAT,
            site: 1,
            id: EventId { node: Node(1), life: 1, seq },
            prev: [0; 32],
            at: Hybrid { wall: START, ..Hybrid::default() },
            cause: Cause::Input(1, 0),
            actor: Actor::Engine,
            rule: None,
            mode: Mode::Live,
            case: None,
            key: None,
            scope: None,
            link_epoch: 1,
            evidence: Vec::new(),
            must_understand: false,
            body: Body::Learnt(Lesson { of, quarters: 12, until, bad: 3, good: 0 }),
        }
    }

    /// How many subjects stand in each order, after so many names were learned, half of them for
    /// one hour and half for two.
    fn sizes(names: u64, now: Millis) -> Vec<usize> {
        let mut projector = Projector::new(Site::default().into(), Vec::new(), false, [1, 2]);
        projector.apply(1, &learnt(1, Subject::Suspended(Offence::Helo)));
        for n in 0..names {
            let of = Subject::Names(Name::new(format!("isp{n}.example").as_bytes()));
            projector.apply(n, &learnt(n, of));
        }
        let sizes = orders(&projector.current().lessons, now).into_iter().map(|input| match input {
            Input::Command(Command { order: Order::Unlearn(of), .. }) => of.len(),
            other => panic!("no order to unlearn: {other:?}"),
        });
        sizes.collect()
    }

    #[test]
    fn lessons_that_hold_are_taken_back_and_rules_go_on_resting() {
        assert_eq!(sizes(0, START), [] as [usize; 0]);
        assert_eq!(sizes(10, START), [10]);
        assert_eq!(sizes(10, START.plus(Secs::HOUR)), [5], "what ran out needs no order");
        assert_eq!(sizes(2300, START), [1000, 1000, 300]);
    }
}
