//! The words of Mailward.
//!
//! What a key is, what a sensor reports, what a detector finds, how long a sentence
//! lasts, how a case lives and ends, and the bytes in which decisions are kept for
//! ever. Every other crate speaks in these types.
//!
//! Quiet: no I/O, no clock, no randomness. Stored forms are CBOR (RFC 8949) in its
//! deterministic encoding; their exact bytes are pinned by golden tests.

pub mod atlas;
pub mod case;
pub mod class;
pub mod codes;
pub mod command;
pub mod content;
pub mod damage;
pub mod event;
pub mod evidence;
pub mod exhibit;
pub mod feed;
pub mod few;
pub mod finding;
pub mod greylist;
pub mod habits;
pub mod input;
pub mod key;
pub mod ladder;
pub mod lasts;
pub mod lesson;
pub mod letter;
pub mod name;
pub mod observation;
pub mod policy;
pub mod protected;
pub mod reasons;
pub mod sentence;
pub mod signatures;
pub mod site;
pub mod standing;
pub mod time;
pub mod window;

pub use atlas::Atlas;
pub use case::{BlockKind, Case, CaseId, Force};
pub use class::Class;
pub use codes::{Codes, SUB_ZONES, SubZone};
pub use command::{Actor, Command, Entry, Order, Record};
pub use content::Content;
pub use event::{Body, Envelope, EventId, Mode, NetworkNews, Node, Sealed};
pub use evidence::Evidence;
pub use exhibit::{Exhibit, ExhibitId, Redacted};
pub use feed::{FeedAdopted, FeedKind, FeedName, FeedNews};
pub use few::Few;
pub use finding::{Facts, Finding, Offence, Units};
pub use greylist::Greylist;
pub use habits::Habits;
pub use input::{Frame, Input};
pub use key::{Domain, Key, Prefix};
pub use lasts::Lasts;
pub use lesson::{Lesson, Slight, Subject};
pub use letter::Letter;
pub use name::{DomainHash, Name, PersonHash};
pub use observation::{
    Answered, Attempt, Client, Conduct, Connected, Fact, Habit, Judgement, Message, Observation, Rdns,
    Rejected, Rejection, Reported, Sensor, Sent, Verdict, Vote,
};
pub use policy::Policy;
pub use protected::{Cleared, Protected};
pub use reasons::{REASONS, Reason};
pub use sentence::{Severity, Tariff};
pub use site::{LinkKey, Site};
pub use standing::Standing;
pub use time::{Hybrid, Millis, Secs};
