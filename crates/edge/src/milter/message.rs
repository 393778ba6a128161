//! One message while it comes in, and the letter that it becomes.

use model::letter::{FIELDS_LEN_MAX, Field, RECIPIENTS_MAX, Tls};
use model::{CaseId, Client, Letter, Millis, Name};
use sha2::{Digest, Sha256};
use wire::authres;

use super::About;
use super::held::Share;

/// The most octets of a path that are kept: RFC 5321 §4.5.3.1 asks for 256, Postfix takes
/// lines of 2048.
const PATH_LEN_MAX: usize = 1024;
/// The most octets of a queue id that are kept; Postfix's long ones have 15.
const QUEUE_ID_LEN_MAX: usize = 64;
/// The most forged fields that are removed from one message. An MTA looks for each anew
/// through all fields, and real mail has none.
const FORGED_MAX: usize = 1000;

/// A message that is not at its end.
#[derive(Debug)]
pub(super) struct Draft {
    /// Which message of which session.
    pub(super) session: u64,
    /// The sender, without `<>`.
    pub(super) sender: Vec<u8>,
    /// MAIL came with ESMTP parameters.
    pub(super) extended: bool,
    /// The case that would have refused a recipient.
    pub(super) would: Option<CaseId>,
    /// Its fields and body are of no use: it comes from our own people.
    pub(super) unread: bool,
    /// A recipient of it was refused, by us or by the MTA.
    pub(super) refused: bool,
    queue_id: Vec<u8>,
    began: Option<Millis>,
    recipients: Vec<Vec<u8>>,
    recipients_more: u32,
    fields: Vec<Field>,
    fields_len: usize,
    fields_whole: bool,
    forged: Forged,
    body: Vec<u8>,
    body_len: u64,
    hash: Sha256,
    read_whole: bool,
    share: Share,
}

/// A message at its end, and what is needed to end it.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) letter: Letter,
    pub(super) about: About,
    pub(super) forged: Forged,
    pub(super) share: Share,
}

/// What a session adds to a letter.
pub(super) struct Around<'a> {
    pub(super) client: Client,
    pub(super) through: Option<Client>,
    pub(super) tls: Option<&'a Tls>,
    pub(super) mx: &'a Name,
    pub(super) at: Millis,
    pub(super) counts: bool,
}

impl Draft {
    pub(super) fn new(session: u64, path: &[u8], extended: bool, unread: bool, share: Share) -> Draft {
        Draft {
            session,
            sender: bare(path),
            extended,
            would: None,
            unread,
            refused: false,
            queue_id: Vec::new(),
            began: None,
            recipients: Vec::new(),
            recipients_more: 0,
            fields: Vec::new(),
            fields_len: 0,
            fields_whole: true,
            forged: Forged::default(),
            body: Vec::new(),
            body_len: 0,
            hash: Sha256::new(),
            read_whole: true,
            share,
        }
    }

    /// Takes its name in the queue, once the MTA has one.
    pub(super) fn name(&mut self, queue_id: &[u8]) {
        if self.queue_id.is_empty() {
            self.queue_id = cut(queue_id, QUEUE_ID_LEN_MAX).to_vec();
        }
    }

    pub(super) fn queue_id(&self) -> &[u8] {
        &self.queue_id
    }

    /// A recipient was named at `now`, whatever we answer.
    pub(super) fn asked(&mut self, now: Millis) {
        self.began.get_or_insert(now);
    }

    /// A recipient was taken.
    pub(super) fn accept(&mut self, path: &[u8]) {
        if self.recipients.len() < RECIPIENTS_MAX {
            self.recipients.push(bare(path));
        } else {
            self.recipients_more = self.recipients_more.saturating_add(1);
        }
    }

    pub(super) fn recipients(&self) -> &[Vec<u8>] {
        &self.recipients
    }

    /// Takes a header field; `leading_space` if its value still has the space behind the
    /// colon. Says whether there was room for it in memory.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8], leading_space: bool, mx: &Name) -> bool {
        if self.unread {
            return true;
        }
        self.forged.look(name, value, mx);
        let value = normal(value, leading_space);
        let len = name.len() + value.len() + 3;
        let fits = self.fields_whole && self.fields_len + len <= FIELDS_LEN_MAX;
        self.fields_whole = fits && self.share.grow(len);
        if self.fields_whole {
            self.fields_len += len;
            self.fields.push(Field { name: name.to_vec(), value });
        }
        self.fields_whole == fits
    }

    /// Takes a piece of the body, and holds up to `held_max` octets of all of it.
    pub(super) fn body(&mut self, piece: &[u8], held_max: usize) -> Held {
        if self.unread {
            return Held::Part;
        }
        self.hash.update(piece);
        let before = self.body_len == self.body.len() as u64;
        self.body_len += piece.len() as u64;
        if !before {
            return Held::Part;
        }
        let kept = cut(piece, held_max.saturating_sub(self.body.len()));
        if !self.share.grow(kept.len()) {
            return Held::NoRoom;
        }
        self.body.extend_from_slice(kept);
        if kept.len() == piece.len() { Held::All } else { Held::Part }
    }

    /// The rest of the body will not come.
    pub(super) fn skip(&mut self) {
        self.read_whole = false;
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Its end has come.
    pub(super) fn whole(self, around: Around<'_>) -> Whole {
        let letter = Letter {
            began: self.began.unwrap_or(around.at),
            at: around.at,
            session: self.session,
            client: around.client,
            through: around.through,
            mx: around.mx.clone(),
            queue_id: self.queue_id,
            protocol: protocol(around.tls.is_some(), self.extended).to_vec(),
            tls: around.tls.cloned(),
            sender: self.sender,
            recipients: self.recipients,
            recipients_more: self.recipients_more,
            fields: self.fields,
            fields_whole: self.fields_whole,
            body: self.body,
            body_len: self.body_len,
            body_hash: self.read_whole.then(|| self.hash.finalize().into()),
        };
        let about = About { counts: around.counts, would: self.would };
        Whole { letter, about, forged: self.forged, share: self.share }
    }
}

/// What became of a piece of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Held {
    /// All of it is held.
    All,
    /// It goes beyond what is held of one body.
    Part,
    /// There is no room for it beside all others.
    NoRoom,
}

/// What `with` says in our MTA's Received field (RFC 3848). A milter does not hear whether
/// the client said HELO or EHLO, but TLS and parameters need EHLO.
fn protocol(tls: bool, extended: bool) -> &'static [u8] {
    match (tls, extended) {
        (true, _) => b"ESMTPS",
        (false, true) => b"ESMTP",
        (false, false) => b"SMTP",
    }
}

/// A path without `<>`.
fn bare(path: &[u8]) -> Vec<u8> {
    let inner = path.strip_prefix(b"<").and_then(|p| p.strip_suffix(b">")).unwrap_or(path);
    cut(inner, PATH_LEN_MAX).to_vec()
}

fn cut(bytes: &[u8], len_max: usize) -> &[u8] {
    &bytes[..bytes.len().min(len_max)]
}

/// A field's value as it came: with the space behind the colon, and CRLF between its lines.
fn normal(value: &[u8], leading_space: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    if !leading_space {
        out.push(b' ');
    }
    for byte in value {
        if *byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// Fields that claim to be ours and can not be.
#[derive(Debug, Default)]
pub(super) struct Forged {
    /// How many fields of the name there were.
    seen: u32,
    /// The numbers of the forged ones among them, from 1.
    forged: Vec<u32>,
    more: bool,
}

impl Forged {
    fn look(&mut self, name: &[u8], value: &[u8], mx: &Name) {
        if !name.eq_ignore_ascii_case(authres::NAME.as_bytes()) {
            return;
        }
        self.seen = self.seen.saturating_add(1);
        if !authres::claims(value, mx.as_bytes()) {
            return;
        }
        self.more |= self.forged.len() == FORGED_MAX;
        if !self.more {
            self.forged.push(self.seen);
        }
    }

    /// Their numbers, ascending.
    pub(super) fn indices(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.forged.iter().copied()
    }

    /// There were more than are removed.
    pub(super) fn more(&self) -> bool {
        self.more
    }
}
