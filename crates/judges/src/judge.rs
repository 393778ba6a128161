//! One content judge: it is handed a message and says what it thinks of it.
//!
//! A judge is a program of somebody else (rspamd, spamd, clamd), a header field that an
//! earlier filter left, or a look of our own at the attachments. It may hang, lie or die.
//! Therefore an answer never fails: ‘unknown’ is one. Deadline, pool and breaker are not
//! the judge's business, they stand in [`crate::seat`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Bytes;
use model::exhibit::{Opinion, TESTS_MAX};
use model::letter::Letter;
use model::{Judgement, Name};

/// Somebody who judges the content of messages.
pub trait Judge: Send + Sync + 'static {
    /// Asks for an opinion. Dropping the future takes the question back.
    fn ask<'a>(&'a self, paper: &'a Paper) -> Asking<'a>;
}

/// An answer under way.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A message as judges get it.
#[derive(Clone, Debug)]
pub struct Paper {
    /// The message with its envelope.
    pub letter: Arc<Letter>,
    /// Our own Received field, so that judges know the client, then the message as it came,
    /// cut to what this judge takes.
    pub raw: Bytes,
    /// Nothing was cut, neither here nor before.
    pub whole: bool,
}

impl Paper {
    /// Writes the message out.
    pub fn new(letter: Arc<Letter>) -> Paper {
        let ours = letter.received();
        let mut raw = [&ours.name[..], b":", &ours.value, b"\r\n"].concat();
        raw.extend_from_slice(&letter.raw());
        let whole = letter.is_whole() && letter.fields_whole;
        Paper { letter, raw: raw.into(), whole }
    }

    /// At most the first `size_max` octets of it; nothing is copied.
    pub fn cut(&self, size_max: usize) -> Paper {
        let len = self.raw.len().min(size_max);
        let whole = self.whole && len == self.raw.len();
        Paper { letter: Arc::clone(&self.letter), raw: self.raw.slice(..len), whole }
    }
}

/// What a judge answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It looked.
    Said(Said),
    /// It did not, or nobody knows what it saw.
    Unknown(Unknown),
}

/// An opinion, as far as it was given.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// Its judgement; `None` where it looked and has no opinion (a virus scanner that found
    /// nothing says nothing about spam).
    pub judgement: Option<Judgement>,
    /// Its score in hundredths.
    pub score: Option<i32>,
    /// The names of its tests that spoke, heaviest first, or of the virus; at most
    /// [`TESTS_MAX`].
    pub tests: Vec<Name>,
}

/// Why there is no opinion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unknown {
    /// No answer before the deadline.
    Late,
    /// As many questions as it may have at once were under way.
    Busy,
    /// It failed often and is left alone for a while.
    Resting,
    /// It could not be reached, or went away in the midst.
    Unreachable(String),
    /// Its answer is none: the text says what was expected, and what came.
    Garbled(String),
    /// It answered that it can not judge this message; its words, cut and printable.
    Declined(String),
    /// The message is larger than it takes, and what it saw of it was harmless.
    TooLarge,
}

impl Unknown {
    /// Every kind, in the order of [`Unknown::kind`].
    pub const KINDS: [&'static str; 7] =
        ["late", "busy", "resting", "unreachable", "garbled", "declined", "too-large"];

    /// Which of [`Unknown::KINDS`] it is.
    pub fn kind(&self) -> usize {
        match self {
            Unknown::Late => 0,
            Unknown::Busy => 1,
            Unknown::Resting => 2,
            Unknown::Unreachable(_) => 3,
            Unknown::Garbled(_) => 4,
            Unknown::Declined(_) => 5,
            Unknown::TooLarge => 6,
        }
    }

    /// Whether the judge itself failed, so that it may deserve a rest.
    ///
    /// What a message can bring about by being what it is (declined, too large) does not
    /// count: else five messages would switch the judge off for the sixth.
    pub fn is_failure(&self) -> bool {
        matches!(self, Unknown::Late | Unknown::Unreachable(_) | Unknown::Garbled(_))
    }
}

impl fmt::Display for Unknown {
    /// The kind, and what is known of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Unknown::KINDS[self.kind()])?;
        match self {
            Unknown::Unreachable(why) | Unknown::Garbled(why) | Unknown::Declined(why) => {
                write!(f, ": {why}")
            }
            Unknown::Late | Unknown::Busy | Unknown::Resting | Unknown::TooLarge => Ok(()),
        }
    }
}

impl Answer {
    /// The answer as an exhibit keeps it.
    pub fn opinion(&self, source: Name) -> Opinion {
        let said = match self {
            Answer::Said(said) => said.clone(),
            Answer::Unknown(_) => Said::default(),
        };
        let tests = said.tests.into_iter().take(TESTS_MAX).collect();
        Opinion { source, judgement: said.judgement, score: said.score, tests }
    }
}

impl From<Result<Said, Unknown>> for Answer {
    fn from(result: Result<Said, Unknown>) -> Answer {
        result.map_or_else(Answer::Unknown, Answer::Said)
    }
}

/// A score in hundredths; what no mail ever scores is cut to a million.
pub(crate) fn hundredths(score: f64) -> Option<i32> {
    /// Hundredths of a million: far beyond any real score, far within an `i32`.
    const SCORE_MAX: f64 = 100_000_000.0;
    let scaled = (score * 100.0).round();
    // Bounded and whole, so nothing is lost.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a range that fits")]
    scaled.is_finite().then(|| scaled.clamp(-SCORE_MAX, SCORE_MAX) as i32)
}

/// Text from a judge, cut and printable.
pub(crate) fn printable(bytes: &[u8]) -> String {
    /// Enough to recognise a message of the judge's, too little to fill a log.
    const LEN_MAX: usize = 120;
    bytes[..bytes.len().min(LEN_MAX)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::letter;

    #[test]
    fn a_judge_reads_our_received_field_first_and_no_more_than_it_takes() {
        let paper = Paper::new(Arc::new(letter("Subject: hello\r\n\r\nbody\r\n")));
        let text = String::from_utf8(paper.raw.to_vec()).unwrap();
        assert!(text.starts_with("Received: from mail.example.org ("), "{text}");
        assert!(text.ends_with("+0000\r\nSubject: hello\r\n\r\nbody\r\n"), "{text}");
        let cut = paper.cut(20);
        assert_eq!((cut.raw.len(), cut.whole, paper.cut(100_000).whole), (20, false, true));
    }

    #[test]
    fn a_message_that_is_not_held_whole_is_no_whole_paper() {
        let mut short = letter("Subject: hello\r\n\r\nbody\r\n");
        short.body_len += 1;
        assert!(!Paper::new(Arc::new(short)).whole);
    }

    #[test]
    fn a_score_is_bounded() {
        for (score, expect) in [
            (12.345, Some(1235)),
            (-0.004, Some(0)),
            (1e300, Some(100_000_000)),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(hundredths(score), expect, "{score}");
        }
    }

    #[test]
    fn an_unknown_says_its_kind_and_cause() {
        assert_eq!(Unknown::Late.to_string(), "late");
        assert_eq!(Unknown::Declined("no memory".into()).to_string(), "declined: no memory");
    }
}
