//! Writing the `Authentication-Results` field (RFC 8601).

use std::fmt::Write as _;

use model::content::{Dmarc, Spf};

use super::{Dkim, Found, Identity, Signature};

/// The longest property value that is written: a domain name.
const VALUE_LEN_MAX: usize = 255;

/// The value of the field, folded; `authserv_id` says who vouches for it.
///
/// Everything in it that came from a peer is a token or a quoted string. Of addresses only
/// the domain is written.
pub fn write(authserv_id: &str, found: &Found) -> String {
    let mut text = format!(" {}", value(authserv_id));
    if found.spf_for.is_none() && found.dkim.is_empty() && found.author.is_none() {
        // §2.2: ‘"none"’ where no authentication was done.
        text.push_str("; none");
        return text;
    }
    write_spf(&mut text, found);
    found.dkim.iter().for_each(|signature| write_dkim(&mut text, signature));
    write_dmarc(&mut text, found);
    text
}

fn write_spf(text: &mut String, found: &Found) {
    let property = match &found.spf_for {
        Some(Identity::MailFrom(domain)) => format!("smtp.mailfrom={}", value(domain)),
        Some(Identity::Helo(domain)) => format!("smtp.helo={}", value(domain)),
        None => return,
    };
    let _ = write!(text, ";\r\n\tspf={} {property}", spf(found.spf));
}

fn write_dkim(text: &mut String, signature: &Signature) {
    let _ = write!(text, ";\r\n\tdkim={}", dkim(signature.result));
    if signature.result == Dkim::Policy {
        text.push_str(" reason=\"rsa-sha1\"");
    }
    if !signature.domain.is_empty() {
        let _ = write!(text, " header.d={}", value(&signature.domain));
    }
    if !signature.selector.is_empty() {
        let _ = write!(text, " header.s={}", value(&signature.selector));
    }
}

fn write_dmarc(text: &mut String, found: &Found) {
    let Some(author) = &found.author else { return };
    // `policy.dmarc`, from IANA's registry (RFC 8601 §6.2), is what the domain asks for.
    let (result, policy) = match found.dmarc {
        Dmarc::None => ("none", ""),
        Dmarc::Pass => ("pass", ""),
        Dmarc::Fail => ("fail", " policy.dmarc=none"),
        Dmarc::FailQuarantine => ("fail", " policy.dmarc=quarantine"),
        Dmarc::FailReject => ("fail", " policy.dmarc=reject"),
    };
    let _ = write!(text, ";\r\n\tdmarc={result}{policy} header.from={}", value(author));
}

/// SPF's result as RFC 8601 §2.7.2 spells it.
pub fn spf(result: Spf) -> &'static str {
    match result {
        Spf::None => "none",
        Spf::Neutral => "neutral",
        Spf::Pass => "pass",
        Spf::Fail => "fail",
        Spf::SoftFail => "softfail",
        Spf::TempError => "temperror",
        Spf::PermError => "permerror",
    }
}

/// DKIM's result as RFC 8601 §2.7.1 spells it.
pub fn dkim(result: Dkim) -> &'static str {
    match result {
        Dkim::Pass => "pass",
        Dkim::Fail => "fail",
        Dkim::Policy => "policy",
        Dkim::Neutral => "neutral",
        Dkim::TempError => "temperror",
        Dkim::PermError => "permerror",
    }
}

/// A value: a token where it is one (RFC 2045 §5.1), else a quoted string (RFC 5322 §3.2.4)
/// of printable ASCII.
fn value(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let cut: Vec<u8> = text.bytes().take(VALUE_LEN_MAX).collect();
    if !cut.is_empty() && cut.iter().all(|&byte| is_plain(byte)) {
        return String::from_utf8_lossy(&cut).into_owned();
    }
    let mut quoted = String::from("\"");
    for byte in cut {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted.push('?'),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(result: Dkim, domain: &str, selector: &str) -> Signature {
        Signature { result, domain: domain.into(), selector: selector.into() }
    }

    #[test]
    fn all_that_was_found_is_written() {
        let found = Found {
            spf: Spf::SoftFail,
            spf_for: Some(Identity::MailFrom("bounce.example.org".into())),
            dkim: vec![
                signature(Dkim::Pass, "example.org", "s1"),
                signature(Dkim::Policy, "example.com", "old"),
            ],
            author: Some("example.org".into()),
            dmarc: Dmarc::FailQuarantine,
            ..Found::default()
        };
        assert_eq!(
            write("mx.example.net", &found),
            " mx.example.net;\r\n\tspf=softfail smtp.mailfrom=bounce.example.org;\r\n\tdkim=pass \
             header.d=example.org header.s=s1;\r\n\tdkim=policy reason=\"rsa-sha1\" header.d=example.com \
             header.s=old;\r\n\tdmarc=fail policy.dmarc=quarantine header.from=example.org"
        );
    }

    #[test]
    fn nothing_found_is_none() {
        assert_eq!(write("mx.example.net", &Found::default()), " mx.example.net; none");
    }

    #[test]
    fn what_a_peer_wrote_can_not_leave_its_place() {
        let found = Found {
            spf_for: Some(Identity::Helo("x; dkim=pass header.d=bank.example\r\nX: \"\\".into())),
            author: Some("é".repeat(1000)),
            ..Found::default()
        };
        assert_eq!(
            write("mx.example.net", &found),
            format!(
                " mx.example.net;\r\n\tspf=none smtp.helo=\"x; dkim=pass header.d=bank.example??X: \\\"\\\\\";\
                 \r\n\tdmarc=none header.from=\"{}\"",
                "?".repeat(255)
            )
        );
    }
}
