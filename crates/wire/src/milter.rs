//! The mail filter protocol of Sendmail and Postfix (‘milter’), version 6.
//!
//! An MTA opens one connection for each SMTP session and sends each step of it as a
//! packet; the filter answers some of them. Both first agree on which steps are sent and
//! which are answered. No RFC covers it; the texts we follow are libmilter's
//! documentation, its `mfdef.h`, and Postfix's [MILTER_README].
//!
//! This module turns bytes into a [`Command`] and a [`Reply`] into bytes, and says what to
//! ask of an MTA ([`negotiate`]). It opens no socket, reads no clock and remembers
//! nothing: `edge::milter` reads, and hands in what it has so far. The other direction,
//! [`Command::write`] and [`Told`], is for who plays the MTA in tests and load generators.
//!
//! There is no way to discard a message here, though the protocol has one: nobody would
//! learn that mail was lost. Nor can a body or an envelope be changed.
//!
//! [MILTER_README]: https://www.postfix.org/MILTER_README.html

mod client;
mod command;
mod error;
mod macros;
mod negotiate;
mod packet;
mod reply;
mod text;

pub use client::Told;
pub use command::{Command, Peer};
pub use error::{CommandError, FieldError, NegotiationError, PacketError, TextError};
pub use macros::{MacroList, Stage, write_macros};
pub use negotiate::{Actions, Offer, Protocol, Settings, VERSION, Wish, negotiate};
pub use packet::{PACKET_LEN_MAX, Packet, split_packet};
pub use reply::{FIELD_LEN_MAX, NewField, Reply};
pub use text::{LINE_LEN_MAX, REPLY_LEN_MAX, ReplyText};
