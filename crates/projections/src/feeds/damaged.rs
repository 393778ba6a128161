//! What is wrong with bytes that should be a bulk list.

use std::fmt;

/// Bytes that are no bulk list of this format.
///
/// The doing of whoever changed the file, or of a disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Damaged(pub(super) &'static str);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a bulk list of format 1, but {} are not as they should be; import it again",
            self.0
        )
    }
}

impl std::error::Error for Damaged {}

/// Says what is damaged unless `is_right`.
pub(super) fn check(is_right: bool, what: &'static str) -> Result<(), Damaged> {
    if is_right { Ok(()) } else { Err(Damaged(what)) }
}
