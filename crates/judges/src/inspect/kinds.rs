//! What a file is: by its first bytes, and by its name. One table.
//!
//! An own table and no library: of the types that matter here most are unknown to the
//! libraries, and the others are a few bytes each.
//!
//! ELF programs and Mach-O are known and not blocked: OFF-13 does not name them, and no
//! mail program starts them by a click, since mail carries no executable bit.

use super::Fault;

/// What a kind means to the inspection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// OFF-13 blocks it.
    Blocked(Fault),
    /// Something that holds files, opened by its own reader.
    Archive(Archive),
    /// An Office document of the old form.
    Ole,
    /// A PDF.
    Pdf,
    /// A document of another form: bait for a lure.
    Document,
    /// An archive or compressed file that no reader here opens.
    Closed,
    /// Pictures, sound, text by name: types that only lie if their bytes say otherwise.
    Harmless,
    /// Anything else.
    Other,
}

/// Archives that are opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Archive {
    Zip,
    Gzip,
    Tar,
    SevenZip,
    Rar,
    Cab,
}

/// One kind of file.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its word, such as `exe`.
    pub(super) word: &'static str,
    pub(super) class: Class,
    /// Extensions beside the word itself.
    extensions: &'static [&'static str],
    /// Where the bytes stand, and which.
    magic: &'static [(usize, &'static [u8])],
}

use Class::{Blocked, Closed, Document, Harmless, Ole, Other, Pdf};
use Fault::{DiskImage, Executable, Help, OneNote, Script, Shortcut};

type Magic = &'static [(usize, &'static [u8])];

const fn kind(word: &'static str, class: Class, extensions: &'static [&'static str], magic: Magic) -> Kind {
    Kind { word, class, extensions, magic }
}

/// ISO 9660 §8.1: volume descriptors begin in sector 16; raw CD images have larger sectors.
const ISO: Magic = &[
    (0x8001, b"CD001"),
    (0x8801, b"CD001"),
    (0x9001, b"CD001"),
    (0x8001, b"BEA01"),
    (0x8001, b"NSR02"),
    (0x9319, b"CD001"),
];
/// MS-SHLLINK §2.1: header size and class id.
const LNK: Magic = &[(0, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46")];
/// MS-ONESTORE §2.3.1: the file type guid.
const ONE: Magic = &[(0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3")];
/// MS-CFB §2.2.
const CFB: Magic = &[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")];
const REG: Magic = &[
    (0, b"Windows Registry Editor Version"),
    (0, b"REGEDIT4"),
    (0, b"\xff\xfeW\0i\0n\0d\0o\0w\0s\0 \0R\0e\0g\0i\0s\0t\0r\0y\0 \0E\0d\0i\0t\0o\0r\0"),
];
/// A script that Windows' encoder has written.
const ENCODED: Magic = &[(0, b"#@~^")];

static TABLE: [Kind; 73] = [
    // OFF-13's list.
    kind("exe", Blocked(Executable), &[], &[]),
    kind("scr", Blocked(Executable), &[], &[]),
    kind("com", Blocked(Executable), &[], &[]),
    kind("pif", Blocked(Executable), &[], &[]),
    kind("cpl", Blocked(Executable), &[], &[]),
    kind("jar", Blocked(Executable), &[], &[]),
    kind("msi", Blocked(Executable), &[], &[]),
    kind("bat", Blocked(Script), &[], &[]),
    kind("cmd", Blocked(Script), &[], &[]),
    kind("js", Blocked(Script), &[], &[]),
    kind("jse", Blocked(Script), &[], ENCODED),
    kind("vbs", Blocked(Script), &[], &[]),
    kind("vbe", Blocked(Script), &["vb"], &[]),
    kind("wsf", Blocked(Script), &["wsh", "wsc"], &[]),
    kind("hta", Blocked(Script), &[], &[]),
    kind("ps1", Blocked(Script), &[], &[]),
    kind("reg", Blocked(Script), &[], REG),
    kind("lnk", Blocked(Shortcut), &[], LNK),
    kind("iso", Blocked(DiskImage), &[], ISO),
    kind("img", Blocked(DiskImage), &[], &[]),
    kind("vhd", Blocked(DiskImage), &[], &[(0, b"conectix")]),
    kind("vhdx", Blocked(DiskImage), &[], &[(0, b"vhdxfile")]),
    kind("one", Blocked(OneNote), &["onepkg"], ONE),
    kind("chm", Blocked(Help), &[], &[(0, b"ITSF\x03\0\0\0")]),
    // Archives.
    kind("zip", Class::Archive(Archive::Zip), &["zipx"], &[(0, b"PK\x03\x04"), (0, b"PK\x05\x06")]),
    kind("gz", Class::Archive(Archive::Gzip), &["tgz", "gzip"], &[(0, b"\x1f\x8b\x08")]),
    kind("tar", Class::Archive(Archive::Tar), &[], &[(257, b"ustar")]),
    kind("7z", Class::Archive(Archive::SevenZip), &[], &[(0, b"7z\xbc\xaf\x27\x1c")]),
    kind("rar", Class::Archive(Archive::Rar), &[], &[(0, b"Rar!\x1a\x07\0"), (0, b"Rar!\x1a\x07\x01\0")]),
    kind("cab", Class::Archive(Archive::Cab), &[], &[(0, b"MSCF\0\0\0\0")]),
    kind("ace", Closed, &[], &[(7, b"**ACE**")]),
    kind("arj", Closed, &[], &[]),
    kind("lzh", Closed, &["lha"], &[(2, b"-lh5-"), (2, b"-lh6-"), (2, b"-lh7-")]),
    kind("bz2", Closed, &["tbz", "tbz2"], &[(0, b"BZh91AY&SY")]),
    kind("xz", Closed, &["txz"], &[(0, b"\xfd7zXZ\0")]),
    kind("zst", Closed, &[], &[(0, b"\x28\xb5\x2f\xfd")]),
    kind("uue", Closed, &["uu"], &[]),
    kind("dmg", Closed, &[], &[]),
    // Documents.
    kind("pdf", Pdf, &[], &[(0, b"%PDF-")]),
    kind("ole", Ole, &["doc", "dot", "xls", "xlt", "xla", "ppt", "pps", "pot", "msg", "pub"], CFB),
    kind("docx", Document, &["dotx", "docm", "dotm"], &[]),
    kind("xlsx", Document, &["xltx", "xlsm", "xltm", "xlsb", "xlam"], &[]),
    kind("pptx", Document, &["potx", "ppsx", "pptm", "potm", "ppsm", "ppam"], &[]),
    kind("odt", Document, &["ods", "odp", "ott"], &[]),
    kind("rtf", Document, &[], &[(0, b"{\\rtf")]),
    kind("html", Document, &["htm", "shtml", "xhtml", "mht", "mhtml"], &[]),
    kind("svg", Document, &[], &[]),
    kind("ps", Document, &["eps"], &[(0, b"%!PS")]),
    // What lies if its bytes say otherwise.
    kind("jpg", Harmless, &["jpeg", "jpe"], &[(0, b"\xff\xd8\xff")]),
    kind("png", Harmless, &[], &[(0, b"\x89PNG\r\n\x1a\n")]),
    kind("gif", Harmless, &[], &[(0, b"GIF87a"), (0, b"GIF89a")]),
    kind("bmp", Harmless, &["dib"], &[]),
    kind("tif", Harmless, &["tiff"], &[(0, b"II*\0"), (0, b"MM\0*")]),
    kind("webp", Harmless, &[], &[(8, b"WEBP")]),
    kind("heic", Harmless, &[], &[(4, b"ftypheic")]),
    kind("txt", Harmless, &["text", "log", "asc"], &[]),
    kind("csv", Harmless, &[], &[]),
    kind("mp3", Harmless, &[], &[(0, b"ID3")]),
    kind("wav", Harmless, &[], &[(8, b"WAVE")]),
    kind("mp4", Harmless, &["m4v", "mov"], &[(4, b"ftyp")]),
    kind("avi", Harmless, &[], &[(8, b"AVI ")]),
    kind("mpg", Harmless, &["mpeg"], &[]),
    // The rest that has a name.
    kind("elf", Other, &[], &[(0, b"\x7fELF")]),
    kind("class", Other, &[], &[(0, b"\xca\xfe\xba\xbe")]),
    kind("eml", Other, &[], &[]),
    kind("ics", Other, &[], &[]),
    kind("vcf", Other, &[], &[]),
    kind("xml", Other, &[], &[]),
    kind("p7s", Other, &["p7m", "p7b"], &[]),
    kind("sig", Other, &["pgp", "gpg"], &[]),
    kind("tnef", Other, &[], &[(0, b"\x78\x9f\x3e\x22")]),
    kind("url", Other, &[], &[]),
    kind("patch", Other, &["diff"], &[]),
];

/// The kind that an extension in lower case stands for.
pub(super) fn by_extension(extension: &str) -> Option<&'static Kind> {
    TABLE.iter().find(|kind| kind.word == extension || kind.extensions.contains(&extension))
}

/// The kind that the bytes themselves show.
pub(super) fn by_bytes(bytes: &[u8]) -> Option<&'static Kind> {
    if is_mz(bytes) {
        return by_extension("exe");
    }
    // A fixed VHD ends with its mark.
    if bytes.len() > 512 && bytes[bytes.len() - 512..].starts_with(b"conectix") {
        return by_extension("vhd");
    }
    TABLE.iter().find(|kind| kind.magic.iter().any(|(at, magic)| stands_at(bytes, *at, magic)))
}

fn stands_at(bytes: &[u8], at: usize, magic: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(magic))
}

/// A DOS or Windows program: its header has zeros where a text that begins with MZ has none.
fn is_mz(bytes: &[u8]) -> bool {
    (bytes.starts_with(b"MZ") || bytes.starts_with(b"ZM")) && bytes.iter().take(64).any(|byte| *byte == 0)
}

impl Kind {
    /// Whether somebody who opens it expects to see something.
    pub(super) fn is_document(&self) -> bool {
        matches!(self.class, Document | Pdf | Ole | Harmless)
    }

    /// Whether a lure would carry it.
    pub(super) fn is_bait(&self) -> bool {
        matches!(self.class, Document | Pdf | Ole | Closed | Class::Archive(_) | Blocked(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blocked_type_of_off_13_is_known_by_name() {
        let all =
            "exe scr com pif bat cmd js jse vbs vbe wsf hta lnk iso img vhd one msi jar ps1 chm cpl reg";
        for word in all.split(' ') {
            let kind = by_extension(word).unwrap();
            assert!(matches!(kind.class, Blocked(_)), "{word}");
        }
    }

    #[test]
    fn no_extension_stands_twice() {
        let mut all: Vec<&str> =
            TABLE.iter().flat_map(|k| k.extensions.iter().chain([&k.word])).copied().collect();
        all.sort_unstable();
        let len = all.len();
        all.dedup();
        assert_eq!(all.len(), len);
    }

    #[track_caller]
    fn check(bytes: &[u8], expect: Option<&str>) {
        assert_eq!(by_bytes(bytes).map(|kind| kind.word), expect);
    }

    #[test]
    fn first_bytes_tell_the_kind() {
        check(b"MZ\x90\0\x03\0\0\0", Some("exe"));
        check(b"MZ is no program, but two letters that a text may begin with, like any two others.", None);
        check(LNK[0].1, Some("lnk"));
        check(ONE[0].1, Some("one"));
        check(b"PK\x03\x04\x14\0", Some("zip"));
        check(b"%PDF-1.4", Some("pdf"));
        check(b"\x7fELF\x02", Some("elf"));
        check(b"#@~^AAAA", Some("jse"));
        check(b"REGEDIT4\r\n", Some("reg"));
        check(b"", None);
        check(b"hello", None);
    }

    #[test]
    fn marks_far_into_a_file_are_found() {
        let mut image = vec![0; 0x8001];
        image.extend_from_slice(b"CD001\x01");
        check(&image, Some("iso"));
        let mut disk = vec![1; 2048];
        disk[1536..1544].copy_from_slice(b"conectix");
        check(&disk, Some("vhd"));
    }
}
