//! What a file name says to the system that opens it, whatever it shows to a person.
//!
//! Windows ignores trailing dots and blanks, takes what stands behind a colon for a stream,
//! and does not care about case; mail programs cut at a NUL, at slashes and at quotes; and
//! the controls of bidirectional text show a name in another order.

use super::Fault;
use super::kinds::{self, Class, Kind};

/// The most octets that are kept of a file name; file systems take 255.
pub(super) const NAME_LEN_MAX: usize = 255;
/// Blanks before the extension that no person types.
const PADDING_MIN: usize = 4;

/// What a name turned out to be.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// The kind that its extension stands for.
    pub(super) kind: Option<&'static Kind>,
    /// The worst that is wrong with it.
    pub(super) fault: Option<Fault>,
}

/// Judges a file name; of a path only the last component.
pub(super) fn judge(name: &str) -> Judged {
    // A name with a NUL is one thing to some programs and another to others.
    name.split('\0').map(judge_one).max_by_key(|one| one.fault.map(Fault::score)).unwrap_or_default()
}

fn judge_one(name: &str) -> Judged {
    let base = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or(name);
    let visible: String = base.chars().filter(|c| !is_hidden(*c)).collect();
    // What stands behind a colon is a stream, if what stands before it is a file.
    let file = visible.split_once(':').map(|(file, _)| file).filter(|file| of_extension(file).1.is_some());
    let stream = file.is_some();
    let (stem, kind) = of_extension(file.unwrap_or(&visible));
    Judged { kind, fault: fault(base, stem, kind, stream) }
}

/// What stands before the extension, and the kind that it stands for.
fn of_extension(file: &str) -> (&str, Option<&'static Kind>) {
    let bare = file.trim_end_matches(|c| is_trimmed(c) || c == '"' || c == '\'');
    let (stem, extension) = bare.rsplit_once('.').unwrap_or((bare, ""));
    (stem, kinds::by_extension(&extension.trim_matches(is_trimmed).to_ascii_lowercase()))
}

fn fault(base: &str, stem: &str, kind: Option<&Kind>, stream: bool) -> Option<Fault> {
    if base.contains('\u{202e}') {
        return Some(Fault::RtlOverride);
    }
    if let Some(Kind { class: Class::Blocked(blocked), .. }) = kind {
        return Some(disguise(stem).unwrap_or(*blocked));
    }
    if stream {
        return Some(Fault::StreamName);
    }
    base.contains(is_bidi_control).then_some(Fault::BidiControl)
}

/// How the name of a blocked type pretends to be another.
fn disguise(stem: &str) -> Option<Fault> {
    let bare = stem.trim_end_matches(is_trimmed);
    if stem.chars().rev().take_while(|c| c.is_whitespace()).count() >= PADDING_MIN {
        return Some(Fault::PaddedName);
    }
    let inner = bare.rsplit_once('.')?.1.to_ascii_lowercase();
    kinds::by_extension(&inner).is_some_and(Kind::is_document).then_some(Fault::DoubleExtension)
}

fn is_trimmed(c: char) -> bool {
    c == '.' || c.is_whitespace() || c.is_control()
}

/// Characters that take no room: an extension is read past them.
fn is_hidden(c: char) -> bool {
    is_bidi_control(c)
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Embeddings and isolates (UAX #9 §2); plain marks (U+200E, U+200F) stand in honest names.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202d}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, kind: Option<&str>, fault: Option<Fault>) {
        let judged = judge(name);
        assert_eq!((judged.kind.map(|kind| kind.word), judged.fault), (kind, fault), "{name:?}");
    }

    #[test]
    fn ordinary_names_have_no_fault() {
        check("invoice.pdf", Some("pdf"), None);
        check("Report 2026.final.v2.DOCX", Some("docx"), None);
        check("archive.tar.gz", Some("gz"), None);
        check("readme", None, None);
        check("", None, None);
        check("...", None, None);
        check("חשבונית\u{200f}.pdf", Some("pdf"), None);
        check("C:\\Users\\me\\letter.doc", Some("ole"), None);
        check("10:30 meeting.txt", Some("txt"), None);
    }

    #[test]
    fn case_dots_blanks_and_quotes_hide_no_extension() {
        for name in [
            "a.EXE",
            "a.exe.",
            "a.exe. . .",
            "a.exe \t",
            "\"a.exe\"",
            "a.exe\u{a0}",
            "a. exe",
            "a.e\u{200b}xe",
        ] {
            check(name, Some("exe"), Some(Fault::Executable));
        }
    }

    #[test]
    fn a_document_extension_before_a_blocked_one_is_a_disguise() {
        check("invoice.pdf.exe", Some("exe"), Some(Fault::DoubleExtension));
        check("photo.JPG.scr", Some("scr"), Some(Fault::DoubleExtension));
        check("letter.doc.js", Some("js"), Some(Fault::DoubleExtension));
        check("setup-1.2.exe", Some("exe"), Some(Fault::Executable));
        check("jquery.min.js", Some("js"), Some(Fault::Script));
    }

    #[test]
    fn many_blanks_before_the_extension_are_a_disguise() {
        check("invoice.pdf                         .exe", Some("exe"), Some(Fault::PaddedName));
        check("my file .exe", Some("exe"), Some(Fault::Executable));
    }

    #[test]
    fn controls_of_direction_are_faults() {
        check("invoice\u{202e}fdp.exe", Some("exe"), Some(Fault::RtlOverride));
        check("invoice\u{202e}exe.pdf", Some("pdf"), Some(Fault::RtlOverride));
        check("invoice\u{202a}.pdf", Some("pdf"), Some(Fault::BidiControl));
        check("invoice\u{2067}.exe", Some("exe"), Some(Fault::Executable));
    }

    #[test]
    fn a_stream_is_cut_off() {
        check("a.exe::$DATA", Some("exe"), Some(Fault::Executable));
        check("a.exe:x.txt", Some("exe"), Some(Fault::Executable));
        check("a.txt::$DATA", Some("txt"), Some(Fault::StreamName));
        check("Re: a.exe", Some("exe"), Some(Fault::Executable));
    }

    #[test]
    fn both_sides_of_a_nul_are_read() {
        check("a.exe\0.txt", Some("exe"), Some(Fault::Executable));
        check("a.txt\0.exe", Some("exe"), Some(Fault::Executable));
    }

    #[test]
    fn only_the_last_component_of_a_path_counts() {
        check("a.exe/readme.txt", Some("txt"), None);
        check("docs\\setup.exe", Some("exe"), Some(Fault::Executable));
        check("setup.exe/", Some("exe"), Some(Fault::Executable));
    }
}
