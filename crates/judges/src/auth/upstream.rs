//! Reading the `Authentication-Results` field of somebody we trust (RFC 8601).
//!
//! A declared upstream MX saw the client's connection, we did not: its SPF is worth more
//! than ours. Only fields under its own authserv-id count (§5), and only the topmost: what
//! stands below may have been there before. Pure; what is not understood is ‘none’.

use model::content::{Dmarc, Spf};
use model::letter::Letter;

use super::{Dkim, Found, Identity, Signature};

/// How much of the field is read.
const VALUE_LEN_MAX: usize = 8 * 1024;
/// How many results of one field are read.
const RESULTS_MAX: usize = 20;

/// What the topmost field of `authserv_id` says; `None` without one.
pub fn read(letter: &Letter, authserv_id: &str) -> Option<Found> {
    let fields =
        letter.all("Authentication-Results").map(|value| words(&value[..value.len().min(VALUE_LEN_MAX)]));
    let mut fields = fields.filter(|results| results.first().is_some_and(|who| is_from(who, authserv_id)));
    let results = fields.next()?;
    let mut found = Found::default();
    results[1..].iter().take(RESULTS_MAX).for_each(|result| take_in(&mut found, result));
    found.author_first();
    Some(found)
}

/// Whether a field's first part, `id [version]`, names `authserv_id`.
fn is_from(who: &[String], authserv_id: &str) -> bool {
    who.first().is_some_and(|id| id.eq_ignore_ascii_case(authserv_id))
}

/// One result: `method=result`, then properties.
fn take_in(found: &mut Found, result: &[String]) {
    let Some((method, word)) = result.first().and_then(|first| first.split_once('=')) else { return };
    let property = |name: &str| {
        let mut values = result.iter().filter_map(|word| word.split_once('='));
        values.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_ascii_lowercase())
    };
    let domain = |address: String| address.rsplit('@').next().unwrap_or_default().to_owned();
    match method.to_ascii_lowercase().as_str() {
        "spf" => {
            found.spf = spf(word);
            let sender = property("smtp.mailfrom").map(domain).map(Identity::MailFrom);
            found.spf_for = sender.or_else(|| property("smtp.helo").map(Identity::Helo));
        }
        "dkim" => {
            let domain =
                property("header.d").or_else(|| property("header.i").map(domain)).unwrap_or_default();
            let selector = property("header.s").unwrap_or_default();
            found.dkim.extend(dkim(word).map(|result| Signature { result, domain, selector }));
        }
        "dmarc" => {
            found.dmarc = dmarc(word, property("policy.dmarc").as_deref());
            found.author = property("header.from").map(domain);
        }
        _ => {}
    }
}

fn spf(word: &str) -> Spf {
    const WORDS: [Spf; 6] =
        [Spf::Pass, Spf::Fail, Spf::SoftFail, Spf::Neutral, Spf::TempError, Spf::PermError];
    let is_it = |result: &Spf| super::results::spf(*result).eq_ignore_ascii_case(word);
    WORDS.into_iter().find(is_it).unwrap_or(Spf::None)
}

fn dkim(word: &str) -> Option<Dkim> {
    const WORDS: [Dkim; 6] =
        [Dkim::Pass, Dkim::Fail, Dkim::Policy, Dkim::Neutral, Dkim::TempError, Dkim::PermError];
    WORDS.into_iter().find(|result| super::results::dkim(*result).eq_ignore_ascii_case(word))
}

fn dmarc(word: &str, policy: Option<&str>) -> Dmarc {
    match (word.to_ascii_lowercase().as_str(), policy) {
        ("pass", _) => Dmarc::Pass,
        ("fail", Some("reject")) => Dmarc::FailReject,
        ("fail", Some("quarantine")) => Dmarc::FailQuarantine,
        ("fail", _) => Dmarc::Fail,
        _ => Dmarc::None,
    }
}

/// Takes a field apart: its parts between semicolons, each as words; comments are dropped
/// and quotes undone (RFC 5322 §3.2.2, §3.2.4).
fn words(value: &[u8]) -> Vec<Vec<String>> {
    let mut parts = vec![vec![String::new()]];
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for &byte in value {
        let part = parts.last_mut().map(|words| (words.len(), words));
        let Some((count, words)) = part else { break };
        let is_literal = escaped || (quoted && byte != b'"' && byte != b'\\');
        match byte {
            _ if is_literal && depth == 0 => words[count - 1].push(char::from(byte)),
            _ if is_literal => {}
            b'\\' if quoted || depth > 0 => {
                escaped = true;
                continue;
            }
            b'"' if depth == 0 => quoted = !quoted,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b';' => parts.push(vec![String::new()]),
            b' ' | b'\t' | b'\r' | b'\n' => words.push(String::new()),
            _ => words[count - 1].push(char::from(byte)),
        }
        escaped = false;
    }
    parts.iter_mut().for_each(|words| words.retain(|word| !word.is_empty()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::letter;

    #[track_caller]
    fn check(header: &str, expect: &str) {
        let found = read(&letter(format!("{header}\r\n\r\n")), "mx.example.net");
        let got =
            found.map_or("no field".into(), |found| super::super::results::write("mx.example.net", &found));
        assert_eq!(got.replace("\r\n\t", " "), expect);
    }

    #[test]
    fn what_we_write_is_read_again() {
        let text = " mx.example.net; spf=softfail smtp.mailfrom=example.org; dkim=pass header.d=example.org \
                    header.s=s1; dmarc=fail policy.dmarc=reject header.from=example.org";
        check(&format!("Authentication-Results:{text}"), text);
    }

    #[test]
    fn others_spellings_are_read() {
        check(
            "Authentication-Results: MX.example.net 1;\r\n\tspf=Pass (x; spf=fail (nested)) \
             smtp.mailfrom=\"a b\"@example.org;\r\n dkim=pass (2048-bit key) header.i=@example.com; auth=pass",
            " mx.example.net; spf=pass smtp.mailfrom=example.org; dkim=pass header.d=example.com",
        );
        check("Authentication-Results: mx.example.net; none", " mx.example.net; none");
        check("Authentication-Results: mx.example.net", " mx.example.net; none");
    }

    #[test]
    fn only_the_topmost_field_of_whom_we_trust_counts() {
        check("Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=example.org", "no field");
        check("Subject: hello", "no field");
        check(
            "Authentication-Results: other.example; spf=pass smtp.mailfrom=a.example\r\nAuthentication-Results: \
             mx.example.net; spf=fail smtp.mailfrom=b.example\r\nAuthentication-Results: mx.example.net; spf=pass \
             smtp.mailfrom=c.example",
            " mx.example.net; spf=fail smtp.mailfrom=b.example",
        );
    }

    #[test]
    fn a_field_of_garbage_is_read_as_nothing() {
        for garbage in
            ["((((((", "\"\\", "mx.example.net;;;;=;==;spf=;spf;dkim=maybe", "\\", ";mx.example.net"]
        {
            let found = read(&letter(format!("Authentication-Results: {garbage}\r\n\r\n")), "mx.example.net");
            let spf = found.map(|found| found.spf);
            assert!(matches!(spf, None | Some(Spf::None)), "{garbage}");
        }
    }
}
