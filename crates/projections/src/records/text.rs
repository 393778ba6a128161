//! Names and records as text, as in a zone file (RFC 1035 §5).

use std::fmt::Write as _;
use std::net::Ipv6Addr;

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
/// for the longest run of zeros, of several the first. BIND passes over other spellings.
fn policy_net(of: Prefix) -> String {
    let labels: Vec<String> = match of {
        Prefix::V4(bits, _) => bits.to_be_bytes().iter().map(u8::to_string).collect(),
        Prefix::V6(bits, _) => groups(Ipv6Addr::from_bits(bits).segments()),
    };
    let turned: Vec<&str> = labels.iter().rev().map(|label| &**label).collect();
    format!("{}.{}.rpz-ip", of.bits(), turned.join("."))
}

/// The groups of an IPv6 address, as RFC 5952 §4.2 shortens them; never dotted as IPv4.
fn groups(all: [u16; 8]) -> Vec<String> {
    let zeros = |from: usize| all[from..].iter().take_while(|group| **group == 0).count();
    // Of equal ones `max_by_key` takes the last.
    let (run, len) =
        (0..8).rev().map(|from| (from, zeros(from))).max_by_key(|(_, len)| *len).unwrap_or((8, 0));
    let (run, len) = if len < 2 { (8, 0) } else { (run, len) };
    let written = |nth: &usize| !(run + 1..run + len).contains(nth);
    let label = |nth| if nth == run { "zz".to_owned() } else { format!("{:x}", all[nth]) };
    (0..8).filter(written).map(label).collect()
}

/// What every zone file begins with. Names have their dot at the end.
#[derive(Clone, Debug)]
pub struct Head {
    /// The zone's name.
    pub origin: String,
    /// Its name servers, the primary first; at least one.
    pub servers: Vec<String>,
    /// The mailbox of whom to ask, its `@` a dot.
    pub contact: String,
    /// The zone's number.
    pub serial: u32,
    /// How often, in seconds, a secondary looks for a new number; how soon again after a
    /// failure; and after how long without us it gives the zone up.
    pub times: [u32; 3],
    /// How long, in seconds, an answer may be remembered.
    pub ttl: u32,
    /// The same of ‘there is none’.
    pub negative_ttl: u32,
}

/// Octets of a whole name (RFC 1035 §2.3.4).
const NAME_LEN_MAX: usize = 255;

impl Head {
    fn text(&self) -> String {
        let Head { origin, servers, contact, serial, times: [refresh, retry, expire], ttl, negative_ttl } =
            self;
        let primary = servers.first().map_or("", |server| server);
        let mut text = format!(
            "$ORIGIN {origin}\n$TTL {ttl}\n\
             @ SOA {primary} {contact} {serial} {refresh} {retry} {expire} {negative_ttl}\n"
        );
        servers.iter().for_each(|server| _ = writeln!(text, "@ NS {server}"));
        text
    }

    /// Whether a name has room in front of the zone's; both are an octet longer in a message.
    fn has_room(&self, name: &str) -> bool {
        name.len() + self.origin.len() + 2 <= NAME_LEN_MAX
    }
}

/// A zone file's text (RFC 1035 §5), some lines at a time; `text` says why a row is listed.
///
/// Names that would be too long are left out, as transfers leave them out.
pub fn zone_file(
    head: Head,
    zone: Zone,
    rows: impl Iterator<Item = Row>,
    text: impl Fn(&Row) -> String,
) -> impl Iterator<Item = String> {
    let begins = head.text();
    let fits = move |row: &Row| head.has_room(&owner_text(&row.owner, &zone));
    std::iter::once(begins).chain(rows.filter(fits).map(move |row| lines(&row, &zone, &text)))
}

fn lines(row: &Row, zone: &Zone, text: &dyn Fn(&Row) -> String) -> String {
    let name = owner_text(&row.owner, zone);
    if zone.is_policy {
        return format!("{name} CNAME .\n");
    }
    let mut lines: String = row.codes.addresses().map(|code| format!("{name} A {code}\n")).collect();
    let _ = writeln!(lines, "{name} TXT \"{}\"", escaped(&text(row)));
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
