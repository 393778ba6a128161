//! Names and records as text, as in a zone file (RFC 1035 §5).

use std::fmt::Write as _;

use model::Prefix;

use super::{Owner, Row, Zone, node};

/// The name of a row below its zone, without a dot at the end.
pub fn owner_text(owner: &Owner, zone: &Zone) -> String {
    match owner {
        Owner::Net(node) if zone.is_policy => policy_net(*node),
        Owner::Net(node) => reversed(*node),
        Owner::Name(name) => name.to_string(),
        Owner::Below(name) => format!("*.{name}"),
    }
}

/// A node's labels backwards (RFC 5782 §2.1, §2.4), a wildcard where it is not of full length.
fn reversed(of: Prefix) -> String {
    let mut name = String::with_capacity(72);
    if !node::is_full(of) {
        name.push_str("*.");
    }
    match of {
        Prefix::V4(bits, len) => {
            let octets = bits.to_be_bytes();
            let labels = octets[..usize::from(len / 8)].iter().rev();
            labels.for_each(|octet| _ = write!(name, "{octet}."));
        }
        Prefix::V6(bits, len) => {
            let nibbles = (32 - len / 4)..32;
            nibbles.for_each(|nth| _ = write!(name, "{:x}.", bits >> (4 * u32::from(nth)) & 15));
        }
    }
    name.pop();
    name
}

/// A node as response policies say it: its length, and its octets or groups backwards, `zz`
/// for the longest run of zeros.
fn policy_net(of: Prefix) -> String {
    let (len, text) = (of.bits(), of.addr().to_string());
    let turned = match of {
        Prefix::V4(..) => text.rsplit('.').collect::<Vec<_>>().join("."),
        Prefix::V6(..) => {
            let spelled = match text.split_once("::") {
                None => text,
                Some(("", "")) => "zz".to_owned(),
                Some(("", after)) => format!("zz:{after}"),
                Some((before, "")) => format!("{before}:zz"),
                Some((before, after)) => format!("{before}:zz:{after}"),
            };
            spelled.rsplit(':').collect::<Vec<_>>().join(".")
        }
    };
    format!("{len}.{turned}.rpz-ip")
}

/// What every zone file begins with.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The zone's name, with the dot at its end.
    pub origin: &'a str,
    /// The primary server, with the dot.
    pub primary: &'a str,
    /// The mailbox of whom to ask, its `@` a dot, with the dot at the end.
    pub contact: &'a str,
    /// The zone's number.
    pub serial: u32,
    /// How long, in seconds, an answer may be remembered.
    pub ttl: u32,
}

/// A zone file's text, line by line; `text` says why a row is listed.
pub fn zone_file<'a>(
    head: &Head<'a>,
    zone: Zone,
    rows: impl Iterator<Item = Row> + 'a,
    text: &'a dyn Fn(&Owner) -> String,
) -> impl Iterator<Item = String> + 'a {
    let Head { origin, primary, contact, serial, ttl } = *head;
    let begins = [
        format!("$ORIGIN {origin}\n$TTL {ttl}\n"),
        format!("@ SOA {primary} {contact} {serial} 60 30 86400 60\n@ NS {primary}\n"),
    ];
    begins.into_iter().chain(rows.map(move |row| lines(&row, &zone, text)))
}

fn lines(row: &Row, zone: &Zone, text: &dyn Fn(&Owner) -> String) -> String {
    let name = owner_text(&row.owner, zone);
    if zone.is_policy {
        return format!("{name} CNAME .\n");
    }
    let mut lines: String = row.codes.addresses().map(|code| format!("{name} A {code}\n")).collect();
    let _ = writeln!(lines, "{name} TXT \"{}\"", escaped(&text(&row.owner)));
    lines
}

/// Quotes and backslashes escaped; anything that is not printable ASCII as its number.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            32..=126 => out.push(char::from(byte)),
            _ => _ = write!(out, "\\{byte:03}"),
        }
        out
    })
}
