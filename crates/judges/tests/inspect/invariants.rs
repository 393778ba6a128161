//! What must hold for `inspect` whatever the bytes are. Shared by the seeded mutations and
//! the fuzz target.

use judges::inspect::{Inspected, Macros, Rules, SCORE_MAX, inspect};
use model::content::{Danger, Shape};
use model::exhibit::ATTACHMENTS_MAX;
use model::{Letter, Name};

/// What became of some input, without the data.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    Clean,
    Scored,
    Encrypted,
    Refused,
    Stopped,
}

/// Inspects a letter and holds the answer against itself.
pub(crate) fn check(letter: &Letter) -> Outcome {
    let rules = Rules { our_names: vec![Name::new(b"mx.example.net")], ..Rules::default() };
    let found = inspect(letter, &rules);
    check_sums(&found);
    assert_eq!(inspect(letter, &rules), found, "the same letter, the same answer");
    let strict = inspect(letter, &Rules { macros: Macros::Refuse, ..rules });
    assert!(strict.danger >= found.danger, "a stricter site does not find less");
    match found.danger {
        _ if found.stopped.is_some() => Outcome::Stopped,
        Danger::None => Outcome::Clean,
        Danger::Score => Outcome::Scored,
        Danger::Encrypted => Outcome::Encrypted,
        Danger::Refused => Outcome::Refused,
    }
}

fn check_sums(found: &Inspected) {
    assert!(found.attachments.len() <= ATTACHMENTS_MAX);
    assert!(found.attachments.iter().all(|a| a.name.len() <= 1020 && std::str::from_utf8(&a.name).is_ok()));
    let worst = found.faults.iter().map(|fault| fault.danger()).max().unwrap_or_default();
    assert_eq!(found.danger, worst);
    assert_eq!(found.score, found.faults.iter().map(|fault| fault.score()).sum::<u32>().min(SCORE_MAX));
    assert_eq!(found.lure.is_some(), found.shape.any(Shape::LURE));
    if let Some(limit) = found.stopped {
        assert_eq!(limit.is_bomb(), found.danger == Danger::Refused && limit.is_bomb(), "a bomb is refused");
        assert!(found.danger > Danger::None);
    }
}
