//! What the byte beside an index entry says.
//!
//! | bits | what                                                                     |
//! |------|--------------------------------------------------------------------------|
//! | 7, 6 | the kind of the hardest block: harder kinds are larger                    |
//! | 5    | there is more to know: several cases, or holes; who needs all asks them   |
//! | 4–0  | the last octet of the DNS code of the hardest block's reason              |

use model::Codes;
use model::case::Force;
use model::reasons::by_number;

use crate::index::Mark;

const MORE: u8 = 1 << 5;
const CODE: u8 = MORE - 1;
/// The last octet of entries for conduct (OFF-24): they inform, and refuse nothing.
pub(crate) const CONDUCT: u8 = 19;

/// The class of a key against which `force` holds; `more` when that is not all.
pub(crate) fn class(force: Force, more: bool) -> u8 {
    let code = by_number(force.reason).dns.octets()[3] & CODE;
    (force.kind as u8) << 6 | if more { MORE } else { 0 } | code
}

/// The class of a name that is listed for its conduct, and blocked by nothing.
pub(crate) fn conduct() -> u8 {
    CONDUCT & CODE
}

/// The code that listings for a reason show.
pub(crate) fn codes_of(reason: u8) -> Codes {
    Codes::of(by_number(reason).dns.octets()[3])
}

/// Whether the class says everything.
pub(crate) fn is_whole(mark: Mark) -> bool {
    mark.class & MORE == 0
}

/// The code it says.
pub(crate) fn codes(mark: Mark) -> Codes {
    Codes::of(mark.class & CODE)
}

/// Whether an entry can be of one of these codes; where the class does not say everything,
/// it can.
pub(crate) fn may_be(mark: Mark, among: Codes) -> bool {
    !is_whole(mark) || !codes(mark).and(among).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Offence;
    use model::reasons::of_offence;

    #[test]
    fn conduct_has_the_code_of_its_reason() {
        assert_eq!(of_offence(Offence::DomainConduct).unwrap().dns.octets(), [127, 0, 0, CONDUCT]);
    }
}
