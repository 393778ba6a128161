//! Compound files (MS-CFB): old Office documents, installers, and encrypted new documents.

use std::io::Cursor;
use std::path::PathBuf;

use cfb::CompoundFile;

use super::Fault;
use super::kinds::{self, Class};
use super::look::Look;
use super::{names, vba};

/// Streams and storages that are looked at; documents have some dozens.
const ENTRIES_MAX: usize = 2000;
/// Octets of one stream that are read.
const STREAM_LEN_MAX: u64 = 4 * 1024 * 1024;
/// The class of an installer's root.
const MSI: &str = "000c1084-0000-0000-c000-000000000046";

/// Looks into a compound file.
pub(super) fn look(look: &mut Look<'_>, bytes: &[u8]) -> Vec<Fault> {
    let Ok(mut file) = CompoundFile::open(Cursor::new(bytes)) else { return broken(look, bytes) };
    let mut faults = Vec::new();
    if file.root_entry().clsid().to_string() == MSI {
        faults.push(Fault::Executable);
    }
    let mut found = Streams::default();
    let paths: Vec<PathBuf> = file
        .walk()
        .take(ENTRIES_MAX)
        .filter(cfb::Entry::is_stream)
        .map(|entry| entry.path().to_owned())
        .collect();
    for path in paths {
        found.take(look, &mut file, &path);
    }
    faults.extend(found.encrypted.then_some(Fault::Encrypted));
    faults.extend(found.embedded.then_some(Fault::Embedded));
    faults.extend((found.sheets || found.vba && found.starts_itself).then(|| look.macros()));
    faults
}

/// What office programs still open though it is broken: only the marks of macros are sought.
fn broken(look: &Look<'_>, bytes: &[u8]) -> Vec<Fault> {
    let project: Vec<u8> = "_VBA_PROJECT".bytes().flat_map(|byte| [byte, 0]).collect();
    let has_project = memchr::memmem::find(bytes, &project).is_some();
    (has_project && vba::starts_itself(bytes)).then(|| look.macros()).into_iter().collect()
}

/// What the streams showed.
#[derive(Default)]
struct Streams {
    encrypted: bool,
    embedded: bool,
    vba: bool,
    starts_itself: bool,
    sheets: bool,
}

impl Streams {
    fn take(&mut self, look: &mut Look<'_>, file: &mut CompoundFile<Cursor<&[u8]>>, path: &std::path::Path) {
        let text = path.to_string_lossy().to_ascii_lowercase();
        let (storage, name) = text.rsplit_once('/').unwrap_or(("", &text));
        self.encrypted |= name == "encryptedpackage";
        self.vba |= name == "_vba_project";
        let project = storage.ends_with("vba");
        let package = name.ends_with("ole10native");
        let book = matches!(name, "workbook" | "book");
        if !project && !package && !book {
            return;
        }
        let Ok(stream) = file.open_stream(path) else { return };
        let bytes = look.budget.read_document(stream, STREAM_LEN_MAX);
        self.starts_itself |= project && vba::starts_itself(&bytes);
        self.embedded |= package && is_program(&bytes);
        self.sheets |= book && has_macro_sheet(&bytes);
    }
}

/// A packaged file (MS-OLEDS §2.3.6): length, flags, label, path; then the file.
fn is_program(package: &[u8]) -> bool {
    let Some(rest) = package.get(6..) else { return false };
    let mut texts = rest.splitn(3, |byte| *byte == 0);
    let blocked = |name: &[u8]| matches!(names::judge(&String::from_utf8_lossy(name)).kind, Some(kind) if matches!(kind.class, Class::Blocked(_)));
    let named = texts.by_ref().take(2).any(blocked);
    named || memchr::memmem::find_iter(rest, b"MZ").any(|at| is_dos_program(&rest[at..]))
}

/// The header of a program, and in its first octets what it says under DOS.
fn is_dos_program(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    kinds::by_bytes(start).is_some_and(|kind| kind.word == "exe")
        && memchr::memmem::find(start, b"This program").is_some()
}

/// A BIFF stream (MS-XLS) whose list of sheets has one of Excel 4 macros: BoundSheet8,
/// `dt` = 1 (§2.4.28).
fn has_macro_sheet(book: &[u8]) -> bool {
    let mut rest = book;
    while let [kind_low, kind_high, len_low, len_high, body @ ..] = rest {
        let (kind, len) =
            (u16::from_le_bytes([*kind_low, *kind_high]), u16::from_le_bytes([*len_low, *len_high]));
        let Some((record, after)) = body.split_at_checked(usize::from(len)) else { return false };
        match (kind, record.get(5)) {
            (0x85, Some(1)) => return true,
            // The list stands in the first substream, before its end.
            (0x0a, _) => return false,
            _ => rest = after,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packaged_program_is_found_by_name_or_bytes() {
        let package = |label: &str, content: &[u8]| {
            [&[0; 6][..], label.as_bytes(), b"\0C:\\x\\", label.as_bytes(), b"\0\0\0\x03\0", content].concat()
        };
        assert!(is_program(&package("invoice.exe", b"")));
        assert!(!is_program(&package("invoice.pdf", b"%PDF-1.4")));
        let dos =
            [b"MZ\x90\0\x03\0".as_slice(), &[0; 70], b"This program cannot be run in DOS mode."].concat();
        assert!(is_program(&package("invoice.pdf", &dos)));
        assert!(!is_program(b""));
    }

    #[test]
    fn a_sheet_of_excel_4_macros_is_found() {
        let sheet =
            |kind: u8| [0x09, 0x08, 2, 0, 0, 6, 0x85, 0, 8, 0, 1, 2, 3, 4, 0, kind, 0, 0, 0x0a, 0, 0, 0];
        assert!(has_macro_sheet(&sheet(1)));
        assert!(!has_macro_sheet(&sheet(0)));
        assert!(!has_macro_sheet(&[0x85, 0, 0xff, 0xff, 1]));
    }
}
