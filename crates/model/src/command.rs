//! What a person tells the engine to do.
//!
//! A command is journalled like every other input, so that a replay does the same. Its
//! free text (the `--because`) is a side row; the command holds the commitment to it.

use minicbor::{Decode, Encode};

use crate::case::{BlockKind, CaseId};
use crate::event::Mode;
use crate::feed::{FeedAdopted, FeedName};
use crate::key::{Key, Prefix};
use crate::lesson::Subject;
use crate::time::{Millis, Secs};

/// Who decided.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Actor {
    /// A rule.
    #[n(0)]
    Engine,
    /// An operator of this site.
    #[n(1)]
    Operator,
    /// The holder of a case's link.
    #[n(2)]
    Holder,
}

/// A command with its author.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Command {
    /// Unique in this journal; the receipt names it.
    #[n(0)]
    pub id: u64,
    /// When it was given.
    #[n(1)]
    pub at: Millis,
    /// Who gave it.
    #[n(2)]
    pub actor: Actor,
    /// Commitment to the free text given with it.
    #[n(3)]
    pub note: Option<minicbor::bytes::ByteArray<32>>,
    /// What to do.
    #[n(4)]
    pub order: Order,
}

/// A block by hand, with its price asked and, where one is kept, its record.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Entry {
    /// What to block.
    #[n(0)]
    pub key: Key,
    /// In which way.
    #[n(1)]
    pub kind: BlockKind,
    /// How long; with a record until its review.
    #[n(2)]
    pub lasts: Secs,
    /// Whatever it costs.
    #[n(3)]
    pub even_so: bool,
    /// Senders of good mail inside are let through.
    #[n(4)]
    pub spares_good: bool,
    /// Its record (`curated`).
    #[n(5)]
    pub record: Option<Record>,
}

/// What is kept of a curated block. Its text is the command's note.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Record {
    /// Its number, `C-0007`; `None` is the next one that is free.
    #[n(0)]
    pub number: Option<u32>,
    /// Items of evidence in the note.
    #[n(1)]
    pub evidence: u32,
    /// It needs none: the operator decided so.
    #[n(2)]
    pub decision: bool,
}

/// What to do.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Order {
    /// Enforce from now on (`Live`), or go back to learning (`Shadow`).
    #[n(0)]
    SetMode(#[n(0)] Mode),
    /// Block a key.
    #[n(1)]
    Block(#[n(0)] Key, #[n(1)] BlockKind, #[n(2)] Secs),
    /// Lift one case; `true` when it was an error, which leaves no strike.
    #[n(2)]
    LiftCase(#[n(0)] CaseId, #[n(1)] bool),
    /// Lift everything against a key.
    #[n(3)]
    LiftKey(#[n(0)] Key, #[n(1)] bool),
    /// Give a case another end.
    #[n(4)]
    Resentence(#[n(0)] CaseId, #[n(1)] Millis),
    /// Put a prefix on the protected list, or take it off (`false`).
    #[n(5)]
    Protect(#[n(0)] Prefix, #[n(1)] bool),
    /// Lift every automatic block that began after this time.
    #[n(6)]
    Panic(#[n(0)] Millis),
    /// Credit good mail from an old log: key, day by a time in it, recipient fragments.
    #[n(7)]
    Credit(#[n(0)] Prefix, #[n(1)] Millis, #[n(2)] Vec<u32>),
    /// Block a key, if it does not cost too much.
    #[n(8)]
    Enter(#[n(0)] Box<Entry>),
    /// Take lessons back that the engine knows nothing of: it began anew, and answers still
    /// follow them.
    #[n(9)]
    Unlearn(#[n(0)] Vec<Subject>),
    /// Put a bulk list in force, in place of an earlier one of its name.
    #[n(10)]
    AdoptFeed(#[n(0)] Box<FeedAdopted>),
    /// Remove a bulk list.
    #[n(11)]
    DropFeed(#[n(0)] FeedName),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::cbor;

    #[test]
    fn the_journal_s_bytes_of_an_order_to_drop_a_list_are_pinned() {
        let order = Order::DropFeed("drop".parse().unwrap());
        assert_eq!(cbor(&order), [0x82, 11, 0x81, 0x64, b'd', b'r', b'o', b'p']);
        assert_eq!(minicbor::decode::<Order>(&cbor(&order)).unwrap(), order);
    }

    #[test]
    fn the_journal_s_bytes_of_an_order_to_unlearn_are_pinned() {
        let order = Order::Unlearn(vec![Subject::Look(13)]);
        assert_eq!(cbor(&order), [0x82, 9, 0x81, 0x81, 0x82, 0, 0x81, 13]);
        assert_eq!(minicbor::decode::<Order>(&cbor(&order)).unwrap(), order);
    }
}
