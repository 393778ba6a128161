//! ClamAV's daemon: `INSTREAM` over `IDSESSION`, as clamd(8) describes it.
//!
//! A session takes one message after another: `zINSTREAM`, the message in chunks with their
//! lengths in front, an empty chunk; back comes `1: stream: OK`, `1: stream: NAME FOUND` or
//! `1: … ERROR`. clamd takes MIME and archives apart itself, so it gets the raw message.

use model::{Judgement, Name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::judge::{Answer, Asking, Judge, Paper, Said, Unknown, printable};
use crate::place::{Idle, Place, Stream, broken};

/// How much is written in one chunk; clamd takes up to its `StreamMaxLength`.
const CHUNK_LEN: usize = 64 * 1024;
/// The longest reply we read; a signature's name is shorter by far.
const REPLY_LEN_MAX: usize = 4096;
/// Parts of a signature's name that make it a guess rather than a virus (OFF-12: ‘heuristic,
/// PUA, phishing-heuristic names count 1/5’), lower case, between dots or dashes.
const GUESSES: [&str; 10] =
    ["heuristics", "heuristic", "pua", "phishing", "phish", "spam", "junk", "scam", "suspect", "suspicious"];

/// A clamd.
pub struct Clamd {
    place: Place,
    idle: Idle<Session>,
}

/// One session and how many questions it has had.
struct Session {
    stream: Box<dyn Stream>,
    asked: u32,
}

impl Clamd {
    /// The clamd that listens there.
    pub fn new(place: Place) -> Clamd {
        Clamd { place, idle: Idle::new() }
    }

    async fn scan(&self, paper: &Paper) -> Result<Said, Unknown> {
        if let Some(session) = self.idle.take() {
            match self.ask_in(session, paper).await {
                // It had closed the session meanwhile: that is its right.
                Err(Unknown::Unreachable(_)) => {}
                result => return result,
            }
        }
        let mut stream = self.place.connect().await?;
        stream.write_all(b"zIDSESSION\0").await.map_err(|error| broken(&error))?;
        self.ask_in(Session { stream, asked: 0 }, paper).await
    }

    /// One question; a session that answered it in order is kept.
    async fn ask_in(&self, mut session: Session, paper: &Paper) -> Result<Said, Unknown> {
        session.asked += 1;
        let sent = send(&mut session.stream, &paper.raw).await;
        // One that found the stream too long has answered and closed before our last byte.
        let reply = match (receive(&mut session.stream).await, sent) {
            (Err(Unknown::Unreachable(_)), Err(error)) => return Err(broken(&error)),
            (reply, _) => reply?,
        };
        let said = judgement(&reply, session.asked, paper.whole)?;
        self.idle.put(session);
        Ok(said)
    }
}

impl Judge for Clamd {
    fn ask<'a>(&'a self, paper: &'a Paper) -> Asking<'a> {
        Box::pin(async { Answer::from(self.scan(paper).await) })
    }
}

async fn send(stream: &mut Box<dyn Stream>, message: &[u8]) -> std::io::Result<()> {
    stream.write_all(b"zINSTREAM\0").await?;
    for chunk in message.chunks(CHUNK_LEN) {
        // No longer than CHUNK_LEN.
        stream.write_u32(u32::try_from(chunk.len()).unwrap_or(u32::MAX)).await?;
        stream.write_all(chunk).await?;
    }
    stream.write_u32(0).await?;
    stream.flush().await
}

/// Reads one reply without its closing NUL.
async fn receive(stream: &mut Box<dyn Stream>) -> Result<Vec<u8>, Unknown> {
    let mut reply = Vec::new();
    let mut piece = [0; 512];
    while reply.last() != Some(&0) {
        let len = stream.read(&mut piece).await.map_err(|error| broken(&error))?;
        if len == 0 {
            return Err(Unknown::Unreachable("expected a reply, but got the end".into()));
        }
        reply.extend_from_slice(&piece[..len]);
        if reply.len() > REPLY_LEN_MAX {
            return Err(garbled(&reply));
        }
    }
    reply.pop();
    Ok(reply)
}

/// What a reply to question `id` means.
fn judgement(reply: &[u8], id: u32, whole: bool) -> Result<Said, Unknown> {
    let start = format!("{id}: ");
    let text = reply.strip_prefix(start.as_bytes()).unwrap_or(reply);
    if text.ends_with(b"size limit exceeded. ERROR") {
        return Err(Unknown::TooLarge);
    }
    if let Some(why) = text.strip_suffix(b" ERROR") {
        return Err(Unknown::Declined(printable(why)));
    }
    let text = reply.strip_prefix(format!("{id}: stream: ").as_bytes()).ok_or_else(|| garbled(reply))?;
    if text == b"OK" {
        return if whole { Ok(Said::default()) } else { Err(Unknown::TooLarge) };
    }
    let name = text.strip_suffix(b" FOUND").filter(|name| !name.is_empty() && !name.contains(&0));
    let name = name.ok_or_else(|| garbled(reply))?;
    Ok(Said { judgement: Some(class(name)), score: None, tests: vec![Name::new(name)] })
}

fn garbled(reply: &[u8]) -> Unknown {
    Unknown::Garbled(format!("expected a scan reply, but got {}", printable(reply)))
}

/// A virus, or a guess.
fn class(name: &[u8]) -> Judgement {
    let name = name.to_ascii_lowercase();
    let is_guess = |part: &[u8]| GUESSES.iter().any(|guess| part == guess.as_bytes());
    if name.split(|byte| b".-_:/".contains(byte)).any(is_guess) {
        return Judgement::Heuristic;
    }
    Judgement::Virus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expect: &str) {
        let got = match judgement(reply.as_bytes(), 7, true) {
            Ok(Said { judgement: None, .. }) => "clean".into(),
            Ok(Said { judgement: Some(what), tests, .. }) => format!("{what:?} {}", tests[0]),
            Err(why) => why.to_string(),
        };
        assert_eq!(got, expect, "{reply}");
    }

    #[test]
    fn a_reply_is_clean_a_name_or_an_error() {
        check("7: stream: OK", "clean");
        check("7: stream: Eicar-Test-Signature FOUND", "Virus eicar-test-signature");
        check("7: stream: Win.Worm.Mydoom.UNOFFICIAL FOUND", "Virus win.worm.mydoom.unofficial");
        check("7: INSTREAM size limit exceeded. ERROR", "too-large");
        check("INSTREAM size limit exceeded. ERROR", "too-large");
        check("7: stream: Can't allocate memory ERROR", "declined: stream: Can\\'t allocate memory");
    }

    #[test]
    fn a_reply_to_another_question_or_none_at_all_is_no_answer() {
        for reply in ["6: stream: OK", "stream: OK", "7: stream:  FOUND", "7: stream: MAYBE", "", "\0\0"] {
            let expect = format!("garbled: expected a scan reply, but got {}", reply.escape_default());
            check(reply, &expect.replace("\\u{0}", "\\x00"));
        }
    }

    #[test]
    fn guesses_are_told_from_viruses() {
        check(
            "7: stream: Heuristics.Phishing.Email.SpoofedDomain FOUND",
            "Heuristic heuristics.phishing.email.spoofeddomain",
        );
        check("7: stream: PUA.Win.Packer.Upx FOUND", "Heuristic pua.win.packer.upx");
        check("7: stream: Sanesecurity.Junk.1.UNOFFICIAL FOUND", "Heuristic sanesecurity.junk.1.unofficial");
        check("7: stream: Email.Phishing.VOF1-1 FOUND", "Heuristic email.phishing.vof1-1");
        check("7: stream: Win.Trojan.Spambot-1 FOUND", "Virus win.trojan.spambot-1");
    }

    #[test]
    fn what_was_not_seen_whole_is_not_clean() {
        assert_eq!(judgement(b"1: stream: OK", 1, false), Err(Unknown::TooLarge));
        let found = judgement(b"1: stream: Eicar FOUND", 1, false).unwrap();
        assert_eq!(found.judgement, Some(Judgement::Virus));
    }
}
