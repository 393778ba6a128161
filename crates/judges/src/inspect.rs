//! What a message itself shows: its attachments, its kind, and a fuzzy hash of its text.
//!
//! Attachments are judged by OFF-13: what they are called, what their first bytes say, what
//! lies inside archives, and what documents would do when opened. Lures (S54) and harmless
//! oddities only score. The kind ([`Shape`]) serves OFF-15 and the guards of lists.
//!
//! Pure: no socket, no file, no clock. Time and memory are bounded for every input by the
//! constants of [`budget`] and [`parts`]; what a limit cut off is told by
//! [`Inspected::stopped`]. Nothing is executed and nothing is written.
//!
//! Not read: the contents of cab, compressed rar, ace, arj, lzh, bzip2, xz and zstd files
//! (names only, where the format gives them), TNEF, and what is encrypted.

use std::collections::BTreeSet;

use model::content::{Danger, Shape};
use model::exhibit::Attachment;
use model::{Letter, Name};

use look::Look;

pub mod budget;
mod cab;
pub mod faults;
mod fuzzy;
mod kinds;
mod look;
mod lure;
mod names;

mod ole;
pub mod parts;
mod pdf;
mod rar;
mod sevenz;
mod shape;
mod streams;
mod text;
mod unpack;
mod uu;
mod vba;
mod zips;

pub use budget::Limit;
pub use faults::Fault;

/// What the site wants of an inspection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// What becomes of Office documents with macros.
    pub macros: Macros,
    /// The names of our MX hosts, as they stand behind `by` in Received fields.
    pub our_names: Vec<Name>,
    /// Addresses that take reports, beside abuse@ and postmaster@ of every domain.
    pub report_addresses: Vec<Vec<u8>>,
}

/// What becomes of Office documents with macros (OFF-13: ‘by option’).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Macros {
    /// They score.
    #[default]
    Score,
    /// They are refused.
    Refuse,
}

/// What an inspection found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inspected {
    /// The worst of the attachments.
    pub danger: Danger,
    /// Attachments with what archives hold, faulty ones first where there are too many; at
    /// most [`model::exhibit::ATTACHMENTS_MAX`].
    pub attachments: Vec<Attachment>,
    /// What kind of mail it looks like.
    pub shape: Shape,
    /// Equal for texts that differ in digits, addresses, links and names only, and mostly
    /// equal for texts that share nearly all words; `None` under 40 words.
    pub text: Option<u64>,
    /// The words of a lure in Subject or From, if something was attached to go with them.
    pub lure: Option<&'static str>,
    /// What is wrong, each fault once. [`Fault::sentence`] has the words for the page.
    pub faults: BTreeSet<Fault>,
    /// Quarter points of the faults together, at most [`SCORE_MAX`]; 4 are one point.
    pub score: u32,
    /// A limit that was met: what lies behind it was not seen.
    pub stopped: Option<Limit>,
}

/// The most quarter points that one message gathers: six points, which OFF-13 refuses anyway.
pub const SCORE_MAX: u32 = 24;

/// Inspects one message.
pub fn inspect(letter: &Letter, rules: &Rules) -> Inspected {
    let mut look = Look::new(rules);
    parts::walk(letter, &mut look);
    let words = text::plain(&look.text);
    let lure = look.has_bait().then(|| lure::find(letter)).flatten();
    if lure.is_some() {
        look.note(Fault::Lure);
    }
    if look.faults.contains(&Fault::Encrypted) && lure::tells_password(letter, &words) {
        look.note(Fault::PasswordInText);
    }
    let mut shape = shape::of(letter, rules, &look, &words);
    if lure.is_some() {
        shape = shape | Shape::LURE;
    }
    Inspected {
        danger: look.danger,
        shape,
        text: fuzzy::hash(&words),
        lure,
        score: look.faults.iter().map(|fault| fault.score()).sum::<u32>().min(SCORE_MAX),
        stopped: look.budget.stopped,
        attachments: look.attachments,
        faults: look.faults,
    }
}
