//! Values of the judges: where each is asked, and what a filter's mark looks like.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::forms::{Fault, Written};
use super::words::Word;

/// A server on this machine or beside it: an address with a port, or a unix socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Endpoint {
    /// Over TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Written for Endpoint {
    fn expected() -> String {
        "an address with a port, or the absolute path of a socket".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        if text.starts_with('/') {
            return PathBuf::parse(text).map(Endpoint::Unix);
        }
        let bare = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let named = bare.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let meant = named.or_else(|| (bare != text).then(|| bare.to_owned()));
        let meant = meant.filter(|m| m.parse::<SocketAddr>().is_ok());
        text.parse().map(Endpoint::Tcp).map_err(|_| Fault::meant(meant))
    }

    fn text(&self) -> String {
        match self {
            Endpoint::Tcp(at) => at.to_string(),
            Endpoint::Unix(path) => path.text(),
        }
    }
}

/// The port of DNS.
const DNS_PORT: u16 = 53;

/// A resolver: an address, with a port unless it is 53.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Resolver(pub(crate) SocketAddr);

impl Written for Resolver {
    const MANY: &'static str = "addresses, each with a port or without";

    fn expected() -> String {
        "an IP address, or one with a port".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
        bare.or_else(|_| text.parse()).map(Resolver).map_err(|_| Fault::default())
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

/// What becomes of Office documents with macros that start by themselves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Macros {
    /// They give points.
    #[default]
    Score,
    /// They are refused like programs.
    Refuse,
}

impl Word for Macros {
    const WORDS: &'static [(&'static str, Self)] = &[("score", Self::Score), ("refuse", Self::Refuse)];
}

/// What becomes of archives into which nobody can look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Encrypted {
    /// They are delivered.
    #[default]
    Pass,
    /// The mail server holds them for its operator.
    Quarantine,
    /// They are refused.
    Refuse,
}

impl Word for Encrypted {
    const WORDS: &'static [(&'static str, Self)] =
        &[("pass", Self::Pass), ("quarantine", Self::Quarantine), ("refuse", Self::Refuse)];
}

/// The most octets of a mark.
const MARK_LEN_MAX: usize = 200;

/// A header field that means spam: its name, and how its value begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HeaderMark {
    /// The field's name.
    pub(crate) name: String,
    /// How its value begins, in any case.
    pub(crate) value: String,
}

impl Written for HeaderMark {
    fn expected() -> String {
        "a header field and how its value begins, such as \"X-Spam-Flag: YES\"".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let (name, value) = text.split_once(':').ok_or_else(Fault::default)?;
        let (name, value) = (name.trim(), value.trim());
        // RFC 5322 §2.2: a field's name is printable ASCII without a colon.
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        let good = named && !value.is_empty() && !value.contains(char::is_control);
        if !good || text.len() > MARK_LEN_MAX {
            return Err(Fault::default());
        }
        Ok(HeaderMark { name: name.to_owned(), value: value.to_owned() })
    }

    fn text(&self) -> String {
        format!("{}: {}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Written>(text: &str, expect: &str) {
        let got = T::parse(text).map_or_else(
            |fault| fault.meant.map_or("error".to_owned(), |m| format!("error: {m}?")),
            |value| value.text(),
        );
        assert_eq!(got, expect);
    }

    #[test]
    fn an_endpoint_is_an_address_or_a_socket() {
        check::<Endpoint>("127.0.0.1:11333", "127.0.0.1:11333");
        check::<Endpoint>("[::1]:783", "[::1]:783");
        check::<Endpoint>("/run/clamav/clamd.ctl", "/run/clamav/clamd.ctl");
        check::<Endpoint>("http://127.0.0.1:11333/", "error: 127.0.0.1:11333?");
        check::<Endpoint>("localhost:783", "error: 127.0.0.1:783?");
        check::<Endpoint>("clamd.ctl", "error");
        check::<Endpoint>("127.0.0.1", "error");
    }

    #[test]
    fn a_resolver_has_port_53_unless_it_says_another() {
        check::<Resolver>("127.0.0.1", "127.0.0.1:53");
        check::<Resolver>("[2001:db8::53]:5353", "[2001:db8::53]:5353");
        check::<Resolver>("dns.example.org", "error");
    }

    #[test]
    fn a_mark_is_a_field_and_the_beginning_of_its_value() {
        check::<HeaderMark>("X-Spam-Flag: YES", "X-Spam-Flag: YES");
        check::<HeaderMark>("X-Spam-Status:Yes,", "X-Spam-Status: Yes,");
        for text in ["", "X-Spam-Flag", "X-Spam-Flag:", ": YES", "X Spam: YES", "X-Spam: a\nb"] {
            check::<HeaderMark>(text, "error");
        }
    }
}
