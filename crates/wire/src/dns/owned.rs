//! Names that we keep: of zones, servers and mailboxes.

use std::fmt;
use std::str::FromStr;

use super::name::{DnsName, NAME_LEN_MAX};

/// A name in the form of messages, checked.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct OwnedName(Box<[u8]>);

/// A text that is no name: one label of 1 to 63 letters, digits, hyphens or underscores at
/// least, 255 octets at most.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseNameError;

impl fmt::Display for ParseNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a domain name such as dnsbl.example.org")
    }
}

impl std::error::Error for ParseNameError {}

impl OwnedName {
    /// The name.
    pub fn name(&self) -> DnsName<'_> {
        DnsName::checked(&self.0)
    }

    /// The name with a label in front of it.
    ///
    /// # Errors
    ///
    /// When it is too long, or the label is none.
    pub fn below(&self, label: &str) -> Result<OwnedName, ParseNameError> {
        let mut bytes = Vec::with_capacity(self.0.len() + label.len() + 1);
        push_label(&mut bytes, label)?;
        bytes.extend_from_slice(&self.0);
        OwnedName::checked(bytes)
    }

    /// The name of a mailbox: a dot in the local part is part of its label (RFC 1035 §8).
    ///
    /// # Errors
    ///
    /// When it is no address of mail, or too long.
    pub fn of_mailbox(address: &str) -> Result<OwnedName, ParseNameError> {
        let (local, domain) = address.rsplit_once('@').ok_or(ParseNameError)?;
        let len =
            u8::try_from(local.len()).ok().filter(|len| (1..=63).contains(len)).ok_or(ParseNameError)?;
        let domain: OwnedName = domain.parse()?;
        OwnedName::checked([&[len], local.as_bytes(), &domain.0].concat())
    }

    fn checked(bytes: Vec<u8>) -> Result<OwnedName, ParseNameError> {
        let fits = bytes.len() <= NAME_LEN_MAX && DnsName::whole(&bytes).is_ok();
        if fits { Ok(OwnedName(bytes.into())) } else { Err(ParseNameError) }
    }
}

fn push_label(bytes: &mut Vec<u8>, label: &str) -> Result<(), ParseNameError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let len = u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len)).ok_or(ParseNameError)?;
    if !label.bytes().all(good) {
        return Err(ParseNameError);
    }
    bytes.push(len);
    bytes.extend_from_slice(label.as_bytes());
    Ok(())
}

impl FromStr for OwnedName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<OwnedName, ParseNameError> {
        let mut bytes = Vec::with_capacity(text.len() + 2);
        let text = text.strip_suffix('.').unwrap_or(text);
        text.split('.').try_for_each(|label| push_label(&mut bytes, label))?;
        bytes.push(0);
        OwnedName::checked(bytes)
    }
}

impl fmt::Display for OwnedName {
    /// Without the dot at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.name().to_string();
        f.write_str(text.strip_suffix('.').unwrap_or(&text))
    }
}

impl fmt::Debug for OwnedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_checked_once() {
        let name: OwnedName = "DNSBL.example.org.".parse().unwrap();
        assert_eq!(name.to_string(), "DNSBL.example.org");
        assert_eq!(name.below("bl").unwrap().to_string(), "bl.DNSBL.example.org");
        for bad in ["", ".", "a..b", "a b.example", &"a".repeat(64), &vec!["a"; 130].join(".")] {
            assert_eq!(bad.parse::<OwnedName>(), Err(ParseNameError), "{bad}");
        }
        let long: OwnedName = vec!["a"; 126].join(".").parse().unwrap();
        assert_eq!(long.below("bl"), Err(ParseNameError));
    }

    #[test]
    fn a_mailbox_keeps_the_dots_of_its_local_part() {
        let name = OwnedName::of_mailbox("post.master@example.org").unwrap();
        assert_eq!(name.to_string(), "post\\.master.example.org");
        assert_eq!(OwnedName::of_mailbox("example.org"), Err(ParseNameError));
    }
}
