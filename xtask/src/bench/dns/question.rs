//! Finished DNS questions (RFC 1035 §4.1), and the little that is read of answers.
//!
//! Written here and not by the code that is measured: a generator that shared the
//! server's codec would share its errors.

use std::io::{self, Write};
#[cfg(test)]
use std::net::Ipv4Addr;

/// Octets of a DNS header.
const HEADER_LEN: usize = 12;

/// An A question, type 1, class IN.
const A_IN: [u8; 4] = [0, 1, 0, 1];

/// Writes a question for the A records of `name`, with message id 0.
pub(super) fn write(out: &mut Vec<u8>, name: &str) {
    out.clear();
    out.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out.extend(A_IN);
}

/// Writes one question behind its length; names of lists stay far below 255 octets.
pub(super) fn save(out: &mut impl Write, message: &[u8]) -> io::Result<()> {
    out.write_all(&[message.len() as u8])?;
    out.write_all(message)
}

/// The questions that [`save`] wrote; `None` when the last one is cut short.
pub(super) fn load(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    while let Some((len, rest)) = bytes.split_first() {
        let (message, rest) = rest.split_at_checked(usize::from(*len))?;
        all.push(message.to_vec());
        bytes = rest;
    }
    Some(all)
}

/// What an answer says, as far as load generators look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) id: u16,
    /// RFC 1035 §4.1.1: 0 no error, 3 name error, 5 refused.
    pub(super) rcode: u8,
    /// Whether it holds an answer record.
    pub(super) listed: bool,
}

/// Reads an answer's header; `None` when it is no answer.
pub(super) fn answer(message: &[u8]) -> Option<Answer> {
    let header = message.get(..HEADER_LEN)?;
    let is_answer = header[2] & 0x80 != 0;
    is_answer.then(|| Answer {
        id: u16::from_be_bytes([header[0], header[1]]),
        rcode: header[3] & 15,
        listed: header[6] != 0 || header[7] != 0,
    })
}

/// The address that a question asks for.
#[cfg(test)]
pub(super) fn address(message: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = message.get(HEADER_LEN..)?;
    for octet in octets.iter_mut().rev() {
        let (len, after) = rest.split_first()?;
        let (label, after) = after.split_at_checked(usize::from(*len))?;
        *octet = std::str::from_utf8(label).ok()?.parse().ok()?;
        rest = after;
    }
    Some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_back_from_its_file() {
        let mut message = Vec::new();
        write(&mut message, "25.2.0.192.bl.dnsbl.test");
        assert_eq!(address(&message), Some(Ipv4Addr::new(192, 0, 2, 25)));
        let mut file = Vec::new();
        save(&mut file, &message).unwrap();
        save(&mut file, &message).unwrap();
        assert_eq!(load(&file), Some(vec![message.clone(), message]));
        assert_eq!(load(&file[..file.len() - 1]), None);
    }

    #[test]
    fn an_answer_is_told_from_a_question() {
        let mut message = Vec::new();
        write(&mut message, "2.0.0.127.bl.dnsbl.test");
        assert_eq!(answer(&message), None);
        message[2] = 0x84;
        message[3] = 3;
        assert_eq!(answer(&message), Some(Answer { id: 0, rcode: 3, listed: false }));
        message[..2].copy_from_slice(&[1, 2]);
        (message[3], message[7]) = (0, 1);
        assert_eq!(answer(&message), Some(Answer { id: 258, rcode: 0, listed: true }));
        assert_eq!(answer(&message[..11]), None);
    }
}
