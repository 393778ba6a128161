//! The portal's URL, as it stands in front of every case link.

use std::net::IpAddr;

use model::Domain;

use super::forms::{Fault, Written};

/// The most octets of the portal's URL.
///
/// A case link has at most 68 octets, of which `/c/`, `/` and the secret take 30 and the
/// shortest reference, `n1-1`, four. The exact budget of each text is checked where the
/// texts are.
const URL_LEN_MAX: usize = 68 - 30 - 4;

/// Where the portal is reached: scheme and host, perhaps a port and a path, no slash at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Url(pub(super) String);

impl Url {
    /// The host, without port and brackets.
    pub(super) fn host(&self) -> &str {
        host(&self.0).unwrap_or_default()
    }

    /// Whether strangers can follow it: https, and not this machine's own name.
    pub(super) fn is_public(&self) -> bool {
        self.0.starts_with("https://") && !is_this_machine(self.host())
    }
}

impl Written for Url {
    fn expected() -> String {
        "an https URL (http only for 127.0.0.1)".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let bare = text.trim_end_matches('/');
        if !is_url(bare) {
            let https = bare.strip_prefix("http://").unwrap_or(bare);
            let meant = Some(format!("https://{https}")).filter(|m| is_url(m) && https.contains('.'));
            return Err(Fault::meant(meant));
        }
        if bare.len() > URL_LEN_MAX {
            let budget = format!("at most {URL_LEN_MAX} octets, so that a case link fits into 68");
            return Err(Fault::expected(&budget));
        }
        Ok(Url(bare.to_owned()))
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

fn is_url(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]".contains(&b);
    let Some(host) = host(text).filter(|_| text.bytes().all(plain)) else { return false };
    let is_host = host.parse::<IpAddr>().is_ok() || host == "localhost" || host.parse::<Domain>().is_ok();
    is_host && has_good_port(text) && (text.starts_with("https://") || is_this_machine(host))
}

fn authority(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    rest.split('/').next()
}

fn host(url: &str) -> Option<&str> {
    let authority = authority(url)?;
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, _)| host),
        None => authority.split(':').next(),
    }
}

fn has_good_port(url: &str) -> bool {
    let after = authority(url).map(|a| a.rsplit_once(']').map_or(a, |(_, after)| after));
    let port = after.and_then(|a| a.split_once(':')).map(|(_, port)| port);
    port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let got = Url::parse(text).map_or_else(
            |fault| fault.meant.or(fault.expected).map_or("error".to_owned(), |m| format!("error: {m}")),
            |value| value.text(),
        );
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn the_portal_is_reached_by_https() {
        check("https://mw.example.org", "https://mw.example.org");
        check("https://mw.example.org/", "https://mw.example.org");
        check("https://[2001:db8::1]:8443/mw", "https://[2001:db8::1]:8443/mw");
        check("http://127.0.0.1:12380", "http://127.0.0.1:12380");
        check("http://[::1]:12380", "http://[::1]:12380");
        check("http://mw.example.org", "error: https://mw.example.org");
        check("mw.example.org", "error: https://mw.example.org");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "https://",
            "https:///x",
            "https://a b",
            "https://x?y=1",
            "https://mw.example.org:0",
            "ftp://mw.example.org",
            "https://u@mw.example.org",
        ] {
            check(text, "error");
        }
    }

    #[test]
    fn a_url_leaves_room_for_the_case_link() {
        let longest = "https://mailward.net.example.org/w";
        assert_eq!(longest.len(), URL_LEN_MAX);
        check(longest, longest);
        check(&format!("{longest}x"), "error: at most 34 octets, so that a case link fits into 68");
    }
}
