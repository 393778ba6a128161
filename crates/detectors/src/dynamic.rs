//! OFF-11, the names of dynamic and end-user addresses.
//!
//! Needs: a reverse DNS name, confirmed or not, or a HELO name. Its parts are weighed: octets
//! of the address (in decimal, zero-padded, in hexadecimal, forwards or backwards, run
//! together), words that only access lines carry, words of servers. The weights stand in `data/line-names.txt` with the command that made them.
//!
//! It is a fact for other rules, not an offence: no culpability, no sentence. False positives
//! come from servers on business lines whose provider made the name: a word such as `static`
//! or `mail` outweighs the pattern, and so does good mail.

use std::net::IpAddr;
use std::sync::LazyLock;

/// From here on a name counts as that of a line, in quarters of a point.
pub const LINE: u8 = 7;
/// The most that a name weighs.
pub const LINE_MAX: u8 = 12;
/// So many octets make a name one that a machine made, whatever else stands in it.
pub const MADE: usize = 3;

/// What was found in a name; `explain` prints it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Parts {
    /// Octets of the address, four at most.
    pub octets: usize,
    /// A word that only access lines carry.
    pub access: bool,
    /// A word of servers.
    pub server: bool,
}

impl Parts {
    /// Looks a name over.
    pub fn of(name: &[u8], client: IpAddr) -> Parts {
        let (mut access, mut server) = (false, false);
        for word in tokens(name) {
            access |= is_access_token(word);
            server |= is_server_word(word);
        }
        Parts { octets: octets_in(name, client).min(4), access: access || names_dsl(name), server }
    }

    /// Its weight in quarters of a point, 0 to [`LINE_MAX`].
    pub fn points(self) -> u8 {
        let weights = &*WEIGHTS;
        let octets = match self.octets {
            0 | 1 => 0,
            2 => weights.octets_2,
            3 => weights.octets_3,
            _ => weights.octets_4,
        };
        let parts = [(true, octets), (self.access, weights.access_word), (self.server, weights.server_word)];
        let sum: i32 = parts.iter().filter(|(found, _)| *found).map(|(_, weight)| weight).sum();
        u8::try_from(sum.clamp(0, i32::from(LINE_MAX))).unwrap_or(LINE_MAX)
    }
}

/// The weights of the data file.
#[derive(Debug, Default, PartialEq)]
struct Weights {
    octets_2: i32,
    octets_3: i32,
    octets_4: i32,
    access_word: i32,
    server_word: i32,
}

static WEIGHTS: LazyLock<Weights> = LazyLock::new(|| Weights::read(include_str!("../data/line-names.txt")));

impl Weights {
    /// Reads lines of a part and its weight; a test holds the shipped file to it.
    fn read(text: &str) -> Weights {
        let mut weights = Weights::default();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        for (part, weight) in lines {
            if let (Some(slot), Ok(weight)) = (weights.slot(part), weight.trim().parse()) {
                *slot = weight;
            }
        }
        weights
    }

    fn slot(&mut self, part: &str) -> Option<&mut i32> {
        Some(match part {
            "octets-2" => &mut self.octets_2,
            "octets-3" => &mut self.octets_3,
            "octets-4" => &mut self.octets_4,
            "access-word" => &mut self.access_word,
            "server-word" => &mut self.server_word,
            _ => return None,
        })
    }
}

/// What a name weighs as that of a line, in quarters of a point.
pub fn points(name: &[u8], client: IpAddr) -> u8 {
    Parts::of(name, client).points()
}

/// Whether a word stands in the names of servers: one outweighs every pattern.
pub fn is_server_word(word: &[u8]) -> bool {
    matches!(
        word,
        b"static"
            | b"fixed"
            | b"biz"
            | b"business"
            | b"mail"
            | b"mx"
            | b"smtp"
            | b"relay"
            | b"out"
            | b"mta"
            | b"mailout"
            | b"srv"
    )
}

/// Whether a word of a name is one of servers.
pub fn names_server(name: &[u8]) -> bool {
    tokens(name).any(is_server_word)
}

/// Whether a word before the registered domain ends in ‘dsl’, such as `internetdsl`: there
/// the technique of a line is named, in the domain it may be a company's name.
fn names_dsl(name: &[u8]) -> bool {
    let mut dots = name.iter().enumerate().rev().filter(|(_, b)| **b == b'.');
    let host = dots.nth(1).map_or(&name[..0], |(end, _)| &name[..end]);
    words(host).any(|word| word.ends_with(b"dsl"))
}

/// Whether a word stands in the names of access lines only: one is enough.
pub fn is_access_token(word: &[u8]) -> bool {
    matches!(
        word,
        b"dyn"
            | b"dynamic"
            | b"dynamicip"
            | b"dynip"
            | b"dhcp"
            | b"dial"
            | b"dialup"
            | b"dialin"
            | b"dsl"
            | b"adsl"
            | b"xdsl"
            | b"vdsl"
            | b"cable"
            | b"cablemodem"
            | b"pool"
            | b"pools"
            | b"ppp"
            | b"pppoe"
            | b"broadband"
            | b"mobile"
            | b"lte"
            | b"nat"
            | b"cgn"
            | b"cgnat"
            | b"fttx"
            | b"wlan"
            | b"cpe"
            | b"catv"
            | b"bredband"
            | b"fios"
            | b"gprs"
            | b"umts"
            | b"wimax"
            | b"dip"
    )
}

/// Words of a name without its top label.
fn tokens(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = name.iter().rposition(|b| *b == b'.').unwrap_or(name.len());
    words(&name[..end])
}

/// Runs of letters: `adsl` and `example` in `adsl-12.example`.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| !b.is_ascii_alphabetic()).filter(|t| !t.is_empty())
}

/// How many octets of the address stand in the name.
///
/// An IPv6 address counts by its last two 16-bit groups; names made from one hold them
/// in hexadecimal.
pub fn octets_in(name: &[u8], client: IpAddr) -> usize {
    match client {
        IpAddr::V4(addr) => octets_v4(name, addr.octets()),
        IpAddr::V6(addr) => {
            let groups = addr.segments();
            let stands = |g: &&u16| **g > 0 && contains(name, &hex::<4>(u32::from(**g)));
            groups[6..].iter().filter(stands).count()
        }
    }
}

fn octets_v4(name: &[u8], octets: [u8; 4]) -> usize {
    let (forwards, backwards) = (u32::from_be_bytes(octets), u32::from_le_bytes(octets));
    let [a, b, c, d] = octets;
    // Most names hold no run of characters that is long enough.
    let hexadecimal = has_run(name, HEX_LEN, u8::is_ascii_hexdigit)
        && (contains(name, &hex::<HEX_LEN>(forwards)) || contains(name, &hex::<HEX_LEN>(backwards)));
    let together = || runs_together(name, octets) || runs_together(name, [d, c, b, a]);
    let written = hexadecimal || (has_run(name, TOGETHER_LEN, u8::is_ascii_digit) && together());
    if written { 4 } else { decimal_octets(name, octets) }
}

/// An address in hexadecimal.
const HEX_LEN: usize = 8;
/// Digits that stand in a name by chance are fewer.
const TOGETHER_LEN: usize = 7;

/// Whether so many such characters stand side by side.
fn has_run(name: &[u8], least: usize, is: impl Fn(&u8) -> bool) -> bool {
    let mut run = 0;
    name.iter().any(|b| {
        run = if is(b) { run + 1 } else { 0 };
        run >= least
    })
}

/// Whether all octets stand in the name without anything between them: `20158113240` for
/// 201.58.113.240. [`TOGETHER_LEN`] digits at least.
fn runs_together(name: &[u8], octets: [u8; 4]) -> bool {
    let mut digits = [0; 12];
    let mut len = 0;
    for octet in octets {
        for divisor in [100, 10, 1] {
            if octet >= divisor || divisor == 1 {
                digits[len] = b'0' + octet / divisor % 10;
                len += 1;
            }
        }
    }
    len >= TOGETHER_LEN && contains(name, &digits[..len])
}

/// The lowest `N` hexadecimal digits of a number, in lower case.
fn hex<const N: usize>(number: u32) -> [u8; N] {
    let digit = |place: usize| b"0123456789abcdef"[(number >> (4 * (N - 1 - place)) & 15) as usize];
    std::array::from_fn(digit)
}

/// Each octet that stands as a decimal number of its own, plain or padded, is found once.
fn decimal_octets(name: &[u8], octets: [u8; 4]) -> usize {
    let mut found = [false; 4];
    for number in numbers(name) {
        if let Some(place) = (0..4).find(|place| !found[*place] && octets[*place] == number) {
            found[place] = true;
        }
    }
    found.iter().filter(|found| **found).count()
}

/// Numbers up to 255 in a name; a run of six, nine or twelve digits is read as padded triples.
fn numbers(name: &[u8]) -> impl Iterator<Item = u8> {
    let runs = name.split(|b| !b.is_ascii_digit()).filter(|r| !r.is_empty());
    runs.flat_map(|run| {
        let padded = matches!(run.len(), 6 | 9 | 12);
        let size = if padded { 3 } else { run.len() };
        run.chunks(size)
    })
    .filter_map(|digits| {
        digits.iter().try_fold(0u8, |number, digit| number.checked_mul(10)?.checked_add(digit - b'0'))
    })
}

fn contains(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, client: &str, expect: bool) {
        assert_eq!(points(name.as_bytes(), client.parse().unwrap()) >= LINE, expect, "{name}");
    }

    #[test]
    fn names_made_from_the_address_are_generic() {
        check("1-2-3-4.dsl.example", "1.2.3.4", true);
        check("host-192-0-2-25.example.net", "192.0.2.25", true);
        check("25.2.0.192.example.net", "192.0.2.25", true);
        check("h192000002025.example.net", "192.0.2.25", true);
        check("c0000219.example.net", "192.0.2.25", true);
        check("ip-2-25.example.net", "192.0.2.25", true);
        check("20158113240.user.example.net", "201.58.113.240", true);
        check("u24011358201.example.net", "201.58.113.240", true);
        check("a1234.example.net", "1.2.3.4", false);
        check("2001-0db8-0000-00aa-beef-cafe.example.net", "2001:db8::beef:cafe", true);
    }

    #[test]
    fn access_tokens_are_generic_and_server_tokens_win() {
        check("x7.pool.example.net", "192.0.2.25", true);
        check("adsl77.example.net", "192.0.2.25", true);
        check("p12.dip0.example.net", "192.0.2.25", true);
        check("epp226.internetdsl.example.net", "192.0.2.25", true);
        check("host1.mydsl.example", "192.0.2.25", false);
        // A.4: the static token wins.
        check("mail.static-1-2-3-4.example", "1.2.3.4", false);
        check("smtp-192-0-2-25.example.net", "192.0.2.25", false);
    }

    #[test]
    fn the_shipped_weights_are_all_there() {
        let text = include_str!("../data/line-names.txt");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| Weights::read(line) != Weights::default()), "{lines:?}");
    }

    #[test]
    fn parts_add_up_to_twelve_quarters_at_most() {
        let points = |name: &[u8]| points(name, "192.0.2.25".parse().unwrap());
        assert_eq!(points(b"dsl-192-0-2-25.dyn.example.net"), LINE_MAX);
        assert_eq!(points(b"mail.example.net"), 0);
        assert!(points(b"x-2-25.example.net") < points(b"x-192-0-2-25.example.net"));
    }

    #[test]
    fn names_of_servers_are_not() {
        check("mail.example.org", "192.0.2.25", false);
        check("web25.example.org", "192.0.2.25", false);
        check("liverpool.example.org", "192.0.2.25", false);
        check("cust.client.home.example", "192.0.2.25", false);
        check("www.example.pool", "192.0.2.25", false);
    }

    #[test]
    fn an_octet_that_stands_once_is_found_once() {
        assert_eq!(octets_in(b"a5.example", "5.5.5.5".parse().unwrap()), 1);
        assert_eq!(octets_in(b"5-5.example", "5.5.5.5".parse().unwrap()), 2);
        assert_eq!(octets_in(b"", "5.5.5.5".parse().unwrap()), 0);
    }
}
