//! 7z archives, through `sevenz-rust2`; what it would believe is checked before it is asked.
//!
//! The list of members is itself a compressed stream whose length the file claims, and the
//! library searches a file with an empty start header for a list at every octet.

use std::io::Cursor;

use sevenz_rust2::{Archive, ArchiveEntry, ArchiveReader, Block, Password};

use super::Fault;
use super::budget::{Limit, MEMBERS_MAX};
use super::look::{File, Look};

/// Octets of a list of members: a thousand with names of 255 letters in UTF-16 take half.
const LIST_LEN_MAX: u64 = 1024 * 1024;
/// The largest dictionary that is allocated: 7-Zip's strongest preset.
const DICTIONARY_MAX: u64 = 64 * 1024 * 1024;
/// Blocks of an archive that is unpacked: each costs a dictionary, whether it has members or
/// not.
const BLOCKS_MAX: usize = MEMBERS_MAX as usize;
const SIGNATURE_LEN: usize = 32;
const AES: &[u8] = &[6, 0xf1, 7, 1];
const LZMA: &[u8] = &[3, 1, 1];
const LZMA2: &[u8] = &[0x21];

/// Looks into an archive.
pub(super) fn look(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    match list_of(file.bytes) {
        Some(List::Readable) => {}
        Some(List::Encrypted) => return vec![Fault::Encrypted],
        Some(List::TooLong) => {
            look.budget.stop(Limit::Members);
            return Vec::new();
        }
        None => return Vec::new(),
    }
    let Ok(archive) = Archive::read(&mut Cursor::new(file.bytes), &Password::empty()) else {
        return Vec::new();
    };
    let encrypted = coders(&archive.blocks).any(|(id, _)| id == AES);
    let readable = !encrypted && archive.blocks.len() <= BLOCKS_MAX && archive.blocks.iter().all(is_small);
    match readable {
        true => contents(look, file, archive),
        false => names(look, file, &archive),
    }
    encrypted.then_some(Fault::Encrypted).into_iter().collect()
}

fn coders(blocks: &[Block]) -> impl Iterator<Item = (&[u8], &[u8])> {
    blocks.iter().flat_map(|block| block.coders.iter()).map(|c| (c.encoder_method_id(), c.properties()))
}

/// Whether a block's dictionaries are ones that we allocate. Writers chain at most four
/// coders, of which one or two have a dictionary.
fn is_small(block: &Block) -> bool {
    let dictionaries =
        block.coders.iter().map(|coder| dictionary(coder.encoder_method_id(), coder.properties()));
    block.coders.len() <= 4 && dictionaries.fold(0, u64::saturating_add) <= DICTIONARY_MAX
}

/// Octets of a coder's dictionary; of one that is wrong, more than there can be.
fn dictionary(id: &[u8], properties: &[u8]) -> u64 {
    match (id, properties) {
        (LZMA, [_, size @ ..]) => le(size),
        // Two bits of mantissa: 2 or 3, shifted.
        (LZMA2, [bits]) if *bits < 40 => u64::from(2 | bits & 1) << (bits / 2 + 11),
        (LZMA | LZMA2, _) => u64::MAX,
        _ => 0,
    }
}

fn names(look: &mut Look<'_>, file: &File<'_>, archive: &Archive) {
    for entry in archive.files.iter().filter(|entry| !entry.is_directory()) {
        if !look.budget.member() {
            break;
        }
        look.member_name(file, entry.name());
    }
}

fn contents(look: &mut Look<'_>, file: &File<'_>, archive: Archive) {
    if !look.budget.claim(archive.files.iter().map(ArchiveEntry::size).fold(0, u64::saturating_add)) {
        return;
    }
    let all = archive.files.clone();
    let mut reader = ArchiveReader::from_archive(archive, Cursor::new(file.bytes), Password::empty());
    reader.set_thread_count(1);
    let mut so_far = 0;
    let mut seen = 0;
    let read = reader.for_each_entries(|entry, stream| {
        if !look.budget.member() {
            return Ok(false);
        }
        seen += 1;
        if entry.is_directory() {
            return Ok(true);
        }
        let bytes = look.budget.read(stream, file.bytes.len() as u64, &mut so_far);
        if let Some(bytes) = &bytes {
            look.member(file, entry.name(), bytes);
        }
        Ok(bytes.is_some())
    });
    // A method that is not built in, or a broken stream: the names are still there.
    if read.is_err() && look.budget.is_open() {
        for entry in all.iter().skip(seen).filter(|entry| !entry.is_directory()) {
            look.member_name(file, entry.name());
        }
    }
}

/// Whether the list of members can be asked for.
enum List {
    Readable,
    Encrypted,
    TooLong,
}

/// Reads just enough of the list to know what reading it would take (7zFormat.txt).
fn list_of(bytes: &[u8]) -> Option<List> {
    let start = bytes.get(..SIGNATURE_LEN)?;
    // An empty start header makes the library search.
    if start[8..].iter().all(|byte| *byte == 0) {
        return None;
    }
    let (offset, len) = (le(&start[12..20]), le(&start[20..28]));
    if len > LIST_LEN_MAX {
        return Some(List::TooLong);
    }
    let list = bytes.get(SIGNATURE_LEN..)?.get(usize::try_from(offset).ok()?..)?;
    let list = list.get(..usize::try_from(len).ok()?)?;
    match list {
        [0x01, ..] => Some(List::Readable),
        [0x17, packed @ ..] => packed_list(packed),
        _ => None,
    }
}

/// A compressed list: one stream, one folder, one coder, as every writer makes it.
fn packed_list(info: &[u8]) -> Option<List> {
    if memchr::memmem::find(info, AES).is_some() {
        return Some(List::Encrypted);
    }
    let mut at = Reader(info);
    // PackInfo: position, one stream, its size, perhaps its checksum.
    at.expect(&[0x06])?;
    at.number()?;
    at.expect(&[1, 0x09])?;
    at.number()?;
    at.checksum()?;
    // UnpackInfo: one folder in place, one coder with at most its properties.
    at.expect(&[0, 0x07, 0x0b, 1, 0, 1])?;
    let flags = at.byte()?;
    let id = at.take(usize::from(flags & 0x0f))?;
    let properties = match flags & 0xf0 {
        0x20 => {
            let len = usize::try_from(at.number()?).ok()?;
            at.take(len)?
        }
        0 => &[],
        _ => return None,
    };
    at.expect(&[0x0c])?;
    let unpacked = at.number()?;
    let fits = dictionary(id, properties) <= DICTIONARY_MAX;
    Some(if unpacked <= LIST_LEN_MAX && fits { List::Readable } else { List::TooLong })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn expect(&mut self, bytes: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    /// An optional checksum of the one stream.
    fn checksum(&mut self) -> Option<()> {
        match self.0.first() {
            Some(0x0a) => self.take(6).map(|_| ()),
            _ => Some(()),
        }
    }

    /// The first octet's leading ones say how many octets follow.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let more = first.leading_ones() as usize;
        let low = le(self.take(more)?);
        let high = if more < 8 { u64::from(first & (0x7f >> more)) } else { 0 };
        Some(high.checked_shl(8 * u32::try_from(more).ok()?).unwrap_or(0) | low)
    }
}

fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
