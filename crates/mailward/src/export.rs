//! What is listed, in the forms that other programs read (`mailward export`).
//!
//! Addresses, names, codes and ends, and nothing else: no case, no link, no evidence, no
//! word of an operator (ADV-14). Entries of others are in no form unless they are asked for
//! by name (STD-83).

mod zone;

use std::fmt;
use std::io::{Result, Write};
use std::net::IpAddr;
use std::str::FromStr;

use model::Codes;
use model::codes::{Lists, SubZone, meaning};
use projections::View;
use projections::spans::{ListedName, ListedSpan, Wanted, prefixes};
use serde_json::json;

use crate::daemon::utc;
use crate::import::span;

pub(crate) use zone::ZoneFile;

/// A form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// A combined data file of rbldnsd.
    Rbldnsd,
    /// One address, prefix or name a line.
    Plain,
    /// Comma-separated, with a head.
    Csv,
    /// One JSON object a line.
    Json,
    /// Two sets of nftables.
    Nft,
    /// A cidr table of Postfix.
    PostfixCidr,
    /// A zone file, see [`ZoneFile`].
    Bind,
    /// The response policy zone as a zone file.
    Rpz,
}

const FORMS: [(Form, &str); 8] = [
    (Form::Rbldnsd, "rbldnsd"),
    (Form::Plain, "plain"),
    (Form::Csv, "csv"),
    (Form::Json, "json"),
    (Form::Nft, "nft"),
    (Form::PostfixCidr, "postfix-cidr"),
    (Form::Bind, "bind"),
    (Form::Rpz, "rpz"),
];

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = FORMS.iter().find(|(form, _)| form == self).map_or("", |(_, word)| word);
        f.write_str(word)
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Form, String> {
        let known = FORMS.iter().find(|(_, word)| *word == text).map(|(form, _)| *form);
        known.ok_or_else(|| format!("expected {}", FORMS.map(|(_, word)| word).join(", ")))
    }
}

/// What is written.
pub(crate) struct Writing<'a> {
    pub(crate) view: &'a View,
    pub(crate) zone: &'static SubZone,
    pub(crate) wanted: Wanted,
    /// Where a reader finds more: the portal's address.
    pub(crate) portal: &'a str,
}

impl Writing<'_> {
    fn spans(&self) -> impl Iterator<Item = ListedSpan> + '_ {
        let lists = self.zone.lists;
        let fits = move |span: &ListedSpan| match lists {
            Lists::Addresses => true,
            Lists::V4 => span.first.is_ipv4(),
            Lists::V6 => span.first.is_ipv6(),
            Lists::Domains => false,
        };
        let wanted = (lists != Lists::Domains).then_some(self.wanted);
        wanted.into_iter().flat_map(|wanted| self.view.listed_spans(wanted)).filter(fits)
    }

    fn names(&self) -> impl Iterator<Item = ListedName> + '_ {
        let wanted = (self.zone.lists == Lists::Domains).then_some(self.wanted);
        wanted.into_iter().flat_map(|wanted| self.view.listed_names(wanted))
    }
}

impl Form {
    /// Whether it has no place for domains.
    pub(crate) fn is_of_addresses(self) -> bool {
        matches!(self, Form::Nft | Form::PostfixCidr)
    }

    /// Whether it is a zone with all its records: see [`ZoneFile`].
    pub(crate) fn is_zone(self) -> bool {
        matches!(self, Form::Bind | Form::Rpz)
    }

    /// Writes everything; of a zone file nothing, which [`ZoneFile`] writes.
    pub(crate) fn write(self, what: &Writing<'_>, out: &mut dyn Write) -> Result<()> {
        match self {
            Form::Rbldnsd => rbldnsd(what, out),
            Form::Plain => plain(what, out),
            Form::Csv => csv(what, out),
            Form::Json => json_lines(what, out),
            Form::Nft => nft(what, out),
            Form::PostfixCidr => postfix_cidr(what, out),
            Form::Bind | Form::Rpz => Ok(()),
        }
    }
}

/// A file for `rbldnsd ZONE:combined:FILE`. IPv4 lies in an ip4set, which gives all codes of
/// an address; IPv6 in an ip6trie, which has room for one.
fn rbldnsd(what: &Writing<'_>, out: &mut dyn Write) -> Result<()> {
    let portal = what.portal;
    if what.zone.lists == Lists::Domains {
        writeln!(
            out,
            "$DATASET dnset:{} @\n$= Blocked: $=. {portal}/h/dnsbl\ntest :2:test",
            what.zone.label
        )?;
        return what.names().try_for_each(|name| rbldnsd_name(&name, out));
    }
    let template = format!("$= Blocked: $=. {portal}/l/$");
    if what.zone.lists != Lists::V6 {
        writeln!(out, "$DATASET ip4set:{}-4 @\n{template}", what.zone.label)?;
        for code in what.zone.codes.octets().filter(|code| *code != 2).chain([2]) {
            writeln!(out, "127.0.0.{code} :{code}:test")?;
        }
        for span in what.spans().filter(|span| span.first.is_ipv4()) {
            span.codes.octets().try_for_each(|code| {
                writeln!(out, "{} :{code}:{}", self::span(span.first, span.last), meaning(code))
            })?;
        }
    }
    if what.zone.lists != Lists::V4 {
        writeln!(out, "$DATASET ip6trie:{}-6 @\n{template}\n::ffff:7f00:2 :2:test", what.zone.label)?;
        for span in what.spans().filter(|span| span.first.is_ipv6()) {
            let Some(code) = span.codes.octets().next() else { continue };
            prefixes(span.first, span.last)
                .try_for_each(|prefix| writeln!(out, "{prefix} :{code}:{}", meaning(code)))?;
        }
    }
    Ok(())
}

fn rbldnsd_name(name: &ListedName, out: &mut dyn Write) -> Result<()> {
    let ListedName { name, own, below, .. } = name;
    for (said, front) in [(own, ""), (below, "*.")] {
        let Some(codes) = said else { continue };
        if codes.is_empty() {
            writeln!(out, "!{front}{name}")?;
        }
        codes.octets().try_for_each(|code| writeln!(out, "{front}{name} :{code}:{}", meaning(code)))?;
    }
    Ok(())
}

fn plain(what: &Writing<'_>, out: &mut dyn Write) -> Result<()> {
    for span in what.spans() {
        prefixes(span.first, span.last).try_for_each(|prefix| writeln!(out, "{prefix}"))?;
    }
    let is_listed = |said: Option<Codes>| said.is_some_and(|codes| !codes.is_empty());
    let mut names = what.names().filter(|name| is_listed(name.own) || is_listed(name.below));
    names.try_for_each(|name| writeln!(out, "{}", name.name))
}

fn csv(what: &Writing<'_>, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "first,last,codes,until")?;
    for ListedSpan { first, last, codes, until } in what.spans() {
        writeln!(out, "{first},{last},{},{}", spaced(codes), utc(until))?;
    }
    for name in what.names() {
        for (said, text) in [(name.own, name.name.clone()), (name.below, format!("*.{}", name.name))] {
            if let Some(codes) = said.filter(|codes| !codes.is_empty()) {
                writeln!(out, "{text},{text},{},{}", spaced(codes), utc(name.until))?;
            }
        }
    }
    Ok(())
}

fn spaced(codes: Codes) -> String {
    codes.addresses().map(|address| address.to_string()).collect::<Vec<_>>().join(" ")
}

fn json_lines(what: &Writing<'_>, out: &mut dyn Write) -> Result<()> {
    let octets = |codes: Codes| codes.octets().collect::<Vec<_>>();
    for ListedSpan { first, last, codes, until } in what.spans() {
        writeln!(
            out,
            "{}",
            json!({"first": first, "last": last, "codes": octets(codes), "until": utc(until)})
        )?;
    }
    for ListedName { name, own, below, until } in what.names() {
        let (own, below) = (own.map(octets), below.map(octets));
        let row = json!({"name": name, "codes": own, "below": below, "until": utc(until)});
        writeln!(out, "{row}")?;
    }
    Ok(())
}

/// For `nft -f`: a table of two sets whose elements run out by themselves.
fn nft(what: &Writing<'_>, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "table inet mailward_export {{")?;
    for (set, kind, is_v4) in [("listed4", "ipv4_addr", true), ("listed6", "ipv6_addr", false)] {
        writeln!(out, "\tset {set} {{\n\t\ttype {kind}\n\t\tflags interval, timeout")?;
        let mut any = false;
        for ListedSpan { first, last, until, .. } in what.spans().filter(|s| s.first.is_ipv4() == is_v4) {
            let open = if any { "" } else { "\t\telements = {\n" };
            any = true;
            let seconds = until.since(what.wanted.now).0.max(1);
            writeln!(out, "{open}\t\t\t{} timeout {seconds}s,", ends(first, last))?;
        }
        writeln!(out, "{}\t}}", if any { "\t\t}\n" } else { "" })?;
    }
    writeln!(out, "}}")
}

fn ends(first: IpAddr, last: IpAddr) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// For `check_client_access cidr:FILE`; other programs' tables do not end by themselves.
fn postfix_cidr(what: &Writing<'_>, out: &mut dyn Write) -> Result<()> {
    let portal = what.portal;
    writeln!(out, "# {} at {}: write it anew at least every hour", what.zone.label, utc(what.wanted.now))?;
    for span in what.spans() {
        let why = span.codes.octets().next().map_or("", meaning);
        for prefix in prefixes(span.first, span.last) {
            writeln!(out, "{}/{} REJECT blocked: {why}; see {portal}/l/", prefix.addr(), prefix.bits())?;
        }
    }
    Ok(())
}
