//! What must hold for any bytes that an LMTP client sends.

use wire::lmtp::{ERRORS_MAX, LINE_LEN_MAX, Limits, Mail, Reply, Session, Step};

const LIMITS: Limits = Limits { message_len_max: 4096, recipients_max: 4 };

/// What a session made of the bytes.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Outcome {
    /// What was answered.
    pub(crate) said: Vec<u8>,
    /// What was handed over.
    pub(crate) mails: Vec<Mail>,
    /// It ended by itself.
    pub(crate) closed: bool,
}

/// Hands in `input` whole and in pieces, and panics where something does not hold.
pub(crate) fn check(input: &[u8]) -> Outcome {
    let whole = run(input, input.len());
    for size in [1, 7, 100] {
        assert_eq!(run(input, size), whole, "in pieces of {size}");
    }
    for line in whole.said.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").expect("a whole line");
        assert!(line.len() <= 512 && text.iter().all(|byte| (b' '..=b'~').contains(byte)));
        assert!(text[..3].iter().all(u8::is_ascii_digit), "{}", text.escape_ascii());
    }
    for mail in &whole.mails {
        assert!(mail.raw.len() <= LIMITS.message_len_max);
        assert!((1..=LIMITS.recipients_max).contains(&mail.recipients.len()));
        let paths = mail.recipients.iter().chain([&mail.sender]);
        assert!(paths.into_iter().all(|path| path.len() < LINE_LEN_MAX));
    }
    whole
}

fn run(input: &[u8], size: usize) -> Outcome {
    let mut outcome = Outcome { said: Vec::new(), mails: Vec::new(), closed: false };
    let mut session = Session::new("mx1.example.org", LIMITS, &mut outcome.said);
    for piece in input.chunks(size.max(1)) {
        hear(&mut session, piece, &mut outcome);
        if outcome.closed {
            break;
        }
    }
    assert!(session.errors() <= ERRORS_MAX);
    outcome
}

fn hear(session: &mut Session, mut piece: &[u8], outcome: &mut Outcome) {
    loop {
        match session.step(&mut piece, &mut outcome.said) {
            Step::More => return assert!(piece.is_empty(), "left behind"),
            Step::Closed => {
                outcome.closed = true;
                return;
            }
            Step::Recipient(recipient) => {
                let known = recipient.len().is_multiple_of(2);
                let reply = if known { Reply::Taken } else { Reply::Refused("odd".into()) };
                session.admit(&reply, &mut outcome.said);
            }
            Step::Mail(mail) => {
                session.settle(&[Reply::Taken, Reply::Later("\r\n250 forged".into())], &mut outcome.said);
                outcome.mails.push(mail);
            }
        }
    }
}
