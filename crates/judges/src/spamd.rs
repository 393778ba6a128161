//! SpamAssassin's daemon: the spamc/spamd protocol, version 1.5, as `spamd/PROTOCOL` of
//! SpamAssassin describes it.
//!
//! `SYMBOLS` asks for the verdict and the names of the tests that hit. One connection takes
//! one message. We name no user: the daemon's own preferences hold for a whole site.

use model::exhibit::TESTS_MAX;
use model::{Judgement, Name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::judge::{Answer, Asking, Judge, Paper, Said, Unknown, hundredths, printable};
use crate::place::{Place, Stream, broken};

/// The longest response we read: a header and some hundred names of tests.
const RESPONSE_LEN_MAX: u64 = 64 * 1024;

/// A spamd.
pub struct Spamd {
    place: Place,
    /// The score from which on a message is spam, in hundredths; `None` is spamd's own
    /// `required_score`.
    mark: Option<i32>,
}

impl Spamd {
    /// The spamd that listens there. From `mark` on, in hundredths, a message is spam; without
    /// it spamd decides.
    pub fn new(place: Place, mark: Option<i32>) -> Spamd {
        Spamd { place, mark }
    }

    async fn check(&self, paper: &Paper) -> Result<Said, Unknown> {
        let mut stream = self.place.connect().await?;
        // It may answer and close before it has read all; what it said still counts.
        let sent = send(&mut stream, &paper.raw).await;
        let mut response = Vec::new();
        let read = stream.take(RESPONSE_LEN_MAX).read_to_end(&mut response).await;
        match (read, sent) {
            (Err(error), _) | (Ok(0), Err(error)) => Err(broken(&error)),
            (Ok(0), Ok(())) => Err(Unknown::Unreachable("expected a response, but got the end".into())),
            (Ok(_), _) => judgement(&response, self.mark),
        }
    }
}

impl Judge for Spamd {
    fn ask<'a>(&'a self, paper: &'a Paper) -> Asking<'a> {
        Box::pin(async { Answer::from(self.check(paper).await) })
    }
}

async fn send(stream: &mut Box<dyn Stream>, message: &[u8]) -> std::io::Result<()> {
    let head = format!("SYMBOLS SPAMC/1.5\r\nContent-length: {}\r\n\r\n", message.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(message).await?;
    stream.shutdown().await
}

/// What a response means.
fn judgement(response: &[u8], mark: Option<i32>) -> Result<Said, Unknown> {
    let garbled = || Unknown::Garbled(format!("expected a spamd response, but got {}", printable(response)));
    let text = str::from_utf8(response).map_err(|_| garbled())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(garbled)?;
    let mut lines = head.split("\r\n");
    // `SPAMD/1.1 0 EX_OK`
    let mut status = lines.next().unwrap_or_default().splitn(3, ' ');
    status.next().filter(|version| version.starts_with("SPAMD/")).ok_or_else(garbled)?;
    match status.next().and_then(|code| code.parse::<u16>().ok()) {
        Some(0) => {}
        Some(_) => return Err(Unknown::Declined(printable(status.next().unwrap_or_default().as_bytes()))),
        None => return Err(garbled()),
    }
    let spam = lines.find_map(|line| line.strip_prefix("Spam:")).ok_or_else(garbled)?;
    let (is_spam, score) = verdict(spam).ok_or_else(garbled)?;
    let is_spam = mark.map_or(is_spam, |mark| score >= mark);
    let judgement = Some(if is_spam { Judgement::Spam } else { Judgement::Ham });
    Ok(Said { judgement, score: Some(score), tests: tests(body) })
}

/// `True ; 12.3 / 5.0`: spam or not, and the score in hundredths.
fn verdict(text: &str) -> Option<(bool, i32)> {
    let (flag, numbers) = text.split_once(';')?;
    let is_spam = match flag.trim() {
        "True" | "Yes" => true,
        "False" | "No" => false,
        _ => return None,
    };
    let (score, required) = numbers.split_once('/')?;
    required.trim().parse::<f64>().ok()?;
    Some((is_spam, hundredths(score.trim().parse().ok()?)?))
}

fn tests(body: &str) -> Vec<Name> {
    let is_name =
        |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let words = body.split([',', '\r', '\n']).map(str::trim).filter(is_name);
    words.take(TESTS_MAX).map(|word| Name::new(word.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(response: &str, mark: Option<i32>, expect: &str) {
        let got = match judgement(response.as_bytes(), mark) {
            Ok(Said { judgement, score, tests }) => format!("{judgement:?} {score:?} {tests:?}"),
            Err(why) => why.to_string(),
        };
        assert_eq!(got, expect, "{response}");
    }

    const SPAM: &str =
        "SPAMD/1.1 0 EX_OK\r\nContent-length: 20\r\nSpam: True ; 12.3 / 5.0\r\n\r\nGTUBE,NO_RELAYS\r\n";
    const HAM: &str = "SPAMD/1.1 0 EX_OK\r\nSpam: False ; -0.01 / 5.0\r\n\r\n\r\n";

    #[test]
    fn a_response_holds_verdict_score_and_tests() {
        check(SPAM, None, "Some(Spam) Some(1230) [\"gtube\", \"no_relays\"]");
        check(HAM, None, "Some(Ham) Some(-1) []");
    }

    #[test]
    fn an_own_mark_goes_before_spamds() {
        check(SPAM, Some(1231), "Some(Ham) Some(1230) [\"gtube\", \"no_relays\"]");
        check(HAM, Some(-1), "Some(Spam) Some(-1) []");
    }

    #[test]
    fn an_error_code_is_a_refusal_to_judge() {
        check("SPAMD/1.0 76 Bad header line: (EOF)\r\n\r\n", None, "declined: Bad header line: (EOF)");
    }

    #[test]
    fn anything_else_is_no_answer() {
        for response in [
            "",
            "SPAMD/1.1 0 EX_OK\r\n",
            "SPAMD/1.1 0 EX_OK\r\n\r\n",
            "SPAMD/1.1 zero EX_OK\r\nSpam: True ; 12.3 / 5.0\r\n\r\n",
            "SPAMD/1.1 0 EX_OK\r\nSpam: Perhaps ; 12.3 / 5.0\r\n\r\n",
            "SPAMD/1.1 0 EX_OK\r\nSpam: True ; NaN / 5.0\r\n\r\n",
            "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 12.3\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
        ] {
            let got = judgement(response.as_bytes(), None);
            assert!(matches!(got, Err(Unknown::Garbled(_))), "{response}: {got:?}");
        }
    }

    #[test]
    fn no_more_tests_are_kept_than_an_exhibit_names() {
        let many = format!("{}{}", HAM.trim_end(), "\r\n\r\n") + &"A_TEST,".repeat(5000);
        assert_eq!(judgement(many.as_bytes(), None).unwrap().tests.len(), TESTS_MAX);
    }
}
