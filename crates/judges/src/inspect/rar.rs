//! The file names of rar archives, from their headers: RAR 4 and RAR 5 technical notes.
//!
//! The one program that unpacks every rar has a licence that this project can not take, so
//! only what is stored without compression is looked into.

use super::Fault;
use super::look::{File, Look};

const SIGNATURE_4: &[u8] = b"Rar!\x1a\x07\0";
const SIGNATURE_5: &[u8] = b"Rar!\x1a\x07\x01\0";

/// Looks at the names in an archive.
pub(super) fn look(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    // Programs find an archive behind whatever stands before it.
    let at = memchr::memmem::find(file.bytes, &SIGNATURE_4[..6]).unwrap_or_default();
    let bytes = &file.bytes[at..];
    if let Some(rest) = bytes.strip_prefix(SIGNATURE_5) {
        return blocks(look, file, rest, block_5);
    }
    match bytes.strip_prefix(SIGNATURE_4) {
        Some(rest) => blocks(look, file, rest, block_4),
        None => Vec::new(),
    }
}

/// What one block holds.
enum Block<'a> {
    /// A file; its data where it is neither encrypted nor compressed.
    File { name: String, encrypted: bool, stored: Option<&'a [u8]> },
    /// All that follows is encrypted.
    Encrypted,
    /// The end of the archive.
    End,
    /// Nothing of interest.
    Other,
}

type Splitter = for<'a> fn(&'a [u8]) -> Option<(Block<'a>, &'a [u8])>;

fn blocks(look: &mut Look<'_>, file: &File<'_>, mut rest: &[u8], split: Splitter) -> Vec<Fault> {
    let mut faults = Vec::new();
    while let Some((block, after)) = split(rest) {
        match block {
            Block::File { name, encrypted, stored } if look.budget.member() => {
                faults.extend(encrypted.then_some(Fault::Encrypted));
                match stored {
                    Some(bytes) => look.member(file, &name, bytes),
                    None => look.member_name(file, &name),
                }
            }
            Block::Encrypted => faults.push(Fault::Encrypted),
            Block::End | Block::File { .. } => break,
            Block::Other => {}
        }
        rest = after;
    }
    faults.dedup();
    faults
}

/// RAR 4: CRC, type, flags, length, and for files the length of the data.
fn block_4(bytes: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let (kind, flags, len) = (*bytes.get(2)?, le(bytes, 3, 2)?, to_usize(le(bytes, 5, 2)?)?);
    // Files and the service blocks that look like them always have data.
    let has_data = flags & 0x8000 != 0 || matches!(kind, 0x74 | 0x7a);
    let data_len = if has_data { to_usize(le(bytes, 7, 4)?)? } else { 0 };
    // A block is at least its own fixed part long; so every step goes forward.
    let header = bytes.get(..len).filter(|_| len >= 7)?;
    let data = &bytes[len..];
    let after = data.get(data_len..).unwrap_or_default();
    let block = match kind {
        0x73 if flags & 0x80 != 0 => Block::Encrypted,
        0x74 => file_4(header, flags, data.get(..data_len))?,
        0x7b => Block::End,
        _ => Block::Other,
    };
    Some((block, after))
}

fn file_4<'a>(header: &[u8], flags: u64, data: Option<&'a [u8]>) -> Option<Block<'a>> {
    let name_len = to_usize(le(header, 26, 2)?)?;
    let at = if flags & 0x100 == 0 { 32 } else { 40 };
    let name = header.get(at..at + name_len)?;
    // Behind a NUL stands the name in an own encoding of Unicode; before it, in ASCII.
    let name = name.split(|byte| *byte == 0).next().unwrap_or(name);
    let encrypted = flags & 4 != 0;
    // Method 0x30 is ‘storing’.
    let stored = data.filter(|_| header[25] == 0x30 && !encrypted);
    Some(Block::File { name: String::from_utf8_lossy(name).into_owned(), encrypted, stored })
}

/// RAR 5: CRC, then numbers of variable length: header length, type, flags, lengths of the
/// extra area and of the data.
fn block_5(bytes: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let (len, body) = vint(bytes.get(4..)?)?;
    let len = to_usize(len)?;
    let header = body.get(..len).filter(|_| len > 0)?;
    let (kind, rest) = vint(header)?;
    let (flags, rest) = vint(rest)?;
    let (extra_len, rest) = if flags & 1 != 0 { vint(rest)? } else { (0, rest) };
    let (data_len, rest) = if flags & 2 != 0 { vint(rest)? } else { (0, rest) };
    let data = &body[len..];
    let after = to_usize(data_len).and_then(|data_len| data.get(data_len..)).unwrap_or_default();
    let block = match kind {
        2 => {
            let fields = rest.len().checked_sub(to_usize(extra_len)?)?;
            let (fields, extra) = rest.split_at(fields);
            file_5(fields, extra, to_usize(data_len).and_then(|data_len| data.get(..data_len)))?
        }
        4 => Block::Encrypted,
        5 => Block::End,
        _ => Block::Other,
    };
    Some((block, after))
}

fn file_5<'a>(fields: &[u8], extra: &[u8], data: Option<&'a [u8]>) -> Option<Block<'a>> {
    let (flags, rest) = vint(fields)?;
    let (_size, rest) = vint(rest)?;
    let (_attributes, rest) = vint(rest)?;
    let rest = rest.get(if flags & 2 != 0 { 4 } else { 0 }..)?;
    let rest = rest.get(if flags & 4 != 0 { 4 } else { 0 }..)?;
    let (compression, rest) = vint(rest)?;
    let (_host, rest) = vint(rest)?;
    let (name_len, rest) = vint(rest)?;
    let name = rest.get(..to_usize(name_len)?)?;
    let encrypted = has_record(extra, 1);
    // Bits 7 to 9 are the method; 0 is ‘no compression’.
    let stored = data.filter(|_| compression >> 7 & 7 == 0 && !encrypted);
    Some(Block::File { name: String::from_utf8_lossy(name).into_owned(), encrypted, stored })
}

/// Whether an extra area has a record of this type.
fn has_record(mut extra: &[u8], kind: u64) -> bool {
    while let Some((len, rest)) = vint(extra) {
        let Some(record) = to_usize(len).and_then(|len| rest.get(..len)) else { return false };
        if vint(record).is_some_and(|(found, _)| found == kind) {
            return true;
        }
        extra = &rest[record.len()..];
    }
    false
}

/// Seven bits an octet, the lowest first; the highest bit says that more follow.
fn vint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

fn le(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    Some(bytes.get(at..at + len)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn to_usize(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}
