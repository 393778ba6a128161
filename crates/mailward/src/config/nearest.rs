//! The nearest right spelling of a wrong word.

/// A word with more than this many mistakes is another word.
const MISTAKES_MAX: usize = 3;

/// The one of `among` that `got` was probably meant to be.
///
/// Case and `_` for `-` are no mistakes; otherwise one letter in three may be wrong.
pub(super) fn nearest<'a>(got: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let got = folded(got);
    let allowed = (got.chars().count() / 3).clamp(1, MISTAKES_MAX);
    let scored = among.into_iter().map(|word| (strsim::damerau_levenshtein(&got, &folded(word)), word));
    scored.filter(|(mistakes, _)| *mistakes <= allowed).min_by_key(|(mistakes, _)| *mistakes).map(|(_, w)| w)
}

fn folded(word: &str) -> String {
    word.chars().take(64).collect::<String>().to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(got: &str, expect: Option<&str>) {
        assert_eq!(nearest(got, ["tcp", "unix", "trust-local", "threads"]), expect);
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        check("tpc", Some("tcp"));
        check("Unix", Some("unix"));
        check("trust_local", Some("trust-local"));
        check("thread", Some("threads"));
    }

    #[test]
    fn another_word_is_not() {
        check("backlog", None);
        check("x", None);
        check("", None);
    }
}
