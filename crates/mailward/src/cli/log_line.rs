//! The client that a log line names: ours, Postfix's, Sendmail's, Exim's.
//!
//! Everything in a line may come from a stranger: what is found counts only as an address.

use std::net::IpAddr;

/// The address after `key=` or `client=`, or else the first in brackets: HELO names in
/// brackets stand behind the client in the lines of all mail servers that we know.
pub(super) fn client_in(line: &str) -> Option<String> {
    let named = ["key=", "addr=", "client="].into_iter().find_map(|field| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(field))?;
        value.split(['/', ',', ' ']).next().and_then(address)
    });
    named.or_else(|| line.split('[').skip(1).find_map(|rest| address(rest.split(']').next()?)))
}

fn address(text: &str) -> Option<String> {
    let text = text.trim_start_matches("IPv6:");
    text.parse::<IpAddr>().ok().map(|addr| addr.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Option<&str>) {
        assert_eq!(client_in(line).as_deref(), expect);
    }

    #[test]
    fn the_client_of_a_log_line_is_found() {
        check(
            "INFO  key blocked key=192.0.2.25 case=n1-48211 reason=dictionary until=2026-11-22T22:40Z",
            Some("192.0.2.25"),
        );
        check("INFO  key blocked key=2001:db8:1:2::/64 case=n1-2", Some("2001:db8:1:2::"));
        check(
            "Nov 21 22:40:12 mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.25]: 550 5.7.1 [198.51.100.1] …",
            Some("192.0.2.25"),
        );
        check(
            "2026-11-21 22:40:12 H=(pc) [192.0.2.25] F=<a@sender.example> rejected RCPT",
            Some("192.0.2.25"),
        );
        check("sendmail[9]: ruleset=check_rcpt, relay=[IPv6:2001:db8::5], reject=550", Some("2001:db8::5"));
    }

    #[test]
    fn a_process_number_or_a_name_is_no_client() {
        check("postfix/smtpd[7]: lost connection after DATA", None);
        check("key=somebody client=unknown", None);
    }
}
