//! Splitting one policy request off the front of what has arrived.
//!
//! This runs once per recipient of all mail, so it copies nothing, never goes back and
//! allocates only to report an error.

use super::attributes::Attributes;
use super::error::RequestError;
use super::request::Request;
use crate::text::quoted;

/// The most bytes of one line, its newline not counted.
///
/// 2 KiB for the value and 64 bytes for the name. Postfix hands on command lines of
/// up to 2048 bytes (`line_length_limit`), so a limit on the whole line would let a
/// client escape its judgement by a HELO name of 2040 bytes: we would close, and
/// Postfix would take its default action.
pub const LINE_LEN_MAX: usize = 2 * 1024 + 64;

/// The most lines of one request.
///
/// Postfix 3.12 sends about 35; the rest is room for its next ten years.
pub const ATTRIBUTES_MAX: usize = 100;

/// The most bytes we hold for one unfinished request, its closing empty line
/// included.
///
/// Postfix sends about 1 KiB; an attacker who reaches the socket gets no more than
/// this per connection.
pub const REQUEST_LEN_MAX: usize = 64 * 1024;

/// Splits one request off the front of `input`.
///
/// Returns the request and the bytes after it, or `None` while the closing empty
/// line has not arrived; call again with the same bytes and more. What it returns for
/// a whole request does not depend on the bytes that follow. Of an attribute sent
/// twice the first counts; attributes that we do not use are ignored; a request
/// without any attribute is a [`Request`] of empty values.
///
/// # Errors
///
/// On every [`RequestError`] but one the caller closes without an answer; see
/// [`RequestError::request_len`]. A limit is reported as soon as it is passed, so
/// with a buffer of [`REQUEST_LEN_MAX`] bytes there is no endless `None`.
pub fn split_request(input: &[u8]) -> Result<Option<(Request<'_>, &[u8])>, RequestError> {
    let window = &input[..input.len().min(REQUEST_LEN_MAX)];
    let mut found = Attributes::default();
    let mut stray = None;
    let (mut line, mut at) = (0, 0);
    loop {
        let reach = reach(window, at);
        line += 1;
        let Some(end) = find_byte(reach, b'\n') else {
            return incomplete(window.len(), reach, line).map(|()| None);
        };
        at += end + 1;
        if end == 0 {
            return close(found, stray, at).map(|request| Some((request, &input[at..])));
        }
        if line > ATTRIBUTES_MAX {
            return Err(RequestError::TooManyAttributes);
        }
        // Looking beyond the line's end is quicker than stopping there; see `find_byte`.
        match find_byte(reach, b'=').filter(|equals| *equals < end) {
            Some(equals) => found.put(&reach[..equals], &reach[equals + 1..end]),
            None => stray = stray.or(Some((line, &reach[..end]))),
        }
    }
}

/// From the start of a line at `at` as far as its newline may be.
fn reach(window: &[u8], at: usize) -> &[u8] {
    let rest = &window[at..];
    &rest[..rest.len().min(LINE_LEN_MAX + 1)]
}

/// Whether a line without newline may still get one.
fn incomplete(window_len: usize, reach: &[u8], line: usize) -> Result<(), RequestError> {
    if reach.len() > LINE_LEN_MAX {
        return Err(RequestError::LineTooLong { line, got: quoted(reach) });
    }
    if window_len == REQUEST_LEN_MAX {
        return Err(RequestError::RequestTooLong);
    }
    Ok(())
}

fn close<'a>(
    found: Attributes<'a>,
    stray: Option<(usize, &[u8])>,
    request_len: usize,
) -> Result<Request<'a>, RequestError> {
    match stray {
        None => Ok(found.into()),
        Some((line, text)) => Err(RequestError::NotAnAttribute { line, got: quoted(text), request_len }),
    }
}

/// Where `byte` first stands in `bytes`.
///
/// Looks at eight bytes at a time, in place: our lines have some twenty bytes, and with
/// two calls of a vectorised search per line a whole request took half as long again.
/// The tail goes byte by byte, so a longer slice is better than one that ends close
/// behind the byte.
#[inline(always)]
fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let pattern = u64::from_le_bytes([byte; 8]);
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // A byte that matches becomes zero. The lowest high bit then set belongs to the
        // first zero byte; only bits above it may be wrong (by the borrow).
        let differs = u64::from_le_bytes(*word) ^ pattern;
        let zeros = differs.wrapping_sub(LOW) & !differs & HIGH;
        if zeros != 0 {
            return Some(index * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    tail.iter().position(|b| *b == byte).map(|index| words.len() * 8 + index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{ClientAddress, State};

    const RCPT: &[u8] =
        b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.25\nhelo_name=mx.example.net\n\
          sender=a@example.net\nrecipient=b@example.org\ninstance=7b.65.0\n\n";

    /// `Ok`: sender and recipient, then what is left; `Err`: the error's text.
    fn told(input: &[u8]) -> String {
        match split_request(input) {
            Ok(None) => "more".into(),
            Ok(Some((request, rest))) => {
                format!("{}>{} +{}", quoted(request.sender), quoted(request.recipient), rest.len())
            }
            Err(error) => format!("error: {error}"),
        }
    }

    #[track_caller]
    fn check(input: impl AsRef<[u8]>, expect: &str) {
        assert_eq!(told(input.as_ref()), expect);
    }

    #[test]
    fn splits_one_request_off_the_front() {
        check(RCPT, "a@example.net>b@example.org +0");
        check([RCPT, RCPT].concat(), "a@example.net>b@example.org +162");
        check([RCPT, b"\xff\0rubbish"].concat(), "a@example.net>b@example.org +9");
    }

    #[test]
    fn waits_for_the_empty_line() {
        check("", "more");
        check("sender=a", "more");
        check("sender=a\n", "more");
        check("no equals sign\n", "more");
        check(&RCPT[..RCPT.len() - 1], "more");
    }

    #[test]
    fn the_order_of_attributes_does_not_matter() {
        check("recipient=b\nsender=a\nrequest=smtpd_access_policy\n\n", "a>b +0");
    }

    #[test]
    fn of_an_attribute_sent_twice_the_first_counts() {
        check("sender=a\nsender=c\nrecipient=b\n\n", "a>b +0");
        check("sender=\nsender=c\n\n", "> +0");
    }

    #[test]
    fn ignores_attributes_that_we_do_not_use() {
        check("tls_sni=mx.example.org\nsender=a\n=x\nSender=c\nsender =d\n\n", "a> +0");
    }

    #[test]
    fn values_are_bytes_up_to_the_newline() {
        check("sender=a=b\nrecipient= b \n\n", "a=b> b  +0");
        check(b"sender=\xff\0\x1b\nrecipient=b\r\n\n", r"\xff\x00\x1b>b\r +0");
    }

    #[test]
    fn a_request_without_attributes_is_empty() {
        check("\n", "> +0");
        check("\n\n", "> +1");
    }

    #[test]
    fn rejects_a_line_without_equals() {
        check(
            "client_address=192.0.2.25\nhello\n\n",
            "error: expected name=value in line 2, but got \"hello\"",
        );
        // Lines end in LF alone, so the empty line of a CRLF speaker is not empty.
        check("sender=a\r\n\r\n\n", r#"error: expected name=value in line 2, but got "\r""#);
        check(b"\x16\x03\x01\n\n", r#"error: expected name=value in line 1, but got "\x16\x03\x01""#);
    }

    #[test]
    fn a_line_without_equals_is_named_once_and_can_be_skipped() {
        let two = [b"a\nb\n\n".as_slice(), RCPT].concat();
        let error = split_request(&two).expect_err("no equals sign");
        assert_eq!(error.to_string(), "expected name=value in line 1, but got \"a\"");
        check(&two[error.request_len().expect("it has an end")..], "a@example.net>b@example.org +0");
    }

    #[test]
    fn a_line_of_three_kilobytes_closes() {
        let long = format!("sender={}\n\n", "x".repeat(3 * 1024));
        let error = split_request(long.as_bytes()).expect_err("too long");
        assert_eq!(error.request_len(), None);
        let start = format!("sender={}...", "x".repeat(57));
        check(long, &format!("error: expected at most 2112 bytes in line 1, but got more: \"{start}\""));
    }

    #[test]
    fn the_longest_line_that_postfix_can_send_is_read() {
        // "EHLO " and 2043 bytes of name are a command of 2048 bytes.
        let helo = format!("helo_name={}\n\n", "x".repeat(2043));
        assert_eq!(split_request(helo.as_bytes()).map(|found| found.is_some()), Ok(true));
    }

    #[test]
    fn a_line_may_have_its_limit_and_not_one_byte_more() {
        let line = |len: usize| format!("sender={}", "x".repeat(len - "sender=".len()));
        let most = line(LINE_LEN_MAX);
        check(&most, "more");
        check(format!("{most}\n\n"), &format!("{}...> +0", "x".repeat(64)));
        assert!(told(line(LINE_LEN_MAX + 1).as_bytes()).starts_with("error: expected at most 2112 bytes"));
        assert!(told(&[0; LINE_LEN_MAX + 1]).contains(r#"in line 1, but got more: "\x00\x00"#));
    }

    #[test]
    fn takes_a_hundred_attributes_and_not_one_more() {
        let lines = |count: usize| "x=\n".repeat(count) + "\n";
        check(lines(100), "> +0");
        check(lines(101), "error: expected at most 100 attributes, but got more");
        check("sender=a\n".repeat(101), "error: expected at most 100 attributes, but got more");
        let error = split_request(b"junk\n".repeat(101).leak()).expect_err("too many");
        assert_eq!((error.clone(), error.request_len()), (RequestError::TooManyAttributes, None));
    }

    /// A request of exactly `len` bytes, in lines of at most 1 KiB.
    fn of_len(len: usize) -> Vec<u8> {
        let mut input = Vec::new();
        while len - input.len() > 2 * 1024 {
            input.extend_from_slice(format!("x={}\n", "y".repeat(1021)).as_bytes());
        }
        let rest = len - input.len() - "x=\n\n".len();
        input.extend_from_slice(format!("x={}\n\n", "y".repeat(rest)).as_bytes());
        input
    }

    #[test]
    fn a_request_may_have_64_kib_and_not_one_byte_more() {
        check(of_len(REQUEST_LEN_MAX), "> +0");
        check([of_len(REQUEST_LEN_MAX), b"more".to_vec()].concat(), "> +4");
        let error = "error: expected an empty line within 65536 bytes, but got none";
        check(of_len(REQUEST_LEN_MAX + 1), error);
        // The caller's buffer is full and nothing more would fit: it must not wait.
        check(&of_len(REQUEST_LEN_MAX + 1)[..REQUEST_LEN_MAX], error);
        check(&of_len(REQUEST_LEN_MAX)[..REQUEST_LEN_MAX - 1], "more");
    }

    #[test]
    fn two_recipients_of_one_message_share_their_instance() {
        let second = String::from_utf8_lossy(RCPT).replace("b@", "c@").into_bytes();
        let both = [RCPT, &second].concat();
        let (one, rest) = split_request(&both).unwrap().expect("whole");
        let (two, rest) = split_request(rest).unwrap().expect("whole");
        assert_eq!((one.instance, two.instance), (b"7b.65.0".as_slice(), b"7b.65.0".as_slice()));
        assert_eq!(
            (one.recipient, two.recipient),
            (b"b@example.org".as_slice(), b"c@example.org".as_slice())
        );
        assert_eq!((one.protocol_state, rest), (State::Rcpt, b"".as_slice()));
    }

    #[test]
    fn a_client_without_address_is_a_request_and_no_error() {
        let (request, _) = split_request(b"client_address=\nsender=a\n\n").unwrap().expect("whole");
        assert_eq!(request.client_address, ClientAddress::Absent);
    }

    #[test]
    fn finds_the_first_byte_at_every_place() {
        for len in 0..40 {
            for first in 0..len {
                for noise in [0x00, 0x8a, b'\n' - 1, b'\n' + 1, 0xff] {
                    let mut bytes = vec![noise; len];
                    assert_eq!(find_byte(&bytes, b'\n'), None, "{bytes:?}");
                    bytes[first] = b'\n';
                    bytes[len - 1] = b'\n';
                    assert_eq!(find_byte(&bytes, b'\n'), Some(first), "{bytes:?}");
                }
            }
        }
    }
}
