use super::*;

/// A caller that takes everybody but `nobody@`, and answers each message as told.
struct Caller {
    session: Session,
    out: Vec<u8>,
    mails: Vec<Mail>,
}

impl Caller {
    fn new(limits: Limits) -> Caller {
        let mut out = Vec::new();
        let session = Session::new("mx1.example.org", limits, &mut out);
        Caller { session, out, mails: Vec::new() }
    }

    /// Hands in one piece; whether the session goes on.
    fn hear(&mut self, mut input: &[u8]) -> bool {
        loop {
            match self.session.step(&mut input, &mut self.out) {
                Step::More => return true,
                Step::Closed => return false,
                Step::Recipient(recipient) => {
                    let known = !recipient.starts_with(b"nobody@");
                    let reply = if known { Reply::Taken } else { Reply::Refused("no such user".into()) };
                    self.session.admit(&reply, &mut self.out);
                }
                Step::Mail(mail) => {
                    let replies: Vec<_> = mail.recipients.iter().map(|r| self.reply(r)).collect();
                    self.session.settle(&replies, &mut self.out);
                    self.mails.push(mail);
                }
            }
        }
    }

    fn reply(&self, recipient: &[u8]) -> Reply {
        match recipient {
            b"busy@example.org" => Reply::Later("over the limit".into()),
            b"odd@example.org" => Reply::Refused("no report\r\n250 forged".into()),
            _ => Reply::Taken,
        }
    }
}

/// What is answered to `input`, however it is cut.
#[track_caller]
fn check(limits: Limits, input: &str, expect: &[&str]) -> Vec<Mail> {
    let mut last = Vec::new();
    for size in [1, 2, 3, 7, 64, input.len()] {
        let mut caller = Caller::new(limits);
        for piece in input.as_bytes().chunks(size) {
            if !caller.hear(piece) {
                break;
            }
        }
        let said = String::from_utf8(caller.out).unwrap();
        let lines: Vec<_> = said.split_terminator("\r\n").skip(1).collect();
        assert_eq!(lines, expect, "in pieces of {size}");
        last = caller.mails;
    }
    last
}

const LHLO: [&str; 6] = [
    "250-mx1.example.org",
    "250-PIPELINING",
    "250-ENHANCEDSTATUSCODES",
    "250-8BITMIME",
    "250-SMTPUTF8",
    "250 SIZE 100",
];

const SMALL: Limits = Limits { message_len_max: 100, recipients_max: 3 };

fn with_lhlo<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&LHLO, rest].concat()
}

#[test]
fn a_message_is_answered_once_for_each_recipient_in_order() {
    let mails = check(
        SMALL,
        "LHLO a\r\nMAIL FROM:<s@example.net> SIZE=5\r\nRCPT TO:<a@example.org>\r\nRCPT \
         TO:<nobody@example.org>\r\nRCPT TO:<busy@example.org>\r\nRCPT TO:<odd@example.org>\r\nDATA\r\n..hi\r\n.\r\nQUIT\r\n",
        &with_lhlo(&[
            "250 2.1.0 sender taken",
            "250 2.1.5 recipient taken",
            "550 5.1.1 no such user",
            "250 2.1.5 recipient taken",
            "250 2.1.5 recipient taken",
            "354 end with a dot alone on a line",
            "250 2.0.0 message taken",
            "451 4.3.0 over the limit",
            "550 5.6.0 no report\\r\\n250 forged",
            "221 2.0.0 bye",
        ]),
    );
    let recipients = [&b"a@example.org"[..], b"busy@example.org", b"odd@example.org"].map(<[u8]>::to_vec);
    assert_eq!(
        mails,
        [Mail {
            sender: b"s@example.net".to_vec(),
            recipients: recipients.to_vec(),
            raw: b".hi\r\n".to_vec()
        }]
    );
}

#[test]
fn one_session_hands_over_many_messages() {
    let one = "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n.\r\n";
    let said = ["250 2.1.0 sender taken", "250 2.1.5 recipient taken", "354 end with a dot alone on a line"];
    let said = [&said[..], &["250 2.0.0 message taken"]].concat();
    let mails = check(SMALL, &format!("LHLO a\r\n{one}{one}"), &with_lhlo(&[said.clone(), said].concat()));
    assert_eq!(mails.len(), 2);
}

#[test]
fn commands_out_of_order_are_refused() {
    check(
        SMALL,
        "MAIL FROM:<>\r\nLHLO a\r\nRCPT TO:<a@example.org>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n",
        &[
            &["503 5.5.1 not now"][..],
            &LHLO,
            &["503 5.5.1 MAIL first", "503 5.5.1 no recipients", "250 2.1.0 sender taken"],
            &["503 5.5.1 not now", "503 5.5.1 no recipients"],
        ]
        .concat(),
    );
}

#[test]
fn rset_and_lhlo_forget_the_message() {
    check(
        SMALL,
        "LHLO a\r\nMAIL FROM:<>\r\nRSET\r\nRCPT TO:<a@example.org>\r\nMAIL FROM:<>\r\nLHLO a\r\nMAIL FROM:<>\r\n",
        &[
            &LHLO[..],
            &[
                "250 2.1.0 sender taken",
                "250 2.0.0 forgotten",
                "503 5.5.1 MAIL first",
                "250 2.1.0 sender taken",
            ],
            &LHLO,
            &["250 2.1.0 sender taken"],
        ]
        .concat(),
    );
}

#[test]
fn smtp_and_vrfy_are_refused() {
    let not = "502 5.5.1 not here; this is LMTP";
    check(SMALL, "EHLO a\r\nHELO a\r\nVRFY a\r\nSTARTTLS\r\n", &[not; 4]);
}

#[test]
fn a_message_too_long_is_refused_before_or_after_it_came() {
    check(SMALL, "LHLO a\r\nMAIL FROM:<> SIZE=101\r\n", &with_lhlo(&["552 5.3.4 message too long"]));
    let mails = check(
        SMALL,
        &format!(
            "LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n{}\r\n.\r\nNOOP\r\n",
            "x".repeat(99)
        ),
        &with_lhlo(&[
            "250 2.1.0 sender taken",
            "250 2.1.5 recipient taken",
            "250 2.1.5 recipient taken",
            "354 end with a dot alone on a line",
            "552 5.3.4 message too long",
            "552 5.3.4 message too long",
            "250 2.0.0 ok",
        ]),
    );
    assert_eq!(mails, []);
}

#[test]
fn recipients_beyond_the_limit_shall_come_again() {
    let input = format!("LHLO a\r\nMAIL FROM:<>\r\n{}", "RCPT TO:<a@b>\r\n".repeat(4));
    let taken = "250 2.1.5 recipient taken";
    let said = ["250 2.1.0 sender taken", taken, taken, taken, "452 4.5.3 too many recipients"];
    check(SMALL, &input, &with_lhlo(&said));
}

#[test]
fn a_line_too_long_is_skipped_and_costs_no_memory() {
    let long = "x".repeat(3 * LINE_LEN_MAX);
    check(SMALL, &format!("NOOP {long}\r\nNOOP\r\n"), &["500 5.5.2 line too long", "250 2.0.0 ok"]);
    let mut caller = Caller::new(SMALL);
    caller.hear(&vec![b'x'; 1 << 20]);
    assert!(!caller.session.is_idle());
    let debug = format!("{:?}", caller.session);
    assert!(debug.len() < 1000, "{} bytes", debug.len());
}

#[test]
fn too_many_errors_close_the_session() {
    let errors = ERRORS_MAX as usize;
    let mut expect = vec!["500 5.5.2 command not known"; errors];
    expect.push("421 4.7.0 too many errors");
    check(SMALL, &"x\r\n".repeat(errors + 5), &expect);
    let mut expect = vec!["500 5.5.2 line too long"; errors];
    expect.push("421 4.7.0 too many errors");
    check(SMALL, &format!("{}\r\n", "x".repeat(LINE_LEN_MAX)).repeat(errors + 5), &expect);
}

#[test]
fn answers_that_the_caller_forgot_are_try_again() {
    let mut out = Vec::new();
    let mut session = Session::new("mx1.example.org", SMALL, &mut out);
    let mut input = &b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"[..];
    assert_eq!(session.step(&mut input, &mut out), Step::Recipient(b"a@b".to_vec()));
    // Asked again, it says the same.
    assert_eq!(session.step(&mut input, &mut out), Step::Recipient(b"a@b".to_vec()));
    session.admit(&Reply::Taken, &mut out);
    session.admit(&Reply::Taken, &mut out);
    let mut input = &b"DATA\r\n.\r\nQUIT\r\n"[..];
    assert!(matches!(session.step(&mut input, &mut out), Step::Mail(_)));
    assert_eq!((session.step(&mut input, &mut out), input), (Step::More, &b"QUIT\r\n"[..]));
    out.clear();
    session.settle(&[], &mut out);
    session.settle(&[Reply::Taken], &mut out);
    assert_eq!(out, b"451 4.3.0 try again later\r\n");
}
