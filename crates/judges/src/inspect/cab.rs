//! The file names of cabinets (MS-CAB), from their headers.
//!
//! Contents are not read: cabinets are rare in mail, and the library that unpacks them panics
//! on a file that claims to lie behind its folder's end.

use super::Fault;
use super::look::{File, Look};

/// Where the header says the files begin (§2.1 `coffFiles`), and how many there are.
const FIRST_AT: usize = 16;
const COUNT_AT: usize = 28;
/// The fixed part of a CFFILE (§2.4).
const ENTRY_LEN: usize = 16;

/// Looks at the names in a cabinet.
pub(super) fn look(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    let (Some(first), Some(count)) = (le(file.bytes, FIRST_AT, 4), le(file.bytes, COUNT_AT, 2)) else {
        return Vec::new();
    };
    let mut rest = file.bytes.get(first..).unwrap_or_default();
    for _ in 0..count {
        let Some(name) = rest.get(ENTRY_LEN..) else { break };
        let Some(end) = memchr::memchr(0, &name[..name.len().min(257)]) else { break };
        if !look.budget.member() {
            break;
        }
        look.member_name(file, &String::from_utf8_lossy(&name[..end]));
        rest = &name[end + 1..];
    }
    Vec::new()
}

/// A little-endian number of `len` octets, at most four.
fn le(bytes: &[u8], at: usize, len: usize) -> Option<usize> {
    Some(bytes.get(at..at + len)?.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}
