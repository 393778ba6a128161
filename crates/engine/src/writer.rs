//! Numbers, stamps and chains events.

use minicbor::{Decode, Encode};
use model::event::{Cause, Commitment, EventId, FORMAT, Node, RuleStamp};
use model::{Actor, Body, CaseId, Envelope, Frame, Hybrid, Key, Millis, Mode, Sealed};
use sha2::{Digest, Sha256};

/// Who writes: it stands in every event.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Origin {
    /// The site.
    #[n(0)]
    pub site: u64,
    /// The node.
    #[n(1)]
    pub node: Node,
    /// The life of its store.
    #[n(2)]
    pub life: u16,
    /// Epoch of the key that makes links.
    #[n(3)]
    pub link_epoch: u16,
}

/// The tip of the chain.
#[derive(Clone, Debug, Decode, Encode)]
pub(crate) struct Writer {
    #[n(0)]
    origin: Origin,
    /// Number of the newest event.
    #[n(1)]
    seq: u64,
    #[cbor(n(2), with = "minicbor::bytes")]
    prev: [u8; 32],
    #[n(3)]
    stamp: Hybrid,
    /// The engine's wall time: never goes back.
    #[n(4)]
    pub(crate) now: Millis,
    /// Position of the frame in work.
    #[n(5)]
    position: u64,
    #[cbor(n(6), with = "minicbor::bytes")]
    salt: [u8; 16],
    /// Salts drawn from this frame's.
    #[n(7)]
    salts: u32,
}

/// What differs from event to event.
pub(crate) struct Draft {
    pub(crate) cause: Cause,
    pub(crate) actor: Actor,
    pub(crate) rule: Option<RuleStamp>,
    pub(crate) mode: Mode,
    pub(crate) case: Option<CaseId>,
    pub(crate) key: Option<Key>,
    pub(crate) evidence: Vec<Commitment>,
    pub(crate) body: Body,
}

impl Writer {
    pub(crate) fn new(origin: Origin) -> Writer {
        Writer {
            origin,
            seq: 0,
            prev: [0; 32],
            stamp: Hybrid::default(),
            now: Millis(0),
            position: 0,
            salt: [0; 16],
            salts: 0,
        }
    }

    pub(crate) fn begin(&mut self, position: u64, frame: &Frame) {
        self.now = self.now.max(frame.wall);
        (self.position, self.salt, self.salts) = (position, frame.salt, 0);
    }

    /// The cause ‘input number `index` of this frame’.
    pub(crate) fn input(&self, index: u32) -> Cause {
        Cause::Input(self.position, index)
    }

    /// The id of the next event; a case is named after the event that opens it.
    pub(crate) fn next_id(&self) -> EventId {
        EventId { node: self.origin.node, life: self.origin.life, seq: self.seq + 1 }
    }

    /// The newest event and its hash.
    pub(crate) fn head(&self) -> (EventId, [u8; 32]) {
        (EventId { seq: self.seq, ..self.next_id() }, self.prev)
    }

    /// A salt for one side row, derived from the frame's random bytes.
    pub(crate) fn next_salt(&mut self) -> [u8; 16] {
        self.salts += 1;
        let digest = Sha256::new().chain_update(self.salt).chain_update(self.salts.to_be_bytes()).finalize();
        let mut salt = [0; 16];
        salt.copy_from_slice(&digest[..16]);
        salt
    }

    pub(crate) fn write(&mut self, draft: Draft) -> Sealed {
        let id = self.next_id();
        self.stamp = self.stamp.next(self.now);
        let envelope = Envelope {
            format: FORMAT,
            site: self.origin.site,
            id,
            prev: self.prev,
            at: self.stamp,
            cause: draft.cause,
            actor: draft.actor,
            rule: draft.rule,
            mode: draft.mode,
            case: draft.case,
            key: draft.key,
            scope: None,
            link_epoch: self.origin.link_epoch,
            evidence: draft.evidence.into_iter().map(Into::into).collect(),
            must_understand: false,
            body: draft.body,
        };
        let sealed = envelope.seal();
        (self.seq, self.prev) = (id.seq, sealed.hash);
        sealed
    }
}
