//! What enters the engine, in total order.
//!
//! A frame is one epoch: the inputs that were decided together. The journal stores frames;
//! the same frames from the same checkpoint give the same events byte for byte.

use minicbor::{Decode, Encode};

use crate::command::Command;
use crate::event::cbor;
use crate::observation::{Observation, Sensor};
use crate::time::Millis;

/// One epoch.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Frame {
    /// Wall time when it was closed.
    #[n(0)]
    pub wall: Millis,
    /// Random bytes for the salts of side rows that this frame causes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// The inputs.
    #[n(2)]
    pub inputs: Vec<Input>,
}

/// One input.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Input {
    /// A sensor saw something.
    #[n(0)]
    Observed(#[n(0)] Observation),
    /// A person decided something.
    #[n(1)]
    Command(#[n(0)] Command),
    /// Time went on: wall, and monotonic nanoseconds since the process began.
    #[n(2)]
    Tick(#[n(0)] Millis, #[n(1)] u64),
    /// A policy: its canonical bytes, so that the journal needs no other file.
    #[n(3)]
    Policy(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// An event of another node: its canonical bytes.
    #[n(4)]
    Foreign(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// So many observations of a sensor were dropped because a queue was full.
    #[n(5)]
    Dropped(#[n(0)] Sensor, #[n(1)] u64),
    /// The table of networks with this SHA-256 is in force from here on; the file lies in
    /// the data directory under that name.
    #[n(6)]
    Atlas(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
}

impl Frame {
    /// The bytes for the journal.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor(self)
    }

    /// Reads a frame of the journal.
    pub fn from_bytes(bytes: &[u8]) -> Result<Frame, minicbor::decode::Error> {
        minicbor::decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{BlockKind, CaseId};
    use crate::command::{Actor, Entry, Order, Record};
    use crate::event::{EventId, Mode, Node};
    use crate::name::{Name, PersonHash};
    use crate::observation::{Answered, Attempt, Client, Fact, Judgement, Message, Rdns, Verdict};
    use crate::time::Secs;

    fn observed(fact: Fact) -> Input {
        Input::Observed(Observation {
            at: Millis(1_700_000_000_000),
            sensor: Sensor::Policy,
            session: 42,
            fact,
        })
    }

    fn command(order: Order) -> Input {
        Input::Command(Command { id: 7, at: Millis(5), actor: Actor::Operator, note: None, order })
    }

    fn every_kind() -> Frame {
        let case = CaseId(EventId { node: Node(1), life: 1, seq: 9 });
        let client = Client {
            addr: "192.0.2.1".parse().unwrap(),
            port: 41822,
            helo: Some(Name::new(b"mail.example.org")),
            rdns: Rdns::Confirmed(Name::new(b"mail.example.org")),
            authenticated: false,
        };
        let attempt = Attempt {
            sender_fits: false,
            client,
            sender: Some(PersonHash(1)),
            recipient: Some(PersonHash(2)),
            recipients: 1,
            answered: Answered::Blocked(case),
            ticket: None,
        };
        let verdict = Verdict {
            queue: Some(3),
            judgement: Judgement::Spam,
            score: Some(1250),
            source: Name::new(b"rspamd"),
        };
        Frame {
            wall: Millis(1_700_000_000_001),
            salt: [5; 16],
            inputs: vec![
                observed(Fact::Attempt(attempt)),
                observed(Fact::Message(Message { queue: Some(3), recipients: 2, size: 2048, content: None })),
                observed(Fact::Verdict(verdict)),
                command(Order::SetMode(Mode::Live)),
                command(Order::Block("192.0.2.0/24".parse().unwrap(), BlockKind::Rbl, Secs(3600))),
                command(Order::LiftCase(case, true)),
                command(Order::LiftKey("192.0.2.1".parse().unwrap(), false)),
                command(Order::Resentence(case, Millis(9))),
                command(Order::Protect("2001:db8::/32".parse().unwrap(), true)),
                command(Order::Panic(Millis(8))),
                command(Order::Credit("192.0.2.1".parse().unwrap(), Millis(8), vec![1, 2])),
                Input::Tick(Millis(6), 7),
                Input::Policy(vec![1, 2]),
                Input::Foreign(vec![3, 4]),
                Input::Dropped(Sensor::MailLog, 112),
            ],
        }
    }

    #[test]
    fn an_entry_by_hand_survives_its_bytes_which_are_pinned() {
        let record = Some(Record { number: Some(7), evidence: 2, decision: false });
        let (key, lasts) = ("192.0.2.0/24".parse().unwrap(), Secs(7_776_000));
        let entry = Entry { key, kind: BlockKind::Rbl, lasts, even_so: true, spares_good: false, record };
        let frame = Frame { inputs: vec![command(Order::Enter(entry.into()))], ..every_kind() };
        assert_eq!(Frame::from_bytes(&frame.to_bytes()).unwrap(), frame);
        let hex: String = cbor(&frame.inputs).iter().map(|b| format!("{b:02x}")).collect();
        assert!(
            hex.ends_with(
                "82088186 6c3139322e302e322e302f3234011a0076a700f5f4830702f4".replace(' ', "").as_str()
            ),
            "{hex}"
        );
    }

    #[test]
    fn the_name_of_an_atlas_survives_its_bytes_which_are_pinned() {
        let frame = Frame { inputs: vec![Input::Atlas([6; 32])], ..every_kind() };
        assert_eq!(Frame::from_bytes(&frame.to_bytes()).unwrap(), frame);
        let hex: String = cbor(&frame.inputs).iter().take(8).map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "8182068158200606");
    }

    #[test]
    fn every_input_survives_its_bytes() {
        assert_eq!(Frame::from_bytes(&every_kind().to_bytes()).unwrap(), every_kind());
    }

    #[test]
    fn the_journal_s_bytes_are_pinned() {
        let hex: String = every_kind().to_bytes().iter().map(|b| format!("{b:02x}")).collect();
        // Old journals must stay readable: add a kind, never change one.
        assert_eq!(hex, include_str!("../golden/frame.hex").trim_end());
    }

    #[test]
    fn a_journal_of_an_earlier_program_reads_the_same() {
        // Its attempts did not say whether sender and greeting fit.
        let hex = include_str!("../golden/frame-1.hex").trim_end();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        assert_eq!(Frame::from_bytes(&bytes).unwrap(), every_kind());
    }
}
