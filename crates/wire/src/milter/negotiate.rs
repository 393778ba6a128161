//! What an MTA can do, and what we ask it to do.
//!
//! Each step that is not answered saves a round trip, and each step that is not sent saves
//! a packet: asked for all of it, Postfix waits for us three times in a message to one
//! recipient, where it would wait fifteen times.

use std::ops::{BitAnd, BitOr};

use super::error::NegotiationError;
use super::macros::Stage;

/// The version that we speak.
pub const VERSION: u32 = 6;
/// The oldest version that we understand.
const VERSION_MIN: u32 = 2;

/// What a filter may do to a message: a set (`SMFIF_*`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Actions(pub u32);

impl Actions {
    /// Add and insert header fields.
    pub const ADD_FIELDS: Actions = Actions(0x1);
    /// Change and remove header fields.
    pub const CHANGE_FIELDS: Actions = Actions(0x10);
    /// Put a message into quarantine.
    pub const QUARANTINE: Actions = Actions(0x20);
    /// Say which macros it wants.
    pub const CHOOSE_MACROS: Actions = Actions(0x100);

    /// Whether all of these are in it.
    pub const fn has(self, all: Actions) -> bool {
        self.0 & all.0 == all.0
    }
}

impl BitOr for Actions {
    type Output = Actions;

    fn bitor(self, other: Actions) -> Actions {
        Actions(self.0 | other.0)
    }
}

impl BitAnd for Actions {
    type Output = Actions;

    fn bitand(self, other: Actions) -> Actions {
        Actions(self.0 & other.0)
    }
}

/// Which steps are sent and which are answered: a set (`SMFIP_*`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Protocol(pub u32);

impl Protocol {
    /// The end of the header is not sent.
    pub const NO_END_OF_HEADER: Protocol = Protocol(0x40);
    /// Header fields are not answered.
    pub const SILENT_FIELD: Protocol = Protocol(0x80);
    /// Unknown SMTP commands are not sent.
    pub const NO_UNKNOWN: Protocol = Protocol(0x100);
    /// DATA is not sent.
    pub const NO_DATA: Protocol = Protocol(0x200);
    /// The rest of a body may be skipped.
    pub const SKIP: Protocol = Protocol(0x400);
    /// Recipients that the MTA itself refuses are sent, too.
    pub const REJECTED_RCPT: Protocol = Protocol(0x800);
    /// The connection is not answered.
    pub const SILENT_CONNECT: Protocol = Protocol(0x1000);
    /// HELO is not answered.
    pub const SILENT_HELO: Protocol = Protocol(0x2000);
    /// MAIL is not answered.
    pub const SILENT_MAIL: Protocol = Protocol(0x4000);
    /// RCPT is not answered.
    pub const SILENT_RCPT: Protocol = Protocol(0x8000);
    /// DATA is not answered.
    pub const SILENT_DATA: Protocol = Protocol(0x1_0000);
    /// Unknown SMTP commands are not answered.
    pub const SILENT_UNKNOWN: Protocol = Protocol(0x2_0000);
    /// The end of the header is not answered.
    pub const SILENT_END_OF_HEADER: Protocol = Protocol(0x4_0000);
    /// Pieces of the body are not answered.
    pub const SILENT_BODY: Protocol = Protocol(0x8_0000);
    /// The space behind a field's colon is sent as it is.
    pub const LEADING_SPACE: Protocol = Protocol(0x10_0000);

    /// Steps that we never need: the bit that we ask for, and another where it is not offered.
    ///
    /// We need no end of the header either, but one that is sent and not answered costs a
    /// packet only, and `miltertest` fails where a script sends what was agreed away.
    const UNNEEDED: [(Protocol, Protocol); 2] = [
        (Protocol::NO_DATA, Protocol::SILENT_DATA),
        (Protocol::SILENT_END_OF_HEADER, Protocol::NO_END_OF_HEADER),
    ];

    /// What else we ask for.
    const WANTED: Protocol = Protocol(
        Protocol::SILENT_CONNECT.0
            | Protocol::SILENT_HELO.0
            | Protocol::SILENT_MAIL.0
            | Protocol::SILENT_FIELD.0
            | Protocol::SILENT_UNKNOWN.0
            | Protocol::REJECTED_RCPT.0
            | Protocol::LEADING_SPACE.0,
    );

    /// Whether all of these are in it.
    pub const fn has(self, all: Protocol) -> bool {
        self.0 & all.0 == all.0
    }

    /// Whether a command of this kind gets no reply: either none ever does, or it was agreed.
    pub const fn is_silent(self, kind: u8) -> bool {
        match kind {
            b'D' | b'A' | b'Q' | b'K' => true,
            b'C' => self.has(Protocol::SILENT_CONNECT),
            b'H' => self.has(Protocol::SILENT_HELO),
            b'M' => self.has(Protocol::SILENT_MAIL),
            b'R' => self.has(Protocol::SILENT_RCPT),
            b'T' => self.has(Protocol::SILENT_DATA),
            b'U' => self.has(Protocol::SILENT_UNKNOWN),
            b'L' => self.has(Protocol::SILENT_FIELD),
            b'N' => self.has(Protocol::SILENT_END_OF_HEADER),
            b'B' => self.has(Protocol::SILENT_BODY),
            _ => false,
        }
    }

    /// What of an MTA's offer we take.
    fn of(offered: Protocol) -> Protocol {
        let mut all = offered & Protocol::WANTED;
        for (wanted, otherwise) in Protocol::UNNEEDED {
            all = all | offered & if offered.has(wanted) { wanted } else { otherwise };
        }
        // A body that is not answered can not be skipped; and to wait for us at each piece
        // costs small messages, of which there are many, more than large ones would save.
        let body = if offered.has(Protocol::SILENT_BODY) { Protocol::SILENT_BODY } else { Protocol::SKIP };
        all | offered & body
    }
}

impl BitOr for Protocol {
    type Output = Protocol;

    fn bitor(self, other: Protocol) -> Protocol {
        Protocol(self.0 | other.0)
    }
}

impl BitAnd for Protocol {
    type Output = Protocol;

    fn bitand(self, other: Protocol) -> Protocol {
        Protocol(self.0 & other.0)
    }
}

/// What an MTA offers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offer {
    /// The highest version that it speaks.
    pub version: u32,
    /// What it lets a filter do.
    pub actions: Actions,
    /// Which steps it can leave out or need no answer to.
    pub protocol: Protocol,
}

/// What we would like to do to messages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wish {
    /// Put messages into quarantine.
    pub quarantine: bool,
}

/// What is agreed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings<'a> {
    /// The version that both speak.
    pub version: u32,
    /// What we may do.
    pub actions: Actions,
    /// Which steps are not sent or not answered.
    pub protocol: Protocol,
    /// The macros that we want with a command, if we may choose: names with blanks between.
    pub macros: &'a [(Stage, &'a str)],
}

/// All that we use of what an MTA knows.
const MACROS: [(Stage, &str); 5] = [
    (Stage::Connect, "{client_resolve} {client_ptr} {client_name}"),
    (Stage::Helo, "{tls_version} {cipher}"),
    (Stage::Mail, "i {auth_authen}"),
    (Stage::Rcpt, "i {rcpt_mailer} {rcpt_host} {rcpt_addr}"),
    (Stage::EndOfBody, "i"),
];

/// What we ask of an MTA: never more than it offers.
///
/// # Errors
///
/// [`NegotiationError`]; the caller closes.
pub fn negotiate(offer: Offer, wish: Wish) -> Result<Settings<'static>, NegotiationError> {
    if offer.version < VERSION_MIN {
        return Err(NegotiationError::Version { got: offer.version });
    }
    let mut wanted = Actions::ADD_FIELDS | Actions::CHANGE_FIELDS | Actions::CHOOSE_MACROS;
    if wish.quarantine {
        wanted = wanted | Actions::QUARANTINE;
    }
    let actions = offer.actions & wanted;
    Ok(Settings {
        version: offer.version.min(VERSION),
        actions,
        protocol: Protocol::of(offer.protocol),
        macros: if actions.has(Actions::CHOOSE_MACROS) { &MACROS } else { &[] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(offer: (u32, u32, u32), quarantine: bool, expect: (u32, u32, u32, usize)) {
        let (version, actions, protocol) = offer;
        let offer = Offer { version, actions: Actions(actions), protocol: Protocol(protocol) };
        let got = negotiate(offer, Wish { quarantine }).unwrap();
        assert_eq!((got.version, got.actions.0, got.protocol.0, got.macros.len()), expect);
    }

    #[test]
    fn of_a_modern_postfix_all_is_asked() {
        let protocol =
            0x4_0000 | 0x80 | 0x2_0000 | 0x200 | 0x800 | 0x1000 | 0x2000 | 0x4000 | 0x8_0000 | 0x10_0000;
        check((6, 0x1ff, 0x1f_ffff), false, (6, 0x111, protocol, 5));
        check((6, 0x1ff, 0x1f_ffff), true, (6, 0x131, protocol, 5));
    }

    #[test]
    fn what_can_not_be_left_out_is_at_least_not_answered() {
        check((6, 0x1ff, 0x1f_fcff), false, (6, 0x111, 0x1f_7880, 5));
        check((6, 0x1ff, 0x1b_fcff), false, (6, 0x111, 0x1b_78c0, 5));
    }

    #[test]
    fn a_body_that_must_be_answered_can_be_skipped() {
        check((6, 0x1, 0x480), false, (6, 0x1, 0x480, 0));
    }

    #[test]
    fn of_an_old_mta_nothing_is_asked_that_it_does_not_know() {
        check((2, 0x3f, 0x7f), false, (2, 0x11, 0x40, 0));
        check((9, 0, 0), true, (6, 0, 0, 0));
        let offer = Offer { version: 1, actions: Actions(0), protocol: Protocol(0) };
        let error = negotiate(offer, Wish::default()).unwrap_err();
        assert_eq!(error.to_string(), "expected version 2 to 6 of the milter protocol, but got 1");
    }

    #[test]
    fn recipients_and_the_end_are_always_answered() {
        let offer = Offer { version: 6, actions: Actions(!0), protocol: Protocol(!0) };
        let agreed = negotiate(offer, Wish::default()).unwrap().protocol;
        let answered: Vec<u8> = b"CHMRTULNBEDAQK".iter().copied().filter(|k| !agreed.is_silent(*k)).collect();
        assert_eq!(answered, b"RTE", "T is not sent");
    }
}
