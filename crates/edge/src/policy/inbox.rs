//! What has arrived on one connection and is not answered yet.
//!
//! Bounded by the protocol's own limit. Bytes are looked at again only when they may have
//! completed something, so that a peer who sends one byte at a time does not make us read
//! 64 KiB for each (ADV-11).

use wire::policy::{LINE_LEN_MAX, REQUEST_LEN_MAX, Request, RequestError, split_request};

/// What a connection begins with: three requests of Postfix.
const LEN_USUAL: usize = 4 * 1024;

/// Bytes of unfinished requests.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to where the bytes are known to hold no whole request.
    looked: usize,
    /// At this many waiting bytes they are looked at in any case.
    look_at: usize,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox { bytes: vec![0; LEN_USUAL], start: 0, end: 0, looked: 0, look_at: LINE_LEN_MAX }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room for more bytes; there is some as long as [`Inbox::next`] asks for more.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end, self.looked) = (0, 0, 0);
            self.bytes.truncate(LEN_USUAL);
            self.bytes.shrink_to(LEN_USUAL);
        } else if self.end == self.bytes.len() {
            self.make_room();
        }
        &mut self.bytes[self.end..]
    }

    fn make_room(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.looked -= self.start;
        self.end -= self.start;
        self.start = 0;
        if self.end > self.bytes.len() / 2 {
            self.bytes.resize((2 * self.bytes.len()).min(REQUEST_LEN_MAX), 0);
        }
    }

    /// Takes note of `len` bytes that were put into [`Inbox::room`].
    pub(super) fn arrived(&mut self, len: usize) {
        self.end += len;
    }

    /// The first whole request and its length, or `None` while there is none.
    pub(super) fn next(&mut self) -> Result<Option<(Request<'_>, usize)>, RequestError> {
        if !self.worth_a_look() {
            self.looked = self.end;
            return Ok(None);
        }
        let waiting = &self.bytes[self.start..self.end];
        match split_request(waiting)? {
            Some((request, rest)) => Ok(Some((request, waiting.len() - rest.len()))),
            None => {
                self.looked = self.end;
                self.look_at = (2 * waiting.len()).clamp(LINE_LEN_MAX, REQUEST_LEN_MAX);
                Ok(None)
            }
        }
    }

    /// Drops an answered request of `len` bytes.
    pub(super) fn skip(&mut self, len: usize) {
        self.start += len;
        self.looked = self.start;
        self.look_at = LINE_LEN_MAX;
    }

    /// Whether the bytes that came last may have ended a request, or run into a limit.
    fn worth_a_look(&self) -> bool {
        let waiting = &self.bytes[self.start..self.end];
        if waiting.ends_with(b"\n\n") || waiting.len() >= self.look_at {
            return true;
        }
        // The empty line may have begun with the last byte of what came before.
        let fresh = &self.bytes[self.looked.saturating_sub(1).max(self.start)..self.end];
        waiting.first() == Some(&b'\n') || fresh.windows(2).any(|pair| pair == b"\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The senders of the requests that come out when `pieces` go in, and the error that
    /// ends it.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Option<RequestError>) {
        let (mut inbox, mut senders) = (Inbox::new(), Vec::new());
        for mut piece in pieces {
            while !piece.is_empty() {
                let room = inbox.room();
                let len = room.len().min(piece.len());
                assert!(len > 0, "no room");
                room[..len].copy_from_slice(&piece[..len]);
                piece = &piece[len..];
                inbox.arrived(len);
                loop {
                    match inbox.next() {
                        Ok(None) => break,
                        Ok(Some((request, len))) => {
                            senders.push(String::from_utf8_lossy(request.sender).into_owned());
                            inbox.skip(len);
                        }
                        Err(error) => return (senders, Some(error)),
                    }
                }
            }
        }
        (senders, None)
    }

    #[track_caller]
    fn check(input: &[u8], expect: &[&str], error: Option<&RequestError>) {
        for size in [1, 2, 3, 7, 1000, 4096, input.len()] {
            let (senders, got) = read(input.chunks(size));
            assert_eq!(senders, expect, "in pieces of {size}");
            assert_eq!(got.as_ref(), error, "in pieces of {size}");
        }
    }

    #[test]
    fn requests_come_out_however_they_are_cut() {
        check(b"sender=a\n\nsender=b\nx=y\n\nsender=c\n\nsender=d\n", &["a", "b", "c"], None);
        check(b"\n\nsender=a\n\n\n", &["", "", "a", ""], None);
    }

    #[test]
    fn a_request_of_64_kib_comes_out_and_the_room_is_given_back() {
        let line = [b"x=".as_slice(), &[b'y'; 1021], b"\n"].concat();
        let big = [line.repeat(63), b"sender=big\n\n".to_vec()].concat();
        check(&[big.as_slice(), b"sender=b\n\n"].concat(), &["big", "b"], None);
        let mut inbox = Inbox::new();
        inbox.bytes.resize(REQUEST_LEN_MAX, 0);
        assert_eq!((inbox.room().len(), inbox.bytes.capacity()), (LEN_USUAL, LEN_USUAL));
    }

    #[test]
    fn a_request_without_end_is_an_error_before_there_is_no_room() {
        let line = [b"x=".as_slice(), &[b'y'; 1021], b"\n"].concat();
        let endless = [b"sender=a\n\n".to_vec(), line.repeat(70)].concat();
        check(&endless, &["a"], Some(&RequestError::RequestTooLong));
    }

    #[test]
    fn a_line_without_end_is_an_error_soon() {
        let (_, error) = read([[b'x'; 2 * LINE_LEN_MAX].as_slice()]);
        assert!(matches!(error, Some(RequestError::LineTooLong { line: 1, .. })));
        let (_, error) =
            read([b"a=\n".as_slice(), &[b'x'; 3 * LINE_LEN_MAX]].iter().flat_map(|p| p.chunks(1)));
        assert!(matches!(error, Some(RequestError::LineTooLong { line: 2, .. })));
    }

    #[test]
    fn bytes_that_can_complete_nothing_are_not_looked_at() {
        let mut inbox = Inbox::new();
        for len in 1..LINE_LEN_MAX {
            inbox.room()[0] = b'x';
            inbox.arrived(1);
            assert!(!inbox.worth_a_look(), "at {len}");
            assert_eq!(inbox.next(), Ok(None));
        }
    }
}
