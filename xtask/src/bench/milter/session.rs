//! The other side of a milter: sessions as Postfix holds them, on loopback only.
//!
//! One session a message: options, connection, HELO, envelope, fields, body, end. Steps
//! that the milter agreed to leave out are left out, those that it agreed not to answer
//! are sent along with the next one that it does.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::mail::Mail;
use super::socket::{Place, Socket};
use crate::bench::histogram::Histogram;
use crate::random::Random;

/// What Postfix 3.7 offers: version, actions, protocol.
const OFFER: [u32; 3] = [6, 0x1FF, 0x1F_FFFF];

/// A longer answer is none that a message of ours needs.
const ANSWER_LEN_MAX: usize = 64 * 1024;

/// Answers at the end of a message after which more follow: changes, and signs of life.
const NOT_LAST: &[u8] = b"+-2behimpq";

/// What some sessions came to.
pub(super) struct Sessions {
    /// From connecting to the last answer.
    pub(super) latency: Histogram,
    /// Sessions that did not end with "continue" or "accept".
    pub(super) failed: u64,
    pub(super) lasted: Duration,
}

/// Holds sessions one after another on each of `connections` for some time.
pub(super) fn hold(place: &Place, connections: usize, lasting: Duration, seed: u64) -> Sessions {
    let begun = Instant::now();
    let run = |at: usize| one_after_another(place, Random::new(seed << 16 | at as u64), begun + lasting);
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|at| scope.spawn(move || run(at))).collect();
        threads.into_iter().flat_map(thread::ScopedJoinHandle::join).collect()
    });
    let mut all = Sessions { latency: Histogram::new(), failed: 0, lasted: begun.elapsed() };
    for (times, failed) in parts {
        times.into_iter().for_each(|time| all.latency.add(time));
        all.failed += failed;
    }
    all
}

/// Nanoseconds of each good session, and how many were not.
fn one_after_another(place: &Place, mut random: Random, until: Instant) -> (Vec<u64>, u64) {
    let (mut times, mut failed) = (Vec::new(), 0);
    while Instant::now() < until {
        let mail = Mail::new(&mut random);
        let begun = Instant::now();
        match session(place, &mail) {
            Ok(b'c' | b'a') => times.push(begun.elapsed().as_nanos() as u64),
            _ => {
                failed += 1;
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    (times, failed)
}

/// One step of a session.
struct Step {
    kind: u8,
    data: Vec<u8>,
    /// The protocol flag with which it is not sent.
    left_out: u32,
    /// The protocol flag with which it is not answered.
    silent: u32,
}

/// Macros are never answered.
const ALWAYS: u32 = 1 << 31;

fn steps(mail: &Mail) -> Vec<Step> {
    let step = |kind, data: &[u8], left_out, silent| Step { kind, data: data.to_vec(), left_out, silent };
    let text = |kind, text: String, left_out, silent| step(kind, text.as_bytes(), left_out, silent);
    let Mail { client, host, sender, recipient, .. } = mail;
    let mut all = vec![
        text(
            b'D',
            format!("C{{client_resolve}}\0OK\0{{client_ptr}}\0{host}\0{{client_name}}\0{host}\0"),
            0,
            ALWAYS,
        ),
        text(b'C', format!("{host}\x004\x04\x01{client}\0"), 0x1, 0x1000),
        text(b'H', format!("{host}\0"), 0x2, 0x2000),
        text(b'M', format!("<{sender}>\0"), 0x4, 0x4000),
        text(b'R', format!("<{recipient}>\0"), 0x8, 0x8000),
        step(b'T', b"", 0x200, 0x1_0000),
    ];
    let fields = mail.fields.iter();
    all.extend(fields.map(|(name, value)| text(b'L', format!("{name}\0{value}\0"), 0x20, 0x80)));
    all.push(step(b'N', b"", 0x40, 0x4_0000));
    all.push(text(b'B', mail.body.clone(), 0x10, 0x8_0000));
    all.push(step(b'D', b"Ei\x004C0FFEE\0", 0, ALWAYS));
    all
}

/// Holds one session; returns the kind of its last answer.
fn session(place: &Place, mail: &Mail) -> Result<u8> {
    let mut peer = Peer { socket: place.connect()?, out: Vec::new(), heard: Vec::new() };
    let offer: Vec<u8> = OFFER.iter().flat_map(|word| word.to_be_bytes()).collect();
    peer.put(b'O', &offer);
    let agreed = protocol(&peer.answer()?).ok_or(ErrorKind::InvalidData)?;
    for step in steps(mail).iter().filter(|step| agreed & step.left_out == 0) {
        peer.put(step.kind, &step.data);
        if (agreed | ALWAYS) & step.silent == 0 {
            let answer = peer.answer()?;
            if !answer.starts_with(b"c") && !answer.starts_with(b"s") {
                return Ok(answer[0]);
            }
        }
    }
    peer.put(b'E', b"");
    let last = peer.last_answer()?;
    peer.put(b'Q', b"");
    peer.flush()?;
    Ok(last)
}

/// The protocol flags of an agreement.
fn protocol(answer: &[u8]) -> Option<u32> {
    let flags = answer.strip_prefix(b"O")?.get(8..12)?;
    flags.try_into().ok().map(u32::from_be_bytes)
}

struct Peer {
    socket: Socket,
    out: Vec<u8>,
    heard: Vec<u8>,
}

impl Peer {
    fn put(&mut self, kind: u8, data: &[u8]) {
        self.out.extend((data.len() as u32 + 1).to_be_bytes());
        self.out.push(kind);
        self.out.extend(data);
    }

    fn flush(&mut self) -> Result<()> {
        self.socket.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn last_answer(&mut self) -> Result<u8> {
        loop {
            let kind = self.answer()?[0];
            if !NOT_LAST.contains(&kind) {
                return Ok(kind);
            }
        }
    }

    /// Sends what waits and returns the next packet, kind and data; never an empty one.
    fn answer(&mut self) -> Result<Vec<u8>> {
        self.flush()?;
        let mut piece = [0; 4096];
        loop {
            if let Some(packet) = split(&mut self.heard)? {
                return Ok(packet);
            }
            match self.socket.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                len => self.heard.extend_from_slice(&piece[..len]),
            }
        }
    }
}

/// Takes one packet off the front; `None` while it is not all there.
pub(super) fn split(heard: &mut Vec<u8>) -> Result<Option<Vec<u8>>> {
    let Some((length, rest)) = heard.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length == 0 || length > ANSWER_LEN_MAX {
        return Err(Error::new(ErrorKind::InvalidData, format!("a packet of {length} bytes")));
    }
    let Some(packet) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
    heard.drain(..4 + length);
    Ok(Some(packet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_taken_off_when_it_is_whole() {
        let mut heard = b"\0\0\0\x01c\0\0\0\x02".to_vec();
        assert_eq!(split(&mut heard).unwrap(), Some(b"c".to_vec()));
        assert_eq!(split(&mut heard).unwrap(), None);
        heard.extend(b"yx");
        assert_eq!(split(&mut heard).unwrap(), Some(b"yx".to_vec()));
        assert!(heard.is_empty());
        for bad in [b"\0\0\0\0".to_vec(), b"\xff\xff\xff\xff".to_vec()] {
            assert!(split(&mut bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_flags_are_the_third_word_of_an_agreement() {
        assert_eq!(protocol(b"O\0\0\0\x06\0\0\0\x01\0\0\x10\x80"), Some(0x1080));
        assert_eq!(protocol(b"O\0\0\0\x06"), None);
        assert_eq!(protocol(b"c"), None);
    }
}
