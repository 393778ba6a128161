//! What judges and the message itself weigh in the one score of a message.
//!
//! DESIGN §8 has one score of families, none above three points. The connection's families
//! are `detectors::score`'s; the message adds three: what spam filters say of its content,
//! what is attached to it, and what its sender's domain says of the client. So no filter
//! refuses a message by itself, and a bad connection needs less from it than a good one.

use judges::auth::{Found, Mx};
use judges::inspect;
use judges::judge::Answer;
use model::content::{Dmarc, Spf};
use model::{Judgement, Name};

use crate::config::{Asked, Weights};

/// Quarter points that one family has at most.
const FAMILY_MAX: i32 = 12;
/// Quarter points of a domain whose MX nobody can reach (A.3: 1).
const BOGUS_MX: i32 = 4;
/// Quarter points of all that a domain withholds, at most (A.3: 2).
const CONDUCT_MAX: i32 = 8;
/// Quarter points of a message at a filter's mark: from three quarters of the mark on a
/// family is full.
const AT_MARK: i64 = 16;
/// Where rspamd's shipped configuration begins to mark spam (`add_header`), in hundredths.
const RSPAMD_MARK: i32 = 600;
/// Where SpamAssassin's does (`required_score`), in hundredths.
const SPAMD_MARK: i32 = 500;

/// From which score on each filter takes a message for spam, in hundredths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    rspamd: i32,
    spamd: i32,
}

impl Marks {
    /// The site's marks, or the shipped ones.
    pub(super) fn of(asked: &Asked) -> Marks {
        Marks {
            rspamd: asked.rspamd_mark.unwrap_or(RSPAMD_MARK),
            spamd: asked.spamd_mark.unwrap_or(SPAMD_MARK),
        }
    }
}

/// Quarter points by family, each with its words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Points {
    filters: i32,
    attachments: i32,
    sender: i32,
    /// What the sender's domain withholds (OFF-24), of the same family as `sender`.
    conduct: i32,
}

impl Points {
    /// Weighs a message.
    pub(super) fn of(
        answers: &[(Name, Answer)],
        marks: Marks,
        looked: &inspect::Inspected,
        found: &Found,
    ) -> Points {
        let filters = answers.iter().filter_map(|(source, answer)| filter(source, answer, marks));
        Points {
            filters: filters.max().unwrap_or(0),
            attachments: i32::try_from(looked.score).unwrap_or(FAMILY_MAX).min(FAMILY_MAX),
            sender: sender(found),
            conduct: if matches!(found.mx, Mx::Bogus | Mx::Null) { BOGUS_MX } else { 0 },
        }
    }

    /// Without the families whose rules give no points.
    pub(super) fn weighed(self, weights: Weights) -> Points {
        Points {
            filters: self.filters,
            attachments: if weights.attachments { self.attachments } else { 0 },
            sender: if weights.sender { self.sender } else { 0 },
            conduct: if weights.conduct { self.conduct } else { 0 },
        }
    }

    /// All of it, in quarters of a point.
    pub(crate) fn quarters(self) -> i32 {
        self.filters + self.attachments + (self.sender + self.conduct).min(FAMILY_MAX)
    }

    /// Without what SPF and DMARC say: the fault may be ours (G-OURS).
    pub(crate) fn without_sender(self) -> Points {
        Points { sender: 0, ..self }
    }

    /// With what the site has learned of the sender's domain, in quarters of a point.
    pub(crate) fn blamed(self, quarters: u8) -> Points {
        Points { conduct: (self.conduct + i32::from(quarters)).min(CONDUCT_MAX), ..self }
    }

    /// The facts behind it with their weight, in no order.
    pub(crate) fn facts(self) -> [(i32, &'static str); 4] {
        [
            (self.filters, "the text looks like spam"),
            (self.attachments, "its attachments look dangerous"),
            (self.sender, "the sender's domain does not permit this server"),
            (self.conduct, "the sender's domain can not be answered"),
        ]
    }
}

/// A spam filter's score against its own mark. A filter that finds mail good says nothing
/// against the connection.
fn filter(source: &Name, answer: &Answer, marks: Marks) -> Option<i32> {
    let Answer::Said(said) = answer else { return None };
    let mark = match source.as_bytes() {
        b"rspamd" => marks.rspamd,
        b"spamd" | b"header" => marks.spamd,
        _ => return None,
    };
    let by_score = said.score.map(|score| i64::from(score).saturating_mul(AT_MARK) / i64::from(mark));
    // A field without a score may still say that it is spam.
    let by_word = (said.judgement == Some(Judgement::Spam)).then_some(i64::from(FAMILY_MAX));
    let points = by_score.max(by_word)?;
    i32::try_from(points.clamp(0, i64::from(FAMILY_MAX))).ok()
}

/// A domain that forbids the client (OFF-14: ‘others score’), and an author's that asks for
/// rejection.
fn sender(found: &Found) -> i32 {
    let spf = if found.spf == Spf::Fail { 4 } else { 0 };
    let dmarc = match found.dmarc {
        Dmarc::FailReject => 4,
        Dmarc::FailQuarantine => 2,
        _ => 0,
    };
    if found.dkim_aligned { 0 } else { spf + dmarc }
}

#[cfg(test)]
mod tests {
    use super::*;
    use judges::judge::Said;

    const SHIPPED: Marks = Marks { rspamd: RSPAMD_MARK, spamd: SPAMD_MARK };

    fn scored(source: &str, score: i32) -> (Name, Answer) {
        let said = Said { judgement: None, score: Some(score), tests: Vec::new() };
        (Name::new(source.as_bytes()), Answer::Said(said))
    }

    #[track_caller]
    fn check(answers: &[(Name, Answer)], expect: i32) {
        let points = Points::of(answers, SHIPPED, &inspect::Inspected::default(), &Found::default());
        assert_eq!(points.quarters(), expect);
    }

    #[test]
    fn a_filter_weighs_as_much_as_its_score_has_of_its_mark() {
        check(&[scored("rspamd", 300)], 8);
        check(&[scored("rspamd", 450)], 12);
        check(&[scored("rspamd", 5000)], 12);
        check(&[scored("spamd", 250)], 8);
        check(&[scored("rspamd", -700)], 0);
        check(&[scored("clamd", 900)], 0);
    }

    #[test]
    fn a_mark_of_the_site_s_own_counts_instead() {
        let own = Marks { rspamd: 300, ..SHIPPED };
        assert_eq!(filter(&Name::new(b"rspamd"), &scored("rspamd", 150).1, own), Some(8));
    }

    #[test]
    fn a_field_that_only_says_spam_is_a_full_family() {
        let said = Said { judgement: Some(Judgement::Spam), score: None, tests: Vec::new() };
        assert_eq!(filter(&Name::new(b"header"), &Answer::Said(said), SHIPPED), Some(FAMILY_MAX));
    }

    #[test]
    fn two_filters_are_one_family() {
        check(&[scored("rspamd", 300), scored("spamd", 400)], 12);
    }

    #[test]
    fn off_24_a_domain_that_can_not_be_answered_weighs_one_point_and_two_at_most() {
        let of = |mx, learned| {
            let found = Found { mx, ..Found::default() };
            Points::of(&[], SHIPPED, &inspect::Inspected::default(), &found).blamed(learned).quarters()
        };
        assert_eq!([of(Mx::Bogus, 0), of(Mx::Null, 0), of(Mx::Fine, 0), of(Mx::Unknown, 0)], [4, 4, 0, 0]);
        assert_eq!([of(Mx::Fine, 4), of(Mx::Bogus, 4), of(Mx::Bogus, 8)], [4, 8, 8]);
        let worst = Found { mx: Mx::Bogus, spf: Spf::Fail, dmarc: Dmarc::FailReject, ..Found::default() };
        let points = Points::of(&[], SHIPPED, &inspect::Inspected::default(), &worst).blamed(8);
        assert_eq!(points.quarters(), FAMILY_MAX);
    }

    #[test]
    fn an_author_s_signature_outweighs_a_forbidden_path() {
        let found = Found { spf: Spf::Fail, dmarc: Dmarc::FailReject, ..Found::default() };
        assert_eq!(sender(&found), 8);
        assert_eq!(sender(&Found { dkim_aligned: true, ..found }), 0);
    }
}
