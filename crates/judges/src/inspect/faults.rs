//! What can be wrong with an attachment: one table.

use model::Name;
use model::content::Danger;

/// Something the site does not like, or an oddity that scores.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fault {
    /// A program.
    Executable,
    /// A text that an interpreter runs when it is opened.
    Script,
    /// A link that starts a program.
    Shortcut,
    /// An image that the system mounts, past the marks that mail leaves on files.
    DiskImage,
    /// A OneNote section, which can hold programs.
    OneNote,
    /// A compiled help file, which can hold scripts.
    Help,
    /// A blocked type under the name of a harmless one, such as `invoice.pdf.exe`.
    DoubleExtension,
    /// A name with U+202E, which shows its end turned around.
    RtlOverride,
    /// A name with another control of direction.
    BidiControl,
    /// A blocked type behind many blanks.
    PaddedName,
    /// A name with an NTFS stream, such as `x.exe::$DATA`.
    StreamName,
    /// An archive that nobody can look into.
    Encrypted,
    /// The text gives a password to an encrypted archive.
    PasswordInText,
    /// An archive that meets a limit.
    Bomb,
    /// An Office document with macros.
    Macros,
    /// The same, where the site refuses them.
    MacrosRefused,
    /// A program inside an Office document.
    Embedded,
    /// A PDF that runs scripts, starts programs, holds files or opens a link by itself.
    ActivePdf,
    /// A picture or text by name, and an archive or program by its bytes.
    LyingType,
    /// A part of a message that only the receiver would put together (RFC 2046 §5.2.2).
    Partial,
    /// MIME parts that were not seen, because a limit was met.
    Unseen,
    /// Words of a delivery, invoice or account lure with something attached (S54).
    Lure,
}

/// All that is said of a fault.
struct Row {
    fault: Fault,
    /// As [`model::exhibit::Attachment::fault`] has it.
    word: &'static str,
    danger: Danger,
    /// Quarter points.
    score: u32,
    sentence: &'static str,
}

use Danger::{Refused, Score};

const fn row(fault: Fault, word: &'static str, danger: Danger, score: u32, sentence: &'static str) -> Row {
    Row { fault, word, danger, score, sentence }
}

/// Refused faults are worth five points, so that a score alone tells them from the others.
const TABLE: [Row; 22] = [
    row(Fault::Executable, "executable", Refused, 20, "holds a program"),
    row(Fault::Script, "script", Refused, 20, "holds a script"),
    row(Fault::Shortcut, "shortcut", Refused, 20, "holds a shortcut that starts a program"),
    row(Fault::DiskImage, "disk-image", Refused, 20, "holds a disk image"),
    row(Fault::OneNote, "onenote", Refused, 20, "holds a OneNote section"),
    row(Fault::Help, "help-file", Refused, 20, "holds a compiled help file"),
    row(Fault::DoubleExtension, "double-extension", Refused, 20, "holds a program under a document's name"),
    row(Fault::RtlOverride, "rtl-override", Refused, 20, "holds a file whose name is shown turned around"),
    row(Fault::BidiControl, "bidi-control", Score, 4, "holds a file with hidden marks in its name"),
    row(Fault::PaddedName, "padded-name", Refused, 20, "holds a program whose type is hidden by blanks"),
    row(Fault::StreamName, "stream-name", Score, 4, "holds a file whose name hides its type"),
    row(Fault::Encrypted, "encrypted", Danger::Encrypted, 6, "holds an encrypted archive"),
    row(
        Fault::PasswordInText,
        "password",
        Refused,
        20,
        "gives the password of an encrypted archive in its text",
    ),
    row(Fault::Bomb, "bomb", Refused, 20, "holds an archive too deep or too large to look into"),
    row(Fault::Macros, "macros", Score, 8, "holds a document with macros"),
    row(Fault::MacrosRefused, "macros", Refused, 20, "holds a document with macros"),
    row(Fault::Embedded, "embedded-program", Refused, 20, "holds a document with a program inside"),
    row(Fault::ActivePdf, "active-pdf", Score, 6, "holds a PDF that acts when opened"),
    row(Fault::LyingType, "lying-type", Score, 4, "holds a file that is not what its name says"),
    row(Fault::Partial, "partial", Score, 4, "is a fragment of a larger message"),
    row(Fault::Unseen, "unseen", Score, 2, "has more parts than were looked at"),
    row(Fault::Lure, "lure", Score, 4, "uses the words of a delivery or invoice lure"),
];

impl Fault {
    fn row(self) -> &'static Row {
        // The test below proves that every fault has its row.
        TABLE.iter().find(|row| row.fault == self).unwrap_or(&TABLE[0])
    }

    /// The word that an exhibit shows.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// What is said of a message with it, behind ‘the message’.
    pub fn sentence(self) -> &'static str {
        self.row().sentence
    }

    /// How bad it is.
    pub fn danger(self) -> Danger {
        self.row().danger
    }

    /// Quarter points.
    pub fn score(self) -> u32 {
        self.row().score
    }

    pub(super) fn name(self) -> Name {
        Name::new(self.word().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_stands_in_its_row_in_order() {
        assert!(TABLE.is_sorted_by(|a, b| a.fault < b.fault));
        assert_eq!(TABLE.last().map(|row| row.fault), Some(Fault::Lure));
        assert_eq!(Fault::Lure as usize + 1, TABLE.len());
    }

    #[test]
    fn what_is_refused_outscores_what_is_not() {
        let worst = TABLE.iter().filter(|r| r.danger != Refused).map(|r| r.score).max();
        assert!(TABLE.iter().filter(|r| r.danger == Refused).all(|r| Some(r.score) > worst));
    }
}
