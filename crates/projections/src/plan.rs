//! What an enforcer should do next, as a pure function.

use model::Cleared;

/// A difference between what should be enforced and what is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// Enforce it.
    Add(Cleared),
    /// Stop enforcing it.
    Remove(Cleared),
}

/// Plans at most `budget` steps for a set with `free` places.
///
/// Pure: it changes nothing, so a dry run prints exactly what the enforcer would do.
/// Additions come first, because mail is arriving; removals come first only when the set
/// is full. What does not fit waits for the next round.
pub fn plan(changes: &[Wanted], free: usize, budget: usize) -> Vec<Wanted> {
    let (adds, removes): (Vec<Wanted>, Vec<Wanted>) =
        changes.iter().partition(|c| matches!(c, Wanted::Add(_)));
    let (now, later) = adds.split_at(adds.len().min(free));
    if later.is_empty() {
        now.iter().chain(&removes).take(budget).copied().collect()
    } else {
        let room = free + removes.len();
        removes.iter().chain(adds.iter().take(room)).take(budget).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Protected;
    use model::protected::Hand;

    #[track_caller]
    fn check(changes: &str, free: usize, budget: usize, expect: &str) {
        let list = Protected::new(Vec::new(), true, 0);
        let parse = |word: &str| {
            let cleared =
                list.clear(format!("192.0.2.{}", &word[1..]).parse().unwrap(), Hand::Automatic).unwrap();
            if word.starts_with('+') { Wanted::Add(cleared) } else { Wanted::Remove(cleared) }
        };
        let print = |step: &Wanted| match step {
            Wanted::Add(c) => format!("+{}", c.prefix().to_string().rsplit('.').next().unwrap()),
            Wanted::Remove(c) => format!("-{}", c.prefix().to_string().rsplit('.').next().unwrap()),
        };
        let changes: Vec<_> = changes.split_whitespace().map(parse).collect();
        let steps: Vec<_> = plan(&changes, free, budget).iter().map(print).collect();
        assert_eq!(steps.join(" "), expect);
    }

    #[test]
    fn additions_come_first_while_there_is_room() {
        check("-1 +2 +3", 5, 10, "+2 +3 -1");
        check("-1 +2 +3", 5, 2, "+2 +3");
    }

    #[test]
    fn removals_make_room_when_the_set_is_full() {
        check("-1 +2 +3", 0, 10, "-1 +2");
        check("+2 +3", 1, 10, "+2");
        check("", 1, 10, "");
    }
}
