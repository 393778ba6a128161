//! Zip archives (PKWARE APPNOTE 6.3.10), and the Office documents that are ones.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::Fault;
use super::budget::MEMBERS_MAX;
use super::kinds::{self, Class};
use super::look::{File, Look};
use super::{names, ole};

/// Entries of a directory that the library is given to read: it holds some hundred octets
/// for each, so an archive of 46-octet entries would take seven times its length.
const ENTRIES_MAX: usize = 4 * MEMBERS_MAX as usize;
/// Members of an Office document that are looked at; presentations have thousands, and only
/// two kinds of them matter.
const OFFICE_MEMBERS_MAX: usize = ENTRIES_MAX;
/// Octets of a document's member that tell what it is.
const START_LEN: u64 = 4096;
const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
/// The directory's end with the longest comment (§4.3.16).
const END_LEN_MAX: usize = 22 + 65_535;

/// Whether a zip directory ends this file.
pub(super) fn ends_like_one(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(END_LEN_MAX)..];
    memchr::memmem::find(tail, END).is_some() && memchr::memmem::find(bytes, CENTRAL).is_some()
}

/// Whether this is a document of OOXML (ECMA-376 part 2) or OpenDocument.
///
/// Both name their type in one of the first members.
pub(super) fn is_office(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(4096)];
    let named = |name: &[u8]| memchr::memmem::find(bytes, name).is_some();
    start.starts_with(LOCAL)
        && (memchr::memmem::find(start, b"mimetypeapplication/vnd.oasis.opendocument").is_some()
            || named(b"[Content_Types].xml") && (named(b"word/") || named(b"xl/") || named(b"ppt/")))
}

fn open(bytes: &[u8]) -> Option<ZipArchive<Cursor<&[u8]>>> {
    if memchr::memmem::find_iter(bytes, CENTRAL).take(ENTRIES_MAX + 1).count() > ENTRIES_MAX {
        return None;
    }
    ZipArchive::new(Cursor::new(bytes)).ok()
}

/// Looks into an archive.
pub(super) fn look(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    let Some(mut archive) = open(file.bytes) else { return local_names(look, file) };
    let mut faults = Vec::new();
    if archive.file_names_raw().any(|name| name.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF")) {
        faults.push(Fault::Executable);
    }
    let mut so_far = 0;
    for index in 0..archive.len() {
        if !look.budget.member() {
            break;
        }
        faults.extend(member(look, file, &mut archive, index, &mut so_far));
    }
    faults
}

fn member(
    look: &mut Look<'_>,
    file: &File<'_>,
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    so_far: &mut u64,
) -> Option<Fault> {
    let entry = archive.by_index_raw(index).ok()?;
    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
    if entry.is_dir() && entry.size() == 0 {
        return None;
    }
    let (encrypted, claimed) = (entry.encrypted(), entry.size());
    drop(entry);
    if encrypted {
        look.member_name(file, &name);
        return Some(Fault::Encrypted);
    }
    if !look.budget.claim(claimed) {
        return None;
    }
    match archive.by_index(index) {
        Ok(entry) => {
            let bytes = look.budget.read(entry, file.bytes.len() as u64, so_far)?;
            look.member(file, &name, &bytes);
        }
        // A method of compression that is not built in, or a local header that is not there.
        Err(_) => look.member_name(file, &name),
    }
    None
}

/// Names from local headers (§4.3.7), for an archive whose directory is not there: cut off,
/// broken, or too long to be read.
fn local_names(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for at in memchr::memmem::find_iter(file.bytes, LOCAL) {
        let header = &file.bytes[at..];
        let Some(len) = header.get(26..28).map(|len| usize::from(u16::from_le_bytes([len[0], len[1]])))
        else {
            break;
        };
        let Some(name) = header.get(30..30 + len) else { continue };
        if !look.budget.member() {
            break;
        }
        look.member_name(file, &String::from_utf8_lossy(name));
        // §4.4.4: bit 0.
        if header[6] & 1 == 1 {
            faults.push(Fault::Encrypted);
        }
    }
    faults.dedup();
    faults
}

/// Looks into an Office document: macros, and files that no document holds. Its own members
/// are not listed, and most are only begun: spreadsheets expand to more than archives may.
pub(super) fn office(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    let Some(mut archive) = open(file.bytes) else { return local_names(look, file) };
    let mut faults = Vec::new();
    let mut so_far = 0;
    for index in 0..archive.len().min(OFFICE_MEMBERS_MAX) {
        if !look.budget.is_open() {
            break;
        }
        faults.extend(office_member(look, file, &mut archive, index, &mut so_far));
    }
    faults
}

fn office_member(
    look: &mut Look<'_>,
    file: &File<'_>,
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    so_far: &mut u64,
) -> Vec<Fault> {
    let packed = file.bytes.len() as u64;
    let Ok(entry) = archive.by_index(index) else { return Vec::new() };
    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let lower = name.to_ascii_lowercase();
    let mut faults = Vec::new();
    if lower.ends_with("vbaproject.bin") || lower.contains("/macrosheets/") {
        faults.push(look.macros());
    }
    if names::judge(&name).fault.is_some() {
        look.member_name(file, &name);
    }
    let Some(start) = look.budget.read(entry.take(START_LEN), packed, so_far) else { return faults };
    match kinds::by_bytes(&start).map(|kind| kind.class) {
        Some(Class::Blocked(_)) => faults.push(Fault::Embedded),
        Some(class @ (Class::Ole | Class::Archive(_) | Class::Pdf)) => {
            let Ok(entry) = archive.by_index(index) else { return faults };
            let Some(bytes) = look.budget.read(entry, packed, so_far) else { return faults };
            match class {
                Class::Ole => faults.extend(ole::look(look, &bytes)),
                _ => look.member(file, &name, &bytes),
            }
        }
        _ => {}
    }
    faults
}
