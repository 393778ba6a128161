//! Tables of networks and countries, from the operator's files.
//!
//! Three forms are read, line by line, also mixed:
//! - ranges, `first,last,value`, where the value is an AS number or a country's two letters;
//!   what follows is not read (a name, say);
//! - delegation files of the registries, `registry|CC|ipv4|first|count|date|status`
//!   (for `ipv6` the prefix's length stands in place of the count), for countries;
//! - prefixes, one a line, in a file that is named after a country, such as `cn.cidr`.
//!
//! Where ranges overlap, the one that begins later counts: real tables have thousands within
//! others. An empty line, and one that begins with `#`, say nothing. AS 0 and `ZZ` are nobody.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use model::atlas::{Atlas, Country, Draft, RANGES_MAX};
use model::{Prefix, key};

/// Nobody's country in registries and tables.
const NOBODY: &str = "ZZ";

/// A file that can not be read as a table. Its author's doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BadTable {
    file: String,
    line: Option<usize>,
    what: String,
}

impl fmt::Display for BadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// What a table's values are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Systems,
    Countries,
}

/// Reads all files into one atlas.
///
/// # Errors
///
/// The first thing that is wrong, by file and line.
pub(crate) fn read(systems: &[PathBuf], countries: &[PathBuf]) -> Result<Atlas, BadTable> {
    let drafts = [(Kind::Systems, systems), (Kind::Countries, countries)].map(|(kind, files)| {
        let mut draft = Draft::default();
        files.iter().try_for_each(|file| read_file(kind, file, &mut draft)).map(|()| draft)
    });
    let [systems_draft, countries_draft] = drafts;
    Ok(Atlas::new(systems_draft?, countries_draft?))
}

fn read_file(kind: Kind, file: &Path, draft: &mut Draft) -> Result<(), BadTable> {
    let wrong = |line, what| BadTable { file: file.display().to_string(), line, what };
    let bytes = std::fs::read(file).map_err(|error| wrong(None, error.to_string()))?;
    let text = String::from_utf8_lossy(&bytes);
    let country = file.file_stem().and_then(|stem| stem.to_str()?.parse::<Country>().ok());
    for (number, line) in (1..).zip(text.lines()) {
        read_line(kind, country, line.trim(), draft).map_err(|what| wrong(Some(number), what))?;
        if draft.v4.len().max(draft.v6.len()) > RANGES_MAX {
            return Err(wrong(Some(number), format!("expected at most {RANGES_MAX} ranges")));
        }
    }
    Ok(())
}

fn read_line(kind: Kind, of: Option<Country>, line: &str, draft: &mut Draft) -> Result<(), String> {
    if line.is_empty() || line.starts_with('#') {
        Ok(())
    } else if line.contains('|') {
        delegation(kind, line, draft)
    } else if let Some((first, rest)) = line.split_once(',') {
        range(kind, first, rest, draft)
    } else {
        prefix(of.filter(|_| kind == Kind::Countries), line, draft)
    }
}

fn range(kind: Kind, first: &str, rest: &str, draft: &mut Draft) -> Result<(), String> {
    let mut fields = rest.split(',').map(bare);
    let (Some(last), Some(value)) = (fields.next(), fields.next()) else {
        return Err(format!("expected first,last,value, but got {}", cut(rest)));
    };
    let Some(value) = value_of(kind, value)? else { return Ok(()) };
    let (from, to) = (address(bare(first))?, address(last)?);
    if draft.add(from, to, value) { Ok(()) } else { Err(format!("expected a range, but got {from} to {to}")) }
}

/// The number that stands for a value; none for what is nobody's.
fn value_of(kind: Kind, text: &str) -> Result<Option<u32>, String> {
    match kind {
        Kind::Systems => {
            let number = text.strip_prefix("AS").unwrap_or(text).parse::<u32>();
            number.map(|n| Some(n).filter(|n| *n != 0)).map_err(|_| expected("an AS number", text))
        }
        Kind::Countries if text.is_empty() || text.eq_ignore_ascii_case(NOBODY) => Ok(None),
        Kind::Countries => {
            let country = text.parse::<Country>().map_err(|_| expected("a country's two letters", text));
            country.map(|country| Some(country.into()))
        }
    }
}

/// One record of a registry; headers, sums, AS numbers and free space say nothing here.
fn delegation(kind: Kind, line: &str, draft: &mut Draft) -> Result<(), String> {
    let fields: Vec<&str> = line.split('|').collect();
    let [_, country, family, first, count, _, status, ..] = fields[..] else { return Ok(()) };
    let assigned = matches!(status, "allocated" | "assigned");
    if !assigned || !matches!(family, "ipv4" | "ipv6") {
        return Ok(());
    }
    if kind == Kind::Systems {
        return Err("expected AS numbers, but got a registry's countries".to_owned());
    }
    let Some(value) = value_of(kind, country)? else { return Ok(()) };
    let first = address(first)?;
    let last = last_of(first, count).ok_or_else(|| expected("a count or a length", count))?;
    draft.add(first, last, value);
    Ok(())
}

/// The last address of a record: IPv4 by count, which is no power of two at times; IPv6 by
/// length.
fn last_of(first: IpAddr, count: &str) -> Option<IpAddr> {
    match first {
        IpAddr::V4(first) => {
            let more = count.parse::<u32>().ok()?.checked_sub(1)?;
            Some(Ipv4Addr::from_bits(first.to_bits().checked_add(more)?).into())
        }
        IpAddr::V6(_) => {
            let length = count.parse::<u8>().ok().filter(|length| *length <= 128)?;
            Some(model::atlas::ends(Prefix::new(first, length)).1)
        }
    }
}

fn prefix(country: Option<Country>, line: &str, draft: &mut Draft) -> Result<(), String> {
    let prefix: Prefix = line.parse().map_err(|error: key::KeyError| error.to_string())?;
    let country = country.ok_or(
        "expected first,last,value, but got a prefix, which tells nothing unless the file is named after \
         a country, such as cn.cidr",
    )?;
    draft.add_prefix(prefix, country.into());
    Ok(())
}

/// A field without its quotes.
fn bare(field: &str) -> &str {
    field.trim().trim_matches('"')
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| expected("an IP address", text))
}

fn expected(what: &str, got: &str) -> String {
    format!("expected {what}, but got {}", cut(got))
}

/// At most 40 characters of a text, made printable.
fn cut(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    /// What a table with one file makes of an address.
    #[track_caller]
    fn check(kind: Kind, name: &str, text: &str, addr: &str, expect: &str) {
        let scratch = Scratch::new(&format!("table-{name}-{}-{}", text.len(), expect.len()));
        let file = scratch.path().join(name);
        std::fs::write(&file, text).unwrap();
        let files = [file.clone()];
        let read = match kind {
            Kind::Systems => read(&files, &[]),
            Kind::Countries => read(&[], &files),
        };
        let at = addr.parse().unwrap();
        let got = match read {
            Ok(atlas) if kind == Kind::Systems => format!("{:?}", atlas.system(at)),
            Ok(atlas) => atlas.country(at).map_or("None".to_owned(), |country| country.to_string()),
            Err(error) => error.to_string().replace(&format!("{}/", scratch.path().display()), ""),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn ranges_with_numbers_names_and_quotes_are_read() {
        let text = "# made up\n192.0.2.0,192.0.2.127,64496,\"Example, Inc.\"\n\n192.0.2.128,192.0.2.255,AS64497\n\
                    198.51.100.0,198.51.100.255,0,nobody\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64498,x\n";
        check(Kind::Systems, "asn.csv", text, "192.0.2.9", "Some(64496)");
        check(Kind::Systems, "asn.csv", text, "192.0.2.200", "Some(64497)");
        check(Kind::Systems, "asn.csv", text, "2001:db8:77::1", "Some(64498)");
        check(Kind::Systems, "asn.csv", text, "198.51.100.1", "None");
        check(Kind::Countries, "c.csv", "192.0.2.0,192.0.2.255,cn\n", "192.0.2.9", "CN");
        check(Kind::Countries, "c.csv", "192.0.2.0,192.0.2.255,ZZ\n", "192.0.2.9", "None");
    }

    #[test]
    fn a_registry_s_delegations_and_a_country_s_prefixes_are_read() {
        let text = "2|apnic|20261101|3|19830101|20261031|+1000\napnic|*|ipv4|*|2|summary\n\
                    apnic|CN|ipv4|192.0.2.0|384|20100101|allocated\napnic|KR|ipv6|2001:db8::|32|20100101|assigned\n\
                    apnic|JP|asn|173|1|20020801|allocated\napnic||ipv4|203.0.113.0|256||available\n";
        check(Kind::Countries, "delegated-apnic-latest", text, "192.0.3.127", "CN");
        check(Kind::Countries, "delegated-apnic-latest", text, "192.0.3.128", "None");
        check(Kind::Countries, "delegated-apnic-latest", text, "2001:db8:ffff::1", "KR");
        check(Kind::Countries, "delegated-apnic-latest", text, "203.0.113.1", "None");
        check(Kind::Countries, "cn.cidr", "192.0.2.0/24\n", "192.0.2.9", "CN");
    }

    #[test]
    fn what_is_no_table_is_refused_by_file_and_line() {
        let systems = |text, expect| check(Kind::Systems, "asn.csv", text, "192.0.2.9", expect);
        systems(
            "192.0.2.0\n",
            "asn.csv:1: expected first,last,value, but got a prefix, which tells nothing unless the file is named after a country, such as cn.cidr",
        );
        systems("192.0.2.0,192.0.2.9\n", "asn.csv:1: expected first,last,value, but got \"192.0.2.9\"");
        systems("\n192.0.2.0,192.0.2.9,CN\n", "asn.csv:2: expected an AS number, but got \"CN\"");
        systems("192.0.2.9,192.0.2.0,1\n", "asn.csv:1: expected a range, but got 192.0.2.9 to 192.0.2.0");
        systems("192.0.2.x,192.0.2.0,1\n", "asn.csv:1: expected an IP address, but got \"192.0.2.x\"");
        let country = |text, expect| check(Kind::Countries, "c.csv", text, "192.0.2.9", expect);
        country(
            "192.0.2.0/24\n",
            "c.csv:1: expected first,last,value, but got a prefix, which tells nothing unless the file is named after a country, such as cn.cidr",
        );
        country(
            "apnic|CN|ipv4|192.0.2.0|0|x|assigned\n",
            "c.csv:1: expected a count or a length, but got \"0\"",
        );
        country("a,b,CHINA\n", "c.csv:1: expected a country's two letters, but got \"CHINA\"");
    }

    /// Real tables beside the workspace, if they are there.
    #[test]
    fn real_tables_of_half_a_million_ranges_are_read_into_a_few_megabytes() {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let data = std::env::var_os("MAILWARD_SHARED_DATA").map_or_else(beside, PathBuf::from).join("net");
        if !data.join("asn-ipv4.csv.xz").is_file() {
            return println!("skipped: {} is not there", data.display());
        }
        let scratch = Scratch::new("real-tables");
        let unpacked = |name: &str| {
            let out = std::process::Command::new("xz").args(["-dc"]).arg(data.join(name)).output().unwrap();
            let file = scratch.path().join(name.trim_end_matches(".xz"));
            std::fs::write(&file, out.stdout).unwrap();
            file
        };
        let systems = [unpacked("asn-ipv4.csv.xz"), unpacked("asn-ipv6.csv.xz")];
        let countries = [unpacked("country-ipv4.csv.xz")];
        let atlas = read(&systems, &countries).unwrap();
        let ((numbers, lands), bytes) = (atlas.len(), atlas.to_bytes());
        println!("{numbers} ranges of AS numbers, {lands} of countries, {} bytes", bytes.len());
        assert!(numbers > 400_000 && lands > 100_000 && bytes.len() < 10_000_000);
        assert_eq!(Atlas::from_bytes(&bytes).unwrap(), atlas);
        assert_eq!(atlas.system("1.0.0.1".parse().unwrap()), Some(13_335));
        assert_eq!(atlas.country("1.0.1.1".parse().unwrap()).map(|c| c.to_string()).as_deref(), Some("CN"));
        // The country's own list of prefixes says the same of nearly all of them.
        let listed = data.join("country/ipv4/cn.cidr");
        let text = std::fs::read_to_string(listed).unwrap();
        let prefixes = text.lines().filter_map(|line| line.trim().parse::<Prefix>().ok());
        let (mut all, mut same) = (0, 0);
        for prefix in prefixes {
            all += 1;
            same += u32::from(atlas.country(prefix.addr()).is_some_and(|c| c.to_string() == "CN"));
        }
        println!("cn.cidr: {same} of {all} prefixes");
        assert!(all > 1000 && same * 100 >= all * 95);
    }
}
