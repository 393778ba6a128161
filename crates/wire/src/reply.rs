//! The two codes in front of an SMTP reply (RFC 5321 §4.2, RFC 3463 §2), for every protocol
//! that hands replies to an MTA.

/// The class that both codes of a reply agree on, if it is a reply with a text.
pub(crate) fn class(reply: &str) -> Option<u8> {
    parts(reply).map(|(code, ..)| code.as_bytes()[0])
}

/// Basic code, enhanced code of the same class, and text of a reply in one line.
pub(crate) fn parts(reply: &str) -> Option<(&str, &str, &str)> {
    let mut words = reply.splitn(3, ' ');
    let (code, enhanced, text) = (words.next()?, words.next()?, words.next()?);
    let whole = digits(code, 3..=3) && is_enhanced(enhanced) && !text.trim().is_empty();
    (whole && enhanced.as_bytes()[0] == code.as_bytes()[0]).then_some((code, enhanced, text))
}

/// RFC 3463 §2: ‘status-code = class "." subject "." detail’.
fn is_enhanced(code: &str) -> bool {
    let mut parts = code.split('.');
    let mut next = |len| parts.next().is_some_and(|part| digits(part, len));
    next(1..=1) && next(1..=3) && next(1..=3) && parts.next().is_none()
}

fn digits(text: &str, len: std::ops::RangeInclusive<usize>) -> bool {
    len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_falls_into_its_codes_and_its_text() {
        assert_eq!(parts("550 5.7.1 no: see URL"), Some(("550", "5.7.1", "no: see URL")));
        assert_eq!(
            (class("451 4.7.1 later"), class("550 4.7.1 x"), class("550 5.7.1 ")),
            (Some(b'4'), None, None)
        );
    }
}
