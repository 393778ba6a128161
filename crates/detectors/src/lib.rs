//! Judgement: from what was seen to a finding, one file per offence.
//!
//! A detector is a value without state of its own: it owns a slot in the key's one
//! [`Record`] and learns the time from what it sees, so a year replays the same. The
//! classifiers of HELO and reverse DNS stand here too; `answers` uses them at RCPT.
//!
//! Quiet: no I/O, no clock, no threads, no randomness.

pub mod account;
pub mod attachment;
pub mod backscatter;
pub mod bot;
pub mod catalogue;
pub mod conduct;
pub mod dictionary;
pub mod distinct;
pub mod dynamic;
pub mod facts;
pub mod flood;
pub mod forged;
pub mod greylist;
pub mod greytrap;
pub mod hash_flood;
pub mod helo;
pub mod hosts;
pub mod looks;
pub mod org;
pub mod ours;
pub mod providers;
pub mod ranges;
pub mod rdns;
pub mod record;
pub mod repeats;
pub mod reports;
pub mod score;
pub mod seen;
pub mod traps;
pub mod virus;
pub mod volume;

pub use looks::Look;
pub use record::Record;
pub use score::{ConnectionScore, Lessons};
pub use seen::{Act, Context, Detector, Ended, Fit, GreyHit, Report, Seen, Traits};

/// Every detector, in the order in which their findings are heard: of two that fire at one fact
/// the first opens a case, so the longer sentence comes first.
pub const DETECTORS: &[&dyn Detector] = &[
    &bot::Bot,
    &hash_flood::HashFlood,
    &volume::SpamVolume,
    &traps::Trap,
    &helo::OurName,
    &reports::Reports,
    &virus::Virus,
    &attachment::Attachment,
    &forged::ForgedSender,
    &backscatter::Backscatter,
    &greytrap::Greytrap,
    &conduct::EarlyTalker,
    &conduct::Protocol,
    &dictionary::Dictionary,
    &flood::Flood,
];
