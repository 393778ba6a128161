//! Whether an event follows the one before. Pure.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{EVENT_LEN_MAX, EventId, Head, LedgerError, NODE_LEN_MAX, Sealed};
use crate::files::quote;

/// How an event fails to follow the one before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Misfit {
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub got: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, but got {}", self.expected, self.got)
    }
}

impl Misfit {
    pub(super) fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }

    pub(super) fn of(self, event: EventId) -> LedgerError {
        let Self { expected, got } = self;
        LedgerError::OutOfChain { event, expected, got }
    }
}

/// Whether `event` is the one behind `head`, and what it says of itself is true.
pub(super) fn follow(head: &Head, event: &Sealed) -> Result<Head, Misfit> {
    let seq = head.seq.saturating_add(1);
    if event.seq != seq {
        return Err(Misfit::new(format!("seq {seq}"), event.seq.to_string()));
    }
    if event.prev != head.hash {
        return Err(Misfit::new(format!("prev {}", hex(&head.hash)), hex(&event.prev)));
    }
    check_hash(event)?;
    Ok(Head { seq, hash: event.hash })
}

/// Whether the hash of `event` is that of its bytes.
pub(super) fn check_hash(event: &Sealed) -> Result<(), Misfit> {
    let hash = hash_of(&event.bytes);
    if hash != event.hash {
        return Err(Misfit::new(format!("hash {}", hex(&hash)), hex(&event.hash)));
    }
    Ok(())
}

/// Whether `event` has bounds that we store.
pub(super) fn check_bounds(event: &Sealed) -> Result<(), LedgerError> {
    check_node(&event.node)?;
    let got = event.bytes.len();
    if got > EVENT_LEN_MAX {
        return Err(LedgerError::TooLong { event: event.id(), got });
    }
    Ok(())
}

pub(super) fn check_node(node: &str) -> Result<(), LedgerError> {
    let fits = (1..=NODE_LEN_MAX).contains(&node.len());
    if !fits || !node.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(LedgerError::BadNode { got: quote(node.as_bytes()) });
    }
    Ok(())
}

pub(super) fn hash_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
