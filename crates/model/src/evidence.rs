//! What is kept of one session that led to a block: the facts of its connection, and the
//! name of the exhibit that holds its headers.
//!
//! A row beside the ledger, with an expiry; the event holds only a salted commitment to
//! it. `answers` decides which of it may be shown to whom (REQUIREMENTS D.6).

use minicbor::{Decode, Encode};

use crate::exhibit::ExhibitId;
use crate::name::{Name, PersonHash};
use crate::observation::{Client, Judgement, Sensor};
use crate::policy::TrapKind;
use crate::time::{Millis, Secs};

/// The most samples of one case: a full set would let a sender wash its list.
pub const SAMPLES_MAX: usize = 5;
/// How long evidence is kept after it was taken: longer than the longest sentence and the
/// month in which its page stays.
pub const KEPT: Secs = Secs(90 * 86_400);

/// One session behind a block.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Evidence {
    /// When it happened.
    #[n(0)]
    pub at: Millis,
    /// The client as it connected: address, port, HELO, reverse DNS.
    #[n(1)]
    pub client: Client,
    /// Who saw it.
    #[n(2)]
    pub sensor: Sensor,
    /// The envelope sender; `None` is the null sender.
    #[n(3)]
    pub sender: Option<PersonHash>,
    /// Recipients of the message.
    #[n(4)]
    pub recipients: u16,
    /// The judgement, if there was one.
    #[n(5)]
    pub judgement: Option<Judgement>,
    /// The judge's score in hundredths.
    #[n(6)]
    pub score: Option<i32>,
    /// Which judge.
    #[n(7)]
    pub source: Option<Name>,
    /// It went to a trap. Never shown.
    #[n(8)]
    pub trap: Option<TrapKind>,
    /// Where the headers of its message are kept; `None` where no sensor saw them.
    #[n(9)]
    pub exhibit: Option<ExhibitId>,
}
