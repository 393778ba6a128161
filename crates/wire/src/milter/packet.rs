//! Splitting one packet off the front of what has arrived.

use super::error::PacketError;

/// The most bytes of one packet, its kind included (STD-77).
///
/// A body comes in pieces of at most 64 KiB, and Postfix cuts a header field at 100 KiB
/// (`header_size_limit`). Sendmail's larger pieces are for filters that ask for them.
pub const PACKET_LEN_MAX: usize = 1024 * 1024;

/// Bytes of the length in front.
const LEN_LEN: usize = 4;

/// One packet: a letter that says what it is, and what belongs to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// Its kind: an ASCII letter, if the peer keeps to the protocol.
    pub kind: u8,
    /// All that follows.
    pub data: &'a [u8],
}

impl Packet<'_> {
    /// Bytes that it takes on the wire.
    pub fn wire_len(&self) -> usize {
        LEN_LEN + 1 + self.data.len()
    }
}

/// Splits one packet off the front of `input`.
///
/// Returns the packet and the bytes after it, or `None` while its last byte has not
/// arrived; call again with the same bytes and more. What it returns for a whole packet
/// does not depend on the bytes that follow.
///
/// # Errors
///
/// [`PacketError`] as soon as the four bytes of length are there. Nothing behind them can
/// be told from the next packet: the caller closes the connection.
pub fn split_packet(input: &[u8]) -> Result<Option<(Packet<'_>, &[u8])>, PacketError> {
    let Some((len, rest)) = input.split_first_chunk::<LEN_LEN>() else { return Ok(None) };
    let len = checked_len(u32::from_be_bytes(*len))?;
    let Some((body, behind)) = rest.split_at_checked(len) else { return Ok(None) };
    Ok(body.split_first().map(|(kind, data)| (Packet { kind: *kind, data }, behind)))
}

fn checked_len(len: u32) -> Result<usize, PacketError> {
    match usize::try_from(len) {
        Ok(0) => Err(PacketError::Empty),
        Ok(bytes) if bytes <= PACKET_LEN_MAX => Ok(bytes),
        _ => Err(PacketError::TooLong { len }),
    }
}

/// Appends a packet whose data are these parts, one behind the other.
///
/// What is longer than a length can say is cut; who writes keeps far below that.
pub(super) fn write_packet(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; LEN_LEN]);
    out.push(kind);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    let len = u32::try_from(out.len() - start - LEN_LEN).unwrap_or(u32::MAX);
    out[start..start + LEN_LEN].copy_from_slice(&len.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expect: &str) {
        let got = match split_packet(input) {
            Ok(None) => "more".into(),
            Ok(Some((packet, rest))) => {
                let kind = char::from(packet.kind);
                format!("{kind} {} | {}", packet.data.escape_ascii(), rest.escape_ascii())
            }
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn a_packet_comes_out_when_it_is_whole() {
        check(b"", "more");
        check(b"\0\0\0", "more");
        check(b"\0\0\0\x03", "more");
        check(b"\0\0\0\x03Hx", "more");
        check(b"\0\0\0\x03Hx\0", r"H x\x00 | ");
        check(b"\0\0\0\x01A\0\0\0\x01Q", r"A  | \x00\x00\x00\x01Q");
    }

    #[test]
    fn a_length_of_nothing_or_beyond_the_limit_is_an_error_at_once() {
        check(b"\0\0\0\0", "error: expected a packet of at least 1 byte, but got an empty one");
        check(b"\0\x10\0\0", "more");
        check(b"\0\x10\0\x01", "error: expected a packet of at most 1048576 bytes, but got 1048577");
        check(b"GET ", "error: expected a packet of at most 1048576 bytes, but got 1195725856");
    }

    #[test]
    fn what_is_written_is_split_again() {
        let mut out = vec![7];
        write_packet(b'H', &[b"mail.example.net", b"\0"], &mut out);
        let (packet, rest) = split_packet(&out[1..]).unwrap().unwrap();
        assert_eq!((packet.kind, packet.data, rest), (b'H', &b"mail.example.net\0"[..], &b""[..]));
        assert_eq!(packet.wire_len(), out.len() - 1);
    }
}
