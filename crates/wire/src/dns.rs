//! DNS messages, as far as a block list answers them (RFC 1035, RFC 5782).
//!
//! [`Query::parse`] reads one message and never allocates: its names are slices of the
//! packet. [`Response`] writes an answer into a buffer of the caller's. What a name under a
//! list's zone denotes is read by [`Reversed`]: an address, a prefix, or nothing.
//!
//! A signature is taken off and put on by [`Tsig`]. What is not here: keys and hashes, and
//! transfers, which are `edge`'s; and what the answer is, which `projections::zone` knows.
//!
//! Everything is written by strangers, from addresses that they may have forged. So a
//! message that is a response, or too short to be anything, is no [`Query`] and has no
//! answer at all ([`QueryError::Silent`]); every other fault has the answer that its RFC
//! asks for, of the size of the query.

mod edns;
mod name;
mod owned;
mod query;
mod response;
mod reversed;
mod soa;
mod tsig;

pub use edns::{COOKIE_CLIENT_LEN, Edns};
pub use name::{DnsName, Inside, Labels, NAME_LEN_MAX, NameError};
pub use owned::{OwnedName, ParseNameError};
pub use query::{Opcode, Query, QueryError, Question};
pub use response::{Answered, Header, Response, Section};
pub use reversed::{Reversed, glimpse};
pub use soa::{Shared, Soa};
pub use tsig::{BadMessage, Tsig, tsig_error};

/// Octets of a message's header.
pub const HEADER_LEN: usize = 12;
/// What every UDP answer may hold where the client says nothing (RFC 1035 §4.2.1).
pub const UDP_LEN_MIN: usize = 512;
/// What our UDP answers hold at most, and what we say that we take (RFC 9715).
pub const UDP_LEN_MAX: usize = 1232;

/// Types of records that have a meaning here; all others are numbers.
pub mod rtype {
    /// An IPv4 address: here a code, never to be used as an address.
    pub const A: u16 = 1;
    /// A name server.
    pub const NS: u16 = 2;
    /// Another name; in a response policy, what to do.
    pub const CNAME: u16 = 5;
    /// The start of a zone.
    pub const SOA: u16 = 6;
    /// Two strings about a host; here the answer to ANY (RFC 8482 §4.2).
    pub const HINFO: u16 = 13;
    /// Text: here the reason.
    pub const TXT: u16 = 16;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// Options of the message itself (RFC 6891).
    pub const OPT: u16 = 41;
    /// A signature (RFC 8945).
    pub const TSIG: u16 = 250;
    /// Differences of a zone (RFC 1995).
    pub const IXFR: u16 = 251;
    /// A whole zone (RFC 5936).
    pub const AXFR: u16 = 252;
    /// Anything (RFC 8482).
    pub const ANY: u16 = 255;
}

/// Classes of records.
pub mod class {
    /// The Internet.
    pub const IN: u16 = 1;
    /// Any class.
    pub const ANY: u16 = 255;
}

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9, RFC 7873 §8); those from 16 on need EDNS.
pub mod rcode {
    /// No error.
    pub const NOERROR: u16 = 0;
    /// The message can not be read.
    pub const FORMERR: u16 = 1;
    /// We failed.
    pub const SERVFAIL: u16 = 2;
    /// The name does not exist, nor any below it (RFC 8020).
    pub const NXDOMAIN: u16 = 3;
    /// We do not do that.
    pub const NOTIMP: u16 = 4;
    /// We do not do that for you.
    pub const REFUSED: u16 = 5;
    /// The signature does not hold (RFC 8945).
    pub const NOTAUTH: u16 = 9;
    /// No EDNS version of ours.
    pub const BADVERS: u16 = 16;
    /// The cookie is not ours, or too old.
    pub const BADCOOKIE: u16 = 23;
}
