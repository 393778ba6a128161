//! Everything that touches a socket, a file or a clock.
//!
//! Servers and followers read what strangers send, answer with what `answers` made from
//! the newest [`Views`], and hand what they saw to the [`Intake`]. They judge nobody and
//! wait for nobody but their peer.
//!
//! What is needed from the program is a trait here, and the program implements it.

pub mod clock;
mod deadline;
mod decided;
pub mod dns;
mod greetings;
mod greylist;
pub mod intake;
pub mod listen;
pub mod lmtp;
mod manners;
mod meter;
pub mod milter;
pub mod persons;
mod pipe;
pub mod policy;
mod seats;
mod service;
mod trouble;
pub mod views;
pub mod xdp;

pub use clock::{Clock, Jump, NotManual, Start};
pub use greetings::{Existence, Greetings};
pub use greylist::WaitingRoom;
pub use intake::{Full, Intake};
pub use listen::ListenError;
pub use manners::{Lately, Manners};
pub use persons::Persons;
pub use views::{Published, Views};

#[cfg(test)]
mod testing;
