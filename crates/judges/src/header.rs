//! The verdict of an earlier filter, read from a header field that it left.
//!
//! Such as `X-Spam-Status: Yes, score=12.3 required=5.0 tests=A,B`, `X-Spam-Flag: YES` or
//! `X-Rspamd-Score: 12.3`. Anybody can write such a field: the operator names the filter's
//! field only where the filter removes or overwrites what senders write there. Of several
//! only the topmost counts, which is the last one written. Pure.

use model::exhibit::TESTS_MAX;
use model::letter::Letter;
use model::{Judgement, Name};

use crate::judge::{Answer, Asking, Judge, Paper, Said, hundredths};

/// How much of a field is read.
const VALUE_LEN_MAX: usize = 4096;

/// A field that is believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trusted {
    /// Its name.
    pub field: String,
    /// Words in front of its value that mean spam, in any case, such as `yes`.
    pub spam: Vec<String>,
    /// Words that mean ham, such as `no`.
    pub ham: Vec<String>,
    /// The score from which on a message is spam, in hundredths; goes before the words where
    /// the field holds a score.
    pub mark: Option<i32>,
    /// It is believed only on mail that a declared upstream MX handed on.
    pub upstream_only: bool,
}

impl Trusted {
    /// What the field says; without one there is no judgement.
    pub fn read(&self, letter: &Letter) -> Said {
        let value = letter.first(&self.field).filter(|_| letter.through.is_some() || !self.upstream_only);
        let Some(value) = value else { return Said::default() };
        let value = String::from_utf8_lossy(&value[..value.len().min(VALUE_LEN_MAX)]);
        let score = after(&value, "score=").or_else(|| value.split_whitespace().next());
        let score = score.and_then(|text| text.parse().ok()).and_then(hundredths);
        Said { judgement: self.judgement(&value, score), score, tests: tests(&value) }
    }

    fn judgement(&self, value: &str, score: Option<i32>) -> Option<Judgement> {
        if let (Some(score), Some(mark)) = (score, self.mark) {
            return Some(if score >= mark { Judgement::Spam } else { Judgement::Ham });
        }
        let word =
            value.split(|c: char| c.is_whitespace() || c == ',' || c == ';').find(|w| !w.is_empty())?;
        let among = |words: &[String]| words.iter().any(|w| w.eq_ignore_ascii_case(word));
        if among(&self.spam) {
            return Some(Judgement::Spam);
        }
        among(&self.ham).then_some(Judgement::Ham)
    }
}

impl Judge for Trusted {
    fn ask<'a>(&'a self, paper: &'a Paper) -> Asking<'a> {
        Box::pin(async { Answer::Said(self.read(&paper.letter)) })
    }
}

/// What stands behind `key` up to the next space, comma or semicolon.
fn after<'a>(value: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = value.split_once(key)?;
    rest.split(|c: char| c.is_whitespace() || c == ',' || c == ';').next()
}

/// The names behind `tests=`; SpamAssassin folds the list after its commas.
fn tests(value: &str) -> Vec<Name> {
    let Some((_, rest)) = value.split_once("tests=") else { return Vec::new() };
    let joined = rest.replace(",\r\n", ",").replace(",\t", ",").replace(", ", ",");
    let list = joined.split_whitespace().next().unwrap_or_default().trim_matches(['[', ']']);
    let is_name = |name: &&str| !name.is_empty() && *name != "none" && name.is_ascii();
    list.split(',').filter(is_name).take(TESTS_MAX).map(|name| Name::new(name.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::letter;

    fn trusted(field: &str, mark: Option<i32>) -> Trusted {
        let words = |word: &str| vec![word.to_owned()];
        Trusted { field: field.into(), spam: words("yes"), ham: words("no"), mark, upstream_only: false }
    }

    #[track_caller]
    fn check(header: &str, mark: Option<i32>, expect: &str) {
        let field = header.split_once(':').unwrap().0;
        let said = trusted(field, mark).read(&letter(format!("{header}\r\n\r\n")));
        assert_eq!(format!("{:?} {:?} {:?}", said.judgement, said.score, said.tests), expect, "{header}");
    }

    #[test]
    fn the_usual_fields_are_read() {
        check("X-Spam-Flag: YES", None, "Some(Spam) None []");
        check("X-Spam-Flag: no", None, "Some(Ham) None []");
        check(
            "X-Spam-Status: Yes, score=12.3 required=5.0 tests=BAYES_99,\r\n\tHTML_MESSAGE autolearn=no",
            None,
            "Some(Spam) Some(1230) [\"bayes_99\", \"html_message\"]",
        );
        check("X-Spam-Status: No, score=-0.1 tests=none", None, "Some(Ham) Some(-10) []");
        check("X-Spam-Status: No, score=4.0 tests=[A, B]", Some(350), "Some(Spam) Some(400) [\"a\", \"b\"]");
        check("X-Rspamd-Score: 12.34", Some(600), "Some(Spam) Some(1234) []");
        check("X-Rspamd-Score: 1.5 / 15.00", Some(600), "Some(Ham) Some(150) []");
    }

    #[test]
    fn what_is_not_understood_is_no_judgement() {
        check("X-Spam-Flag: perhaps", None, "None None []");
        check("X-Spam-Flag: yesterday", None, "None None []");
        check("X-Spam-Flag:", None, "None None []");
        check("X-Rspamd-Score: NaN", Some(600), "None None []");
    }

    #[test]
    fn only_the_topmost_field_counts() {
        let forged = letter("X-Spam-Flag: YES\r\nX-Spam-Flag: NO\r\n\r\n");
        assert_eq!(trusted("x-spam-flag", None).read(&forged).judgement, Some(Judgement::Spam));
    }

    #[test]
    fn no_field_is_no_judgement() {
        assert_eq!(trusted("X-Spam-Flag", None).read(&letter("Subject: x\r\n\r\n")), Said::default());
    }

    #[test]
    fn a_field_of_upstream_is_not_believed_from_elsewhere() {
        let mut letter = letter("X-Spam-Flag: YES\r\n\r\n");
        let upstream = Trusted { upstream_only: true, ..trusted("X-Spam-Flag", None) };
        assert_eq!(upstream.read(&letter).judgement, None);
        letter.through = Some(letter.client.clone());
        assert_eq!(upstream.read(&letter).judgement, Some(Judgement::Spam));
    }
}
