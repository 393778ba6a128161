//! The messages of one long answer (RFC 5936 §2.2, RFC 1995 §4).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use answers::record_text;
use model::Codes;
use projections::records::{Change, Owner, Row, Rows, Zone, owner_text};
use wire::dns::{HEADER_LEN, NAME_LEN_MAX, class, rtype};

use super::edition::{Edition, Step};
use super::session::Session;
use super::{Inner, unix_now};

/// Octets of one message, about: large enough that the signature's hash weighs nothing, small
/// enough for a compression that reaches 16 KiB only (RFC 5936 §2.2 leaves it open).
const MESSAGE_LEN: usize = 16 * 1024;

/// After this time a transfer ends, wherever it is: whoever takes longer holds memory of states
/// that are gone.
const LASTS_MAX: Duration = Duration::from_secs(600);

/// One record of a transfer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Piece {
    /// The start of the zone, with this number.
    Soa(u32),
    /// One of its servers.
    Ns(usize),
    /// A code.
    A(Owner, u8),
    /// The reason.
    Txt(Row),
    /// What a response policy does: such an answer is none.
    Policy(Owner),
}

/// A whole zone.
pub(super) fn whole(edition: &Edition, servers: usize) -> impl Iterator<Item = Piece> + Send + use<> {
    let (zone, soa) = (edition.zone, Piece::Soa(edition.serial));
    let rows = Rows::new(&edition.entries, zone);
    let rows = rows.flat_map(move |row| pieces(&zone, row));
    [soa.clone()].into_iter().chain((0..servers).map(Piece::Ns)).chain(rows).chain([soa])
}

/// What changed, step by step.
pub(super) fn steps(edition: &Edition, steps: Vec<Arc<Step>>) -> impl Iterator<Item = Piece> + Send + use<> {
    let (zone, soa) = (edition.zone, Piece::Soa(edition.serial));
    let steps = steps.into_iter().flat_map(move |step| {
        let mut pieces = vec![Piece::Soa(step.from)];
        pieces
            .extend(step.changes.iter().flat_map(|change| apart(&zone, change, change.before, change.after)));
        pieces.push(Piece::Soa(step.to));
        pieces
            .extend(step.changes.iter().flat_map(|change| apart(&zone, change, change.after, change.before)));
        pieces
    });
    [soa.clone()].into_iter().chain(steps).chain([soa])
}

/// The records of one row.
fn pieces(zone: &Zone, row: Row) -> Vec<Piece> {
    if zone.is_policy {
        return vec![Piece::Policy(row.owner)];
    }
    let mut pieces: Vec<_> = row.codes.octets().map(|last| Piece::A(row.owner.clone(), last)).collect();
    pieces.push(Piece::Txt(row));
    pieces
}

/// The records that one side of a change has and the other has not.
fn apart(zone: &Zone, change: &Change, codes: Codes, other: Codes) -> Vec<Piece> {
    let row = |codes| Row { owner: change.owner.clone(), codes };
    let all = if codes.is_empty() { Vec::new() } else { pieces(zone, row(codes)) };
    let others = if other.is_empty() { Vec::new() } else { pieces(zone, row(other)) };
    all.into_iter().filter(|piece| !others.contains(piece)).collect()
}

/// Messages with records, made one at a time, each signed.
pub(super) struct Messages {
    inner: Arc<Inner>,
    zone: Zone,
    /// Header and question, which stand in front of each.
    head: Vec<u8>,
    /// Octets that a name may have in front of the zone's.
    front_len_max: usize,
    session: Session,
    pieces: Box<dyn Iterator<Item = Piece> + Send>,
    began: Instant,
    is_over: bool,
}

impl Messages {
    /// The messages of an answer that begins with `head`: a header and the question.
    pub(super) fn new(
        inner: Arc<Inner>,
        zone: Zone,
        head: Vec<u8>,
        session: Session,
        pieces: Box<dyn Iterator<Item = Piece> + Send>,
    ) -> Messages {
        inner.running.fetch_add(1, Relaxed);
        let zone_len = inner.apex.base_len + zone.label.len() + 1;
        let (front_len_max, began) = (NAME_LEN_MAX.saturating_sub(zone_len), Instant::now());
        Messages { inner, zone, head, front_len_max, session, pieces, began, is_over: false }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.inner.running.fetch_sub(1, Relaxed);
    }
}

impl Iterator for Messages {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_over || self.began.elapsed() > LASTS_MAX {
            return None;
        }
        let (mut message, mut count) = (self.head.clone(), 0u16);
        while message.len() < MESSAGE_LEN {
            let Some(piece) = self.pieces.next() else {
                self.is_over = true;
                break;
            };
            count += u16::from(self.put(&piece, &mut message));
        }
        if count == 0 {
            return None;
        }
        message[6..8].copy_from_slice(&count.to_be_bytes());
        self.session.sign(&mut message, unix_now());
        Some(message)
    }
}

/// A pointer to the question's name, which is the zone's (RFC 1035 §4.1.4).
const ZONE: [u8; 2] = [0xc0, HEADER_LEN as u8];

impl Messages {
    /// Writes a record; `false` for a name that is too long to stand in the zone.
    fn put(&self, piece: &Piece, message: &mut Vec<u8>) -> bool {
        let apex = &self.inner.apex;
        let (rtype, data) = match piece {
            Piece::Soa(serial) => (rtype::SOA, apex.soa(*serial)),
            Piece::Ns(nth) => match apex.servers.get(*nth) {
                Some(server) => (rtype::NS, server.name().as_bytes().to_vec()),
                None => return false,
            },
            Piece::A(_, last) => (rtype::A, vec![127, 0, 0, *last]),
            Piece::Txt(row) => {
                let text = record_text(&self.inner.site, &row.owner, row.codes);
                let text = text.get().as_bytes();
                // At most 255.
                (rtype::TXT, [&[text.len() as u8], text].concat())
            }
            Piece::Policy(_) => (rtype::CNAME, vec![0]),
        };
        let name = match piece {
            Piece::Soa(_) | Piece::Ns(_) => Some(ZONE.to_vec()),
            Piece::A(owner, _) | Piece::Policy(owner) => self.name_of(owner),
            Piece::Txt(row) => self.name_of(&row.owner),
        };
        let fits = name.is_some();
        name.iter().for_each(|name| record(message, name, rtype, apex.ttl, &data));
        fits
    }

    /// A name in front of the zone's, and the pointer to that.
    fn name_of(&self, owner: &Owner) -> Option<Vec<u8>> {
        let text = owner_text(owner, &self.zone);
        let mut name = Vec::with_capacity(text.len() + 3);
        for label in text.split('.') {
            name.push(u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len))?);
            name.extend_from_slice(label.as_bytes());
        }
        (name.len() <= self.front_len_max).then(|| [&name[..], &ZONE].concat())
    }
}

/// Writes the start of the zone behind a question.
pub(super) fn soa(inner: &Inner, serial: u32, message: &mut Vec<u8>) {
    record(message, &ZONE, rtype::SOA, inner.apex.ttl, &inner.apex.soa(serial));
}

fn record(message: &mut Vec<u8>, owner: &[u8], rtype: u16, ttl: u32, data: &[u8]) {
    message.extend_from_slice(owner);
    message.extend([rtype, class::IN].map(u16::to_be_bytes).as_flattened());
    message.extend(ttl.to_be_bytes());
    // A text has 256 octets at most, a SOA two names and twenty.
    message.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend_from_slice(data);
}
