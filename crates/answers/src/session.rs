//! What is known of an SMTP session at RCPT, as far as an answer depends on it.
//!
//! Borrowed from what a sensor read; everything from the peer is bytes, and none of it
//! but the address ever enters a text (TXT-R).

use std::net::IpAddr;

use model::{Key, Millis, PersonHash};

/// One question: may this client name this recipient?
#[derive(Clone, Debug)]
pub struct Session<'a> {
    /// The client's address; a v4-mapped one counts as IPv4.
    pub addr: IpAddr,
    /// When this session began: a case applies only to sessions begun after it took effect.
    pub began: Millis,
    /// The HELO or EHLO argument.
    pub helo: Option<&'a [u8]>,
    /// The envelope sender; `Some(b"")` is the null sender.
    pub sender: Option<&'a [u8]>,
    /// The recipient; `None` where the question is not about one.
    pub recipient: Option<&'a [u8]>,
    /// The keyed hash of the recipient, where the caller has one.
    pub to: Option<PersonHash>,
    /// The client logged in.
    pub authenticated: bool,
    /// The client is of our own networks, or a declared relay or MX peer; the caller holds
    /// these lists (C.4 step 2).
    pub ours: bool,
    /// It spoke before our greeting in this session, and the rule refuses that (OFF-18).
    pub early: bool,
    /// DNS lately said that its HELO name does not exist, where it was asked (S78).
    pub absent: bool,
    /// What HELO, reverse DNS and the like say together, where a score may refuse.
    pub score: Option<ConnectionScore>,
    /// As whom greylisting would know the client again, where it is on and asks such a client
    /// to come back (C.4 step 12).
    pub pool: Option<Key>,
}

/// The connection score (C.4 step 10), made by the caller with the classifiers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionScore {
    /// The sum, in quarters of a point.
    pub quarters: i32,
    /// The two heaviest facts, heavier first, as words of our own.
    pub heaviest: [Option<&'static str>; 2],
    /// Its name, which is that of an end user's line, weighs most.
    pub line: bool,
}

impl ConnectionScore {
    /// From here on a message is refused: four points (DESIGN §8).
    pub const REFUSE: i32 = 16;

    /// The score with a further, light fact: it is named where there is room.
    #[must_use]
    pub(crate) fn with(mut self, quarters: i32, words: &'static str) -> ConnectionScore {
        self.quarters += quarters;
        if let Some(free) = self.heaviest.iter_mut().find(|fact| fact.is_none()).filter(|_| quarters > 0) {
            *free = Some(words);
        }
        self
    }

    /// Whether the score alone refuses.
    pub fn refuses(&self) -> bool {
        self.quarters >= Self::REFUSE
    }
}

impl<'a> Session<'a> {
    /// A session of which only the client and the beginning are known.
    pub fn new(addr: IpAddr, began: Millis) -> Session<'a> {
        Session {
            addr,
            began,
            helo: None,
            sender: None,
            recipient: None,
            to: None,
            authenticated: false,
            ours: false,
            early: false,
            absent: false,
            score: None,
            pool: None,
        }
    }
}
