//! The data of a message (RFC 5321 §4.5.2): dots taken off, the end found, its length
//! bounded.

use memchr::memchr;

/// What has come of one message.
#[derive(Debug)]
pub(super) struct Data {
    raw: Vec<u8>,
    len_max: usize,
    at: At,
    too_long: bool,
}

/// What came last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    /// CRLF, or nothing yet.
    Start,
    /// A dot behind it; it is no data, whatever follows.
    Dot,
    /// And a CR behind the dot.
    DotCr,
    /// A CR elsewhere.
    Cr,
    /// Anything else.
    Middle,
}

impl Data {
    pub(super) fn new(len_max: usize) -> Data {
        Data { raw: Vec::new(), len_max, at: At::Start, too_long: false }
    }

    /// Takes bytes up to the end of the data; says how many, and whether that was the end.
    pub(super) fn take(&mut self, input: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        while let Some(byte) = input.get(taken) {
            if self.at == At::Middle && *byte != b'\r' {
                let len = memchr(b'\r', &input[taken..]).unwrap_or(input.len() - taken);
                self.push(&input[taken..taken + len]);
                taken += len;
                continue;
            }
            taken += 1;
            if self.byte(*byte) {
                return (taken, true);
            }
        }
        (taken, false)
    }

    /// Takes one byte that may end a line or the data; whether it ended the data.
    fn byte(&mut self, byte: u8) -> bool {
        match (self.at, byte) {
            // §4.5.2: ‘If the line is composed of a single period, it is treated as the end of
            // mail indicator.’
            (At::DotCr, b'\n') => return true,
            (At::Start, b'.') => self.at = At::Dot,
            (At::Dot, b'\r') => self.at = At::DotCr,
            (before, byte) => {
                if before == At::DotCr {
                    self.push(b"\r");
                }
                self.push(&[byte]);
                self.at = match (before, byte) {
                    (At::Cr | At::DotCr, b'\n') => At::Start,
                    (_, b'\r') => At::Cr,
                    _ => At::Middle,
                };
            }
        }
        false
    }

    fn push(&mut self, bytes: &[u8]) {
        self.too_long |= bytes.len() > self.len_max - self.raw.len();
        if self.too_long {
            self.raw = Vec::new();
        } else {
            self.raw.extend_from_slice(bytes);
        }
    }

    /// The message; `None` if it was longer than the limit.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.too_long).then_some(self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message in `input`, and what is left behind it, however it is cut.
    #[track_caller]
    fn check(input: &[u8], message: &[u8], rest: Option<&[u8]>) {
        for size in 1..=input.len() {
            let (mut data, mut at, mut end) = (Data::new(1000), 0, false);
            for piece in input.chunks(size) {
                let (taken, over) = data.take(piece);
                at += taken;
                end = over;
                if over {
                    break;
                }
            }
            let left = end.then_some(&input[at..]);
            assert_eq!((data.finish().as_deref(), left), (Some(message), rest), "in pieces of {size}");
        }
    }

    #[test]
    fn data_ends_at_a_dot_alone_on_its_line() {
        check(b"a\r\nb\r\n.\r\nQUIT\r\n", b"a\r\nb\r\n", Some(b"QUIT\r\n"));
        check(b".\r\n", b"", Some(b""));
        check(b"a\r\n\r\n.\r\n", b"a\r\n\r\n", Some(b""));
    }

    #[test]
    fn a_dot_that_was_put_in_front_is_taken_off() {
        check(b"..\r\n...a\r\n.b\r\na.\r\n.\r\n", b".\r\n..a\r\nb\r\na.\r\n", Some(b""));
    }

    #[test]
    fn nothing_that_looks_like_the_end_is_the_end() {
        check(b"a\n.\nb", b"a\n.\nb", None);
        check(b"a\n.\r\nb", b"a\n.\r\nb", None);
        check(b"a\r\n.\nb", b"a\r\n\nb", None);
        check(b"a\r.\rb", b"a\r.\rb", None);
        check(b"a\r\n.\r\rb", b"a\r\n\r\rb", None);
        check(b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", Some(b""));
        check(b"a\r\r\n.\r\n", b"a\r\r\n", Some(b""));
    }

    #[test]
    fn what_is_too_long_is_read_to_its_end_and_forgotten() {
        let mut data = Data::new(4);
        assert_eq!(data.take(b"abcd\r\n.\r\nX"), (9, true));
        assert_eq!(data.finish(), None);
        let mut data = Data::new(6);
        assert_eq!(data.take(b"abcd\r\n.\r\nX"), (9, true));
        assert_eq!(data.finish().as_deref(), Some(&b"abcd\r\n"[..]));
        let mut data = Data::new(4);
        data.take(&[b'x'; 5000]);
        assert_eq!(data.raw.capacity(), 0);
        data.take(b"y\r\n.");
        assert_eq!(data.take(b"\r\n"), (2, true));
        assert_eq!(data.finish(), None);
    }
}
