//! The macros of the command that comes next.

use wire::milter::MacroList;

/// Macros longer than this are not ours to want: all that we ask for together is below 2 KiB
/// for the longest names and paths.
const LEN_MAX: usize = 16 * 1024;

/// What the MTA said ahead of a command.
#[derive(Debug, Default)]
pub(super) struct Begun {
    of: u8,
    pairs: Vec<u8>,
}

impl Begun {
    /// Takes macros; they replace the ones before.
    pub(super) fn note(&mut self, list: &MacroList<'_>) {
        self.done();
        self.of = list.of;
        if list.pairs().len() <= LEN_MAX {
            self.pairs.extend_from_slice(list.pairs());
        }
    }

    /// The macro `name` of the command `of`, if it is the one that comes next.
    pub(super) fn get(&self, of: u8, name: &str) -> Option<&[u8]> {
        MacroList::of_pairs(self.of, &self.pairs).filter(|list| list.of == of)?.get(name)
    }

    /// Its command has come.
    pub(super) fn done(&mut self) {
        self.pairs.clear();
    }
}
