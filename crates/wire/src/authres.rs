//! Whose words an `Authentication-Results` field claims to be (RFC 8601), and no more.
//!
//! Anybody can write such a field; the one name in front of it, the authserv-id, says by
//! whom it wants to be taken for written. A host that adds fields under its own name has
//! to remove those that came in with it (§5).

/// The name of the field.
pub const NAME: &str = "Authentication-Results";

/// Comments deeper than this are no comments of real mail.
const COMMENTS_MAX: usize = 8;

/// Whether the field's value claims to be of `host`, in any case.
///
/// §2.2: ‘authres-header-field = "Authentication-Results:" authres-payload’, ‘authres-payload
/// = \[CFWS\] authserv-id \[ CFWS authres-version \] …’; the authserv-id is a MIME value: a
/// token or a quoted string.
pub fn claims(value: &[u8], host: &[u8]) -> bool {
    let Some(start) = without_comments(value) else { return false };
    let id = match start.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted),
        None => start.iter().copied().take_while(|byte| !b" \t\r\n;(".contains(byte)).collect(),
    };
    let bare = |name: &[u8]| name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase();
    !id.is_empty() && bare(&id) == bare(host)
}

/// What follows white space and comments (RFC 5322 §3.2.2); `None` where a comment does not
/// end.
fn without_comments(value: &[u8]) -> Option<&[u8]> {
    let (mut depth, mut at) = (0, 0);
    while let Some(byte) = value.get(at) {
        match byte {
            b'(' if depth == COMMENTS_MAX => return None,
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b'\\' if depth > 0 => at += 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if depth > 0 => {}
            _ => return Some(&value[at..]),
        }
        at += 1;
    }
    None
}

/// A quoted string behind its first quote, up to its last (RFC 5322 §3.2.4).
fn unquoted(text: &[u8]) -> Vec<u8> {
    let (mut out, mut bytes) = (Vec::new(), text.iter().copied());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return out,
            b'\\' => out.extend(bytes.next()),
            b'\r' | b'\n' => {}
            _ => out.push(byte),
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expect: bool) {
        assert_eq!(claims(value.as_bytes(), b"mx.example.org"), expect, "{value}");
    }

    #[test]
    fn a_field_under_our_name_is_ours_however_it_is_written() {
        check(" mx.example.org; spf=pass smtp.mailfrom=example.net", true);
        check(" MX.Example.ORG 1; none", true);
        check("\r\n\tmx.example.org;\r\n\tdkim=pass", true);
        check("(a (b\\) c) d)mx.example.org(x); none", true);
        check(" \"mx.example.org\"; none", true);
        check(" \"mx\\.example.org\"; none", true);
        check("mx.example.org", true);
        check("mx.example.org.;none", true);
    }

    #[test]
    fn another_name_is_not_ours() {
        check(" mx.example.net; spf=pass", false);
        check(" xmx.example.org; spf=pass", false);
        check(" mx.example.org.evil.example; spf=pass", false);
        check(" example.net; reason=\"mx.example.org\"", false);
    }

    #[test]
    fn what_is_no_such_field_is_not_ours() {
        check("", false);
        check(" ; none", false);
        check(" (mx.example.org", false);
        check(" \"mx.example.org", false);
        check(&format!("{}mx.example.org", "(".repeat(100_000)), false);
        check("(\\", false);
    }
}
