//! Text from strangers, made fit for a log line or an error message.
//!
//! A peer may send escape sequences, line breaks, right-to-left overrides or
//! invisible characters to forge what an operator reads. What leaves here is
//! printable ASCII of bounded length. It is for reading only: keys, comparisons and
//! counting use the bytes as sent. Texts for HTML or JSON are escaped again where
//! they are written.

/// The most bytes of a peer's text that one error or log line repeats.
///
/// Enough for an address, a host name or the start of a line; short enough that a
/// flood of bad requests does not fill the log with the attacker's words.
pub const QUOTED_LEN_MAX: usize = 64;

/// Makes `bytes` readable: printable ASCII of one line, cut after `len_max` bytes.
///
/// Controls, quotes, the backslash and everything outside ASCII (so bidirectional
/// and zero-width characters too) become `\n`, `\"`, `\\` or `\x..`, as in a Rust byte
/// string. What was cut shows as `...` at the end. The result has at most
/// `4 * len_max + 3` bytes.
pub fn printable(bytes: &[u8], len_max: usize) -> String {
    let kept = &bytes[..bytes.len().min(len_max)];
    let cut = if kept.len() < bytes.len() { "..." } else { "" };
    format!("{}{cut}", kept.escape_ascii())
}

/// [`printable`] at the usual length of a quotation, [`QUOTED_LEN_MAX`].
pub fn quoted(bytes: &[u8]) -> String {
    printable(bytes, QUOTED_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expect: &str) {
        assert_eq!(printable(input, 16), expect);
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        check(b"", "");
        check(b"mail.example.org", "mail.example.org");
        check(b"a b=c@[192.0.2]~", "a b=c@[192.0.2]~");
    }

    #[test]
    fn escapes_what_could_forge_a_line() {
        check(b"a\r\nb\tc", r"a\r\nb\tc");
        check(b"\x1b[31m\x00\x7f", r"\x1b[31m\x00\x7f");
        check(br#"\x0a "'"#, r#"\\x0a \"\'"#);
    }

    #[test]
    fn escapes_bidi_zero_width_and_all_else_outside_ascii() {
        check("\u{202e}txt".as_bytes(), r"\xe2\x80\xaetxt");
        check("a\u{200b}b".as_bytes(), r"a\xe2\x80\x8bb");
        check("ü".as_bytes(), r"\xc3\xbc");
        check(b"\xff\xfe", r"\xff\xfe");
    }

    #[test]
    fn cuts_bytes_as_sent_and_says_so() {
        check(b"0123456789abcdef", "0123456789abcdef");
        check(b"0123456789abcdefg", "0123456789abcdef...");
        check(&[0; 17], &format!("{}...", r"\x00".repeat(16)));
        assert_eq!(printable(b"x", 0), "...");
        assert_eq!(quoted(&[b'x'; 65]), format!("{}...", "x".repeat(64)));
    }

    #[test]
    fn every_byte_becomes_printable_ascii() {
        let all: Vec<u8> = (0..=255).collect();
        let text = printable(&all, all.len());
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
    }
}
