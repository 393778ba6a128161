//! How much heap a reference-counted allocation takes.
//!
//! `heap_bytes` counts what the machine gives away, not what we asked for: the counts in
//! front of the value, and the allocator's own word and rounding (glibc's malloc; others
//! round no worse on average).

/// The strong and the weak count in front of a value behind an `Arc`.
const ARC_COUNTS: usize = 2 * size_of::<usize>();

/// The word that malloc keeps in front of each block.
const MALLOC_WORD: usize = size_of::<usize>();

/// Blocks are a multiple of this, and no smaller than two of it.
const MALLOC_STEP: usize = 16;

/// Bytes of heap behind an `Arc` of a value of `len` bytes.
pub(super) const fn allocation(len: usize) -> usize {
    let block = (ARC_COUNTS + len + MALLOC_WORD).next_multiple_of(MALLOC_STEP);
    if block < 2 * MALLOC_STEP { 2 * MALLOC_STEP } else { block }
}
