//! What has arrived on one connection and is not answered yet.
//!
//! It grows as bytes come, never as a length claims, up to the longest packet there is.

use wire::milter::{PACKET_LEN_MAX, Packet, PacketError, split_packet};

/// What a connection begins with, and what it is left with: a short message.
const LEN_USUAL: usize = 8 * 1024;

/// The longest packet with its length in front.
const LEN_MAX: usize = PACKET_LEN_MAX + 4;

/// Bytes of unfinished packets.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox { bytes: vec![0; LEN_USUAL], start: 0, end: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room for more bytes; there is some as long as [`Inbox::next`] asks for more.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            self.bytes.truncate(LEN_USUAL);
            self.bytes.shrink_to(LEN_USUAL);
        } else if self.end == self.bytes.len() {
            self.make_room();
        }
        &mut self.bytes[self.end..]
    }

    fn make_room(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end > self.bytes.len() / 2 {
            self.bytes.resize((2 * self.bytes.len()).min(LEN_MAX), 0);
        }
    }

    /// Takes note of `len` bytes that were put into [`Inbox::room`].
    pub(super) fn arrived(&mut self, len: usize) {
        self.end += len;
    }

    /// The first whole packet, or `None` while there is none.
    pub(super) fn next(&self) -> Result<Option<Packet<'_>>, PacketError> {
        Ok(split_packet(&self.bytes[self.start..self.end])?.map(|(packet, _)| packet))
    }

    /// Drops an answered packet of `len` bytes.
    pub(super) fn skip(&mut self, len: usize) {
        self.start += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::milter::Command;

    /// The lengths of the packets that come out when `pieces` go in, and the error that ends
    /// it.
    fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<usize>, Option<PacketError>) {
        let (mut inbox, mut lens) = (Inbox::new(), Vec::new());
        for mut piece in pieces {
            while !piece.is_empty() {
                let room = inbox.room();
                let len = room.len().min(piece.len());
                assert!(len > 0, "no room");
                room[..len].copy_from_slice(&piece[..len]);
                piece = &piece[len..];
                inbox.arrived(len);
                loop {
                    let used = match inbox.next() {
                        Ok(None) => break,
                        Ok(Some(packet)) => packet.wire_len(),
                        Err(error) => return (lens, Some(error)),
                    };
                    lens.push(used);
                    inbox.skip(used);
                }
            }
        }
        (lens, None)
    }

    #[test]
    fn packets_come_out_however_they_are_cut() {
        let mut bytes = Vec::new();
        for len in [0, 65_535, 3, 1, PACKET_LEN_MAX - 1, 0] {
            Command::Body(&vec![b'x'; len]).write(&mut bytes);
        }
        for size in [7, 1000, 4096, 65_536, bytes.len()] {
            let (lens, error) = read(bytes.chunks(size));
            assert_eq!(lens, [5, 65_540, 8, 6, LEN_MAX, 5], "in pieces of {size}");
            assert_eq!(error, None);
        }
    }

    #[test]
    fn the_room_is_given_back() {
        let mut inbox = Inbox::new();
        inbox.bytes.resize(LEN_MAX, 0);
        assert_eq!((inbox.room().len(), inbox.bytes.capacity()), (LEN_USUAL, LEN_USUAL));
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let mut inbox = Inbox::new();
        inbox.room()[..5].copy_from_slice(b"\0\x10\0\0B");
        inbox.arrived(5);
        assert_eq!(inbox.next(), Ok(None));
        assert_eq!(inbox.room().len(), LEN_USUAL - 5);
        let (lens, error) = read(std::iter::once(&b"\0\0\0\x01A\0\x10\0\x01"[..]));
        assert_eq!((lens, error), (vec![5], Some(PacketError::TooLong { len: 0x10_0001 })));
    }
}
