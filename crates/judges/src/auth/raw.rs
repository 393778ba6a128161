//! The message as it is checked, and what of it is not, so that no message costs too much.

use mail_auth::{AuthenticatedMessage, DkimOutput, DnsError, Error};
use model::letter::{Field, Letter};

/// How many signatures of one message are checked, topmost first.
///
/// Real mail has one to four. Each costs a public key operation, a lookup, and up to one
/// more run over the body.
pub(super) const SIGNATURES_MAX: usize = 8;
/// How many colons a `DKIM-Signature` may hold: they part the names of signed fields, and
/// each name is searched for in the whole header.
const COLONS_MAX: usize = 300;
/// How many header fields a message may have for its signatures to be checked.
const FIELDS_MAX: usize = 1000;
/// The largest body that is hashed, in octets.
const BODY_LEN_MAX: usize = 32 * 1024 * 1024;

/// The message to check, and whether signatures were left out of it.
pub(super) fn examined(letter: &Letter, dkim: bool) -> (Vec<u8>, bool) {
    let whole = letter.is_whole() && letter.fields_whole;
    let affordable = letter.fields.len() <= FIELDS_MAX && letter.body.len() <= BODY_LEN_MAX;
    let checked_max = if dkim && whole && affordable { SIGNATURES_MAX } else { 0 };
    let (mut checked, mut left_out) = (0, false);
    let mut raw = Vec::with_capacity(letter.body.len() + 4096);
    for field in &letter.fields {
        if field.is("DKIM-Signature") {
            if checked == checked_max || !is_affordable(field) {
                left_out = true;
                continue;
            }
            checked += 1;
        }
        write(&mut raw, field);
    }
    raw.extend_from_slice(b"\r\n");
    if checked > 0 {
        raw.extend_from_slice(&letter.body);
    }
    (raw, left_out)
}

fn is_affordable(signature: &Field) -> bool {
    signature.value.iter().filter(|&&byte| byte == b':').count() <= COLONS_MAX
}

fn write(raw: &mut Vec<u8>, field: &Field) {
    raw.extend_from_slice(&field.name);
    raw.push(b':');
    raw.extend_from_slice(&field.value);
    raw.extend_from_slice(b"\r\n");
}

/// What becomes of signatures whose keys did not arrive in time.
pub(super) fn late<'x>(message: &'x AuthenticatedMessage<'x>) -> Vec<DkimOutput<'x>> {
    let late = || DkimOutput::temp_err(Error::Dns(DnsError::Resolver("deadline".into())));
    message.dkim_headers.iter().map(|header| late().with_signature(&header.header)).collect()
}

/// Whether a key record may be used for mail: its `s=` is absent or names `email` or all.
pub(super) fn serves_mail(record: &[u8]) -> bool {
    let tags = record.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let mut services = tags.filter_map(|tag| {
        let (name, value) = tag.split_at(tag.iter().position(|&byte| byte == b'=')?);
        (name.trim_ascii() == b"s").then(|| &value[1..])
    });
    services.next().is_none_or(|list| {
        let mut words = list.split(|&byte| byte == b':').map(<[u8]>::trim_ascii);
        words.any(|word| word == b"*" || word.eq_ignore_ascii_case(b"email"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::letter;

    #[track_caller]
    fn check(header: &str, dkim: bool, signatures: usize, left_out: bool) {
        let (raw, out) = examined(&letter(format!("{header}From: a@example.org\r\n\r\nbody\r\n")), dkim);
        let text = String::from_utf8(raw).unwrap();
        assert_eq!((text.matches("DKIM-Signature:").count(), out), (signatures, left_out));
        assert_eq!(text.ends_with("body\r\n"), signatures > 0, "a body nobody signed is not hashed");
        assert!(text.contains("From: a@example.org\r\n"));
    }

    #[test]
    fn so_many_signatures_are_checked_and_no_more() {
        check("", true, 0, false);
        check(&"DKIM-Signature: v=1\r\n".repeat(8), true, 8, false);
        check(&"DKIM-Signature: v=1\r\n".repeat(9), true, 8, true);
        check("DKIM-Signature: v=1\r\n", false, 0, true);
    }

    #[test]
    fn a_signature_or_a_header_that_costs_too_much_is_left_out() {
        check(&format!("DKIM-Signature: h={}\r\n", "from:".repeat(301)), true, 0, true);
        check(&format!("DKIM-Signature: v=1\r\n{}", "X: y\r\n".repeat(1000)), true, 0, true);
    }

    #[test]
    fn a_message_that_is_not_held_whole_has_no_signatures_to_check() {
        let mut short = letter("DKIM-Signature: v=1\r\n\r\nbody\r\n");
        short.body_len += 1;
        assert!(examined(&short, true).1);
    }

    #[test]
    fn a_key_serves_mail_unless_it_says_otherwise() {
        for (record, expect) in [
            ("v=DKIM1; k=rsa; p=AAAA", true),
            ("v=DKIM1; s=email; p=AAAA", true),
            ("v=DKIM1; s = * ; p=AAAA", true),
            ("v=DKIM1; s=tlsrpt:EMAIL; p=AAAA", true),
            ("v=DKIM1; s=tlsrpt; p=AAAA", false),
            ("v=DKIM1; s=; p=AAAA", false),
        ] {
            assert_eq!(serves_mail(record.as_bytes()), expect, "{record}");
        }
    }
}
