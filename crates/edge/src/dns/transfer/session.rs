//! One signed question and its answers (RFC 8945 §5).

use std::sync::Arc;

use wire::dns::{Answered, Query, Response, Tsig, UDP_LEN_MIN, rcode, tsig_error};

use super::Refused;
use super::key::TransferKey;

/// How many seconds the clocks of both sides may differ (§10).
pub(super) const FUDGE: u16 = 300;

/// A question that was signed by somebody who has one of our keys; its answers are signed, too.
#[derive(Debug)]
pub(super) struct Session {
    key: Arc<TransferKey>,
    /// The signature before the next one.
    prior: Vec<u8>,
    /// The next message is the first answer.
    is_first: bool,
}

/// What a question's signature says.
#[derive(Debug)]
pub(super) enum Heard {
    /// There is none.
    Unsigned,
    /// It holds: what was signed, and how to answer.
    Signed(Vec<u8>, Session),
    /// It does not: the answer, if it is one to a question, and why, for the log.
    Wrong(Option<Vec<u8>>, Refused),
    /// The message does not parse.
    Malformed,
}

/// Looks at the signature of a question at `now`, in seconds since 1970.
pub(super) fn hear(request: &[u8], keys: &[Arc<TransferKey>], now: u64) -> Heard {
    let (signed, tsig) = match Tsig::split(request) {
        Ok(None) => return Heard::Unsigned,
        Ok(Some(split)) => split,
        Err(_) => return Heard::Malformed,
    };
    let known =
        |key: &&Arc<TransferKey>| key.name().name() == tsig.key && key.algorithm().name() == tsig.algorithm;
    // §5.2.1: ‘the server MUST generate an error response with RCODE 9 (NOTAUTH) and TSIG ERROR
    // 17 (BADKEY)’.
    let Some(key) = keys.iter().find(known) else {
        return Heard::Wrong(unsigned(request, &tsig, tsig_error::BADKEY), Refused::UnknownKey);
    };
    // §5.2.2.1: longer than the hash, or shorter than its half, is no signature at all.
    if tsig.mac.len() > key.mac_len() || tsig.mac.len() < key.mac_len() / 2 {
        return Heard::Malformed;
    }
    let is_cut = tsig.mac.len() < key.mac_len();
    if is_cut || !key.confirms(&[&signed, &tsig.variables()], tsig.mac) {
        // A cut one we do not even try; it has no answer that would tell more.
        return Heard::Wrong(unsigned(request, &tsig, tsig_error::BADSIG), Refused::WrongSignature);
    }
    let session = Session { key: key.clone(), prior: tsig.mac.to_vec(), is_first: true };
    if now.abs_diff(tsig.time) > u64::from(tsig.fudge.min(FUDGE)) {
        let answer = session.bad_time(request, &tsig, now);
        return Heard::Wrong(answer, Refused::WrongTime);
    }
    Heard::Signed(signed, session)
}

/// The beginning of an answer that says NOTAUTH; none to what is no question.
fn refusal(request: &[u8]) -> Option<Vec<u8>> {
    let query = Query::parse(request).ok()?;
    let mut answer = vec![0; UDP_LEN_MIN];
    let len = Response::to(&query, &mut answer, UDP_LEN_MIN, 0).finish(rcode::NOTAUTH, &Answered::default());
    answer.truncate(len);
    Some(answer)
}

/// §5.3.2: an answer to what can not be verified is not signed.
fn unsigned(request: &[u8], tsig: &Tsig<'_>, error: u16) -> Option<Vec<u8>> {
    let mut answer = refusal(request)?;
    Tsig { mac: &[], error, other: &[], fudge: FUDGE, ..*tsig }.put(&mut answer);
    Some(answer)
}

impl Session {
    /// A session that begins with a message of ours: signs it.
    pub(super) fn begin(key: Arc<TransferKey>, message: &mut Vec<u8>, now: u64) -> Session {
        let mac = {
            let tsig = tsig(&key, message, now);
            let mac = key.sign(&[message, &tsig.variables()]);
            Tsig { mac: &mac, ..tsig }.put(message);
            mac
        };
        Session { key, prior: mac, is_first: true }
    }

    /// Whether an answer to the message with which it began is signed with the same key.
    pub(super) fn confirms(&self, answer: &[u8], now: u64) -> bool {
        let Ok(Some((signed, tsig))) = Tsig::split(answer) else { return false };
        let parts: [&[u8]; 4] = [&octets(self.prior.len()), &self.prior, &signed, &tsig.variables()];
        let is_ours = tsig.key == self.key.name().name() && tsig.algorithm == self.key.algorithm().name();
        is_ours && self.key.confirms(&parts, tsig.mac) && now.abs_diff(tsig.time) <= u64::from(FUDGE)
    }

    /// Signs the next answer at `now`.
    pub(super) fn sign(&mut self, message: &mut Vec<u8>, now: u64) {
        let key = self.key.clone();
        let tsig = tsig(&key, message, now);
        // §5.3.1: behind the first message stands all of the record, behind others its times.
        let behind = if self.is_first { tsig.variables() } else { tsig.timers().to_vec() };
        let mac = key.sign(&[&octets(self.prior.len()), &self.prior, message, &behind]);
        Tsig { mac: &mac, ..tsig }.put(message);
        (self.prior, self.is_first) = (mac, false);
    }

    /// §5.2.3: signed, at the time of the question so that the client can verify it, with ours
    /// behind it.
    fn bad_time(&self, request: &[u8], asked: &Tsig<'_>, now: u64) -> Option<Vec<u8>> {
        let mut answer = refusal(request)?;
        let [_, _, ours @ ..] = now.to_be_bytes();
        let tsig = Tsig { error: tsig_error::BADTIME, other: &ours, mac: &[], ..*asked };
        let mac = self.key.sign(&[&octets(self.prior.len()), &self.prior, &answer, &tsig.variables()]);
        Tsig { mac: &mac, ..tsig }.put(&mut answer);
        Some(answer)
    }
}

/// The record of a message that is signed now, still without its signature.
fn tsig<'k>(key: &'k TransferKey, message: &[u8], now: u64) -> Tsig<'k> {
    let id = message.first_chunk::<2>().copied().unwrap_or_default();
    Tsig {
        key: key.name().name(),
        algorithm: key.algorithm().name(),
        time: now,
        fudge: FUDGE,
        mac: &[],
        original_id: u16::from_be_bytes(id),
        error: 0,
        other: &[],
    }
}

/// The length of a signature in front of it (§5.3).
fn octets(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}
