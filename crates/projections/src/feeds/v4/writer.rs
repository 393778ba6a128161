//! Makes the IPv4 part of a bulk list.

use model::Codes;

use super::{UNIFORM, WORDS};
use crate::feeds::overlap::Claim;
use crate::feeds::value::{self, Packed, VALUE};

/// Writes blocks from ranges that ascend.
#[derive(Default)]
pub(in crate::feeds) struct Writer {
    nets: Vec<u16>,
    rows: Vec<u8>,
    blocks: Vec<u8>,
    open: Open,
}

/// The block that is being written.
#[derive(Default)]
struct Open {
    points: Vec<u8>,
    firsts: Vec<u8>,
    lasts: Vec<u8>,
    point_values: Vec<u8>,
    range_values: Vec<u8>,
    codes: Codes,
}

impl Writer {
    /// Takes the next range.
    pub(in crate::feeds) fn push(&mut self, claim: Claim<u32>) {
        for net in claim.first >> 16..=claim.last >> 16 {
            let first = if net == claim.first >> 16 { claim.first as u16 } else { 0 };
            let last = if net == claim.last >> 16 { claim.last as u16 } else { u16::MAX };
            if self.nets.last() != Some(&(net as u16)) {
                self.close();
                self.nets.push(net as u16);
            }
            self.open.push(first, last, claim.value);
        }
    }

    /// Ends the open block, if there is one.
    fn close(&mut self) {
        if self.nets.is_empty() {
            return;
        }
        let open = std::mem::take(&mut self.open);
        let values = [open.point_values, open.range_values].concat();
        let uniform = values.chunks_exact(VALUE).all(|value| value == &values[..VALUE]);
        self.row((open.firsts.len() / 2) as u16, open.codes.bits() | if uniform { UNIFORM } else { 0 });
        for part in [open.points, open.firsts, open.lasts] {
            self.blocks.extend(part);
        }
        self.blocks.extend(&values[..if uniform { VALUE } else { values.len() }]);
    }

    fn row(&mut self, ranges: u16, codes: u32) {
        // `ENTRIES_MAX` keeps the blocks far below 4 GiB.
        self.rows.extend((self.blocks.len() as u32).to_le_bytes());
        self.rows.extend(ranges.to_le_bytes());
        self.rows.extend(codes.to_le_bytes());
    }

    /// Appends the whole part; returns how many blocks there are.
    pub(in crate::feeds) fn finish(mut self, bytes: &mut Vec<u8>) -> usize {
        self.close();
        self.row(0, 0);
        let mut words = [0_u64; WORDS];
        self.nets.iter().for_each(|net| words[usize::from(net >> 6)] |= 1 << (net & 63));
        let mut before = 0_u32;
        for word in words {
            bytes.extend(word.to_le_bytes());
            bytes.extend(before.to_le_bytes());
            before += word.count_ones();
        }
        bytes.extend(self.rows);
        bytes.extend(self.blocks);
        self.nets.len()
    }
}

impl Open {
    fn push(&mut self, first: u16, last: u16, packed: Packed) {
        let value = value::to_bytes(packed);
        self.codes = self.codes.or(Codes::of(value[2]));
        if first == last {
            self.points.extend(first.to_le_bytes());
            self.point_values.extend(value);
        } else {
            self.firsts.extend(first.to_le_bytes());
            self.lasts.extend(last.to_le_bytes());
            self.range_values.extend(value);
        }
    }
}
