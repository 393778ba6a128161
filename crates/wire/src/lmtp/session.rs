//! One session: which command may come when, and what is answered.

use super::command::{Command, Wrong};
use super::data::Data;
use super::reply::{Reply, line};

/// The most octets of a command line with its end; RFC 5321 §4.5.3.1.4 asks for 512, and
/// extensions add to it.
pub const LINE_LEN_MAX: usize = 4096;

/// The most lines that can not be obeyed; then the session is closed. Postfix's own limit
/// (`smtpd_hard_error_limit`).
pub const ERRORS_MAX: u32 = 20;

/// How much one session may hand over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most octets of one message.
    pub message_len_max: usize,
    /// The most recipients of one message; RFC 5321 §4.5.3.1.8 asks for 100.
    pub recipients_max: usize,
}

impl Default for Limits {
    /// 25 MiB, what large mailbox providers take, and 100 recipients.
    fn default() -> Limits {
        Limits { message_len_max: 25 * 1024 * 1024, recipients_max: 100 }
    }
}

/// A message that came to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mail {
    /// The envelope sender without `<>`; empty is the null sender.
    pub sender: Vec<u8>,
    /// The recipients that were taken, without `<>`, in order; one may be there twice.
    pub recipients: Vec<Vec<u8>>,
    /// The message as sent, without the dots of the protocol.
    pub raw: Vec<u8>,
}

/// What a session needs next.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    /// More bytes.
    More,
    /// The caller's word on this recipient: [`Session::admit`].
    Recipient(Vec<u8>),
    /// The caller's words on this message: [`Session::settle`].
    Mail(Mail),
    /// Nothing: the connection is to be closed when all is sent.
    Closed,
}

/// One session with a client.
#[derive(Debug)]
pub struct Session {
    host: String,
    limits: Limits,
    /// What has come of the line that is not whole.
    line: Vec<u8>,
    /// The rest of a line that was too long is thrown away.
    skipping: bool,
    greeted: bool,
    errors: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No message is under way.
    Idle,
    /// It has a sender.
    Envelope(Envelope),
    /// The caller was asked about this recipient.
    Asked(Envelope, Vec<u8>),
    /// Its data comes.
    Data(Envelope, Data),
    /// The caller was asked about this many recipients.
    Settling(usize),
    Closed,
}

#[derive(Debug, Default)]
struct Envelope {
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
}

impl Session {
    /// A session that calls itself `host`; it writes its greeting to `out`.
    pub fn new(host: &str, limits: Limits, out: &mut Vec<u8>) -> Session {
        line(out, "220", &format!("{host} LMTP Mailward"));
        let host = host.to_owned();
        let (line, state) = (Vec::new(), State::Idle);
        Session { host, limits, line, skipping: false, greeted: false, errors: 0, state }
    }

    /// Takes bytes off the front of `input` until it needs something; writes answers to `out`.
    ///
    /// What is left of `input` must be handed in again behind [`Session::admit`] or
    /// [`Session::settle`], without which nothing is taken; nor is it after [`Step::Closed`].
    pub fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Step {
        loop {
            match std::mem::replace(&mut self.state, State::Idle) {
                State::Closed => {
                    self.state = State::Closed;
                    return Step::Closed;
                }
                State::Settling(count) => {
                    self.state = State::Settling(count);
                    return Step::More;
                }
                State::Asked(envelope, recipient) => {
                    self.state = State::Asked(envelope, recipient.clone());
                    return Step::Recipient(recipient);
                }
                State::Data(envelope, mut data) => {
                    let (taken, end) = data.take(input);
                    *input = &input[taken..];
                    if !end {
                        self.state = State::Data(envelope, data);
                        return Step::More;
                    }
                    if let Some(mail) = self.end_of_data(envelope, data, out) {
                        return Step::Mail(mail);
                    }
                }
                state => {
                    self.state = state;
                    let Some(line) = self.next_line(input, out) else { return self.pause() };
                    self.obey(&line, out);
                }
            }
        }
    }

    /// Answers for the recipient that was asked about.
    pub fn admit(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Asked(mut envelope, recipient) => {
                if *reply == Reply::Taken {
                    envelope.recipients.push(recipient);
                }
                reply.write_to_rcpt(out);
                self.state = State::Envelope(envelope);
            }
            other => self.state = other,
        }
    }

    /// Answers for the message, one reply a recipient in their order; where one is missing,
    /// the MTA shall try again.
    pub fn settle(&mut self, replies: &[Reply], out: &mut Vec<u8>) {
        let State::Settling(count) = self.state else { return };
        let missing = Reply::Later("try again later".into());
        // RFC 2033 §4.2: one reply for each recipient that was taken, in the order of their
        // RCPT commands.
        for at in 0..count {
            replies.get(at).unwrap_or(&missing).write_to_data(out);
        }
        self.state = State::Idle;
    }

    /// Whether nothing is under way: no message, no line.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && self.line.is_empty() && !self.skipping
    }

    /// How many lines could not be obeyed so far.
    pub fn errors(&self) -> u32 {
        self.errors
    }

    fn pause(&self) -> Step {
        if matches!(self.state, State::Closed) { Step::Closed } else { Step::More }
    }

    /// The next whole command line, or `None` while there is none.
    fn next_line(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Vec<u8>> {
        loop {
            if matches!(self.state, State::Closed) {
                return None;
            }
            let end = memchr::memchr(b'\n', input);
            let (piece, rest) = input.split_at(end.map_or(input.len(), |at| at + 1));
            *input = rest;
            if self.skipping {
                self.skipping = end.is_none();
            } else if self.line.len() + piece.len() > LINE_LEN_MAX {
                (self.line, self.skipping) = (Vec::new(), end.is_none());
                self.wrong(Wrong("500 5.5.2", "line too long"), out);
            } else {
                self.line.extend_from_slice(piece);
                if end.is_some() {
                    return Some(std::mem::take(&mut self.line));
                }
            }
            end?;
        }
    }

    fn obey(&mut self, line_of: &[u8], out: &mut Vec<u8>) {
        match Command::read(line_of) {
            Ok(Command::Lhlo) => self.lhlo(out),
            Ok(Command::Mail { sender, size }) => self.mail(sender, size, out),
            Ok(Command::Rcpt { recipient }) => self.rcpt(recipient, out),
            Ok(Command::Data) => self.data(out),
            Ok(Command::Rset) => {
                self.state = State::Idle;
                line(out, "250 2.0.0", "forgotten");
            }
            Ok(Command::Noop) => line(out, "250 2.0.0", "ok"),
            Ok(Command::Quit) => {
                self.state = State::Closed;
                line(out, "221 2.0.0", "bye");
            }
            Ok(Command::NotHere) => self.wrong(Wrong("502 5.5.1", "not here; this is LMTP"), out),
            Err(wrong) => self.wrong(wrong, out),
        }
    }

    /// Counts what can not be obeyed, and closes the session when it was too much.
    fn wrong(&mut self, Wrong(codes, text): Wrong, out: &mut Vec<u8>) {
        self.errors += 1;
        line(out, codes, text);
        if self.errors >= ERRORS_MAX {
            self.state = State::Closed;
            line(out, "421 4.7.0", "too many errors");
        }
    }

    fn lhlo(&mut self, out: &mut Vec<u8>) {
        (self.greeted, self.state) = (true, State::Idle);
        let size = self.limits.message_len_max;
        for offer in [self.host.as_str(), "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"] {
            out.extend_from_slice(format!("250-{offer}\r\n").as_bytes());
        }
        line(out, "250", &format!("SIZE {size}"));
    }

    fn mail(&mut self, sender: Vec<u8>, size: u64, out: &mut Vec<u8>) {
        if !self.greeted || !matches!(self.state, State::Idle) {
            return self.wrong(Wrong("503 5.5.1", "not now"), out);
        }
        if size > self.limits.message_len_max as u64 {
            // RFC 1870 §6.1
            return line(out, "552 5.3.4", "message too long");
        }
        self.state = State::Envelope(Envelope { sender, recipients: Vec::new() });
        line(out, "250 2.1.0", "sender taken");
    }

    fn rcpt(&mut self, recipient: Vec<u8>, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Envelope(envelope) if envelope.recipients.len() < self.limits.recipients_max => {
                self.state = State::Asked(envelope, recipient);
            }
            State::Envelope(envelope) => {
                self.state = State::Envelope(envelope);
                // RFC 5321 §4.5.3.1.10
                line(out, "452 4.5.3", "too many recipients");
            }
            other => {
                self.state = other;
                self.wrong(Wrong("503 5.5.1", "MAIL first"), out);
            }
        }
    }

    fn data(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Envelope(envelope) if !envelope.recipients.is_empty() => {
                self.state = State::Data(envelope, Data::new(self.limits.message_len_max));
                line(out, "354", "end with a dot alone on a line");
            }
            // RFC 2033 §4.2, where no recipient was taken: ‘the DATA command MUST fail with a 503
            // reply code’.
            other => {
                self.state = other;
                self.wrong(Wrong("503 5.5.1", "no recipients"), out);
            }
        }
    }

    /// The message, unless it was too long for anybody.
    fn end_of_data(&mut self, envelope: Envelope, data: Data, out: &mut Vec<u8>) -> Option<Mail> {
        let Envelope { sender, recipients } = envelope;
        let Some(raw) = data.finish() else {
            recipients.iter().for_each(|_| line(out, "552 5.3.4", "message too long"));
            return None;
        };
        self.state = State::Settling(recipients.len());
        Some(Mail { sender, recipients, raw })
    }
}
