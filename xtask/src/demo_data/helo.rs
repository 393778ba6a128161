//! Addresses in the text of a HELO argument.
//!
//! Found are runs of numbers with one mark between them (`192.0.2.25`, `[192.0.2.25]`,
//! `host-25-2-0-192.example.net`, `2.0.192.in-addr.arpa`), and the client's own address
//! where a provider writes it without marks. Names are left as they are.

use std::net::Ipv4Addr;
use std::ops::Range;

use super::permute::permuted;

/// Marks between the numbers of an address.
const MARKS: &[u8] = b".-_";

/// Fewer characters than this without marks may stand for anything.
const GLUED_LEN_MIN: usize = 8;

/// An address written backward is told by its being near the client's: both in one /16.
const NEAR: u32 = 16;

/// How providers write a customer's address into a name without marks between its numbers.
const GLUED: [fn([u8; 4]) -> String; 6] = [
    |[a, b, c, d]| format!("{a:03}{b:03}{c:03}{d:03}"),
    |[a, b, c, d]| format!("{d:03}{c:03}{b:03}{a:03}"),
    |[a, b, c, d]| format!("w{d:03}.z{a:03}{b:03}{c:03}"),
    |[a, b, c, d]| format!("{a:02x}{b:02x}{c:02x}{d:02x}"),
    |[a, b, c, d]| format!("{a:02X}{b:02X}{c:02X}{d:02X}"),
    |[a, b, c, d]| format!("{a}{b}{c}{d}"),
];

/// Numbers with one mark between them all.
struct Run {
    /// Where it stands in the text.
    at: Range<usize>,
    mark: u8,
    numbers: Vec<u8>,
}

/// `helo` with every address in it permuted, the client's own and others.
pub(super) fn permuted_helo(helo: &str, client: Ipv4Addr) -> String {
    let (own, new) = (client.octets(), permuted(client).octets());
    for form in GLUED.iter().filter(|form| form(own).len() >= GLUED_LEN_MIN) {
        if helo.contains(&form(own)) {
            return helo.replace(&form(own), &form(new));
        }
    }
    let mut out = String::with_capacity(helo.len());
    let mut copied = 0;
    for run in runs(helo) {
        out.push_str(&helo[copied..run.at.start]);
        out.push_str(&run.permuted(&helo[run.at.clone()], client));
        copied = run.at.end;
    }
    out + &helo[copied..]
}

impl Run {
    /// Its text after the permutation; as written where it holds no address.
    fn permuted(&self, text: &str, client: Ipv4Addr) -> String {
        let mut slots = Slots::of(&self.numbers);
        slots.permute(client);
        if slots.numbers == self.numbers {
            return text.to_owned();
        }
        let numbers: Vec<_> = slots.numbers.iter().map(ToString::to_string).collect();
        numbers.join(&char::from(self.mark).to_string())
    }
}

/// The numbers of a run while they are replaced.
struct Slots {
    numbers: Vec<u8>,
    done: Vec<bool>,
}

impl Slots {
    fn of(numbers: &[u8]) -> Self {
        Self { numbers: numbers.to_vec(), done: vec![false; numbers.len()] }
    }

    /// The client's address first, then others, then what is left of the client's: its
    /// first three numbers alone. Each is looked for in both directions.
    fn permute(&mut self, client: Ipv4Addr) {
        let (own, new) = (client.octets(), permuted(client).octets());
        self.replace(&own, &new);
        self.replace(&reversed(own), &reversed(new));
        self.replace_others(client);
        self.replace(&own[..3], &new[..3]);
        self.replace(&reversed(own)[1..], &reversed(new)[1..]);
    }

    fn replace(&mut self, from: &[u8], to: &[u8]) {
        for start in self.free(from.len()) {
            if self.numbers[start..].starts_with(from) {
                self.fill(start, to);
            }
        }
    }

    /// Permutes every other four numbers, read backward only where that is near the client.
    fn replace_others(&mut self, client: Ipv4Addr) {
        let near = |octets: [u8; 4]| (u32::from_be_bytes(octets) ^ client.to_bits()).leading_zeros();
        for start in self.free(4) {
            let Some(&written) = self.numbers[start..].first_chunk::<4>() else { continue };
            if self.done[start..start + 4].contains(&true) {
                continue;
            }
            let backward = reversed(written);
            let image = if near(backward) >= NEAR && near(written) < NEAR {
                reversed(permuted(backward.into()).octets())
            } else {
                permuted(written.into()).octets()
            };
            self.fill(start, &image);
        }
    }

    /// Where `length` numbers stand that are not yet replaced.
    fn free(&self, length: usize) -> Vec<usize> {
        let windows = self.done.windows(length).enumerate();
        windows.filter(|(_, done)| !done.contains(&true)).map(|(at, _)| at).collect()
    }

    fn fill(&mut self, start: usize, numbers: &[u8]) {
        self.numbers[start..start + numbers.len()].copy_from_slice(numbers);
        self.done[start..start + numbers.len()].fill(true);
    }
}

fn reversed([a, b, c, d]: [u8; 4]) -> [u8; 4] {
    [d, c, b, a]
}

/// All runs of a text, in its order; one number is a run too.
fn runs(text: &str) -> Vec<Run> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match number(bytes, at) {
            Some((first, end)) => {
                let run = run(bytes, at, first, end);
                at = run.at.end;
                found.push(run);
            }
            // Digits that are too many for an octet are no part of a run.
            None => at += digits(bytes, at).max(1),
        }
    }
    found
}

/// The run that begins at `start` with the number `first`, which ends before `end`.
fn run(bytes: &[u8], start: usize, first: u8, end: usize) -> Run {
    let mark = bytes.get(end).copied().filter(|mark| MARKS.contains(mark)).unwrap_or(b'.');
    let mut run = Run { at: start..end, mark, numbers: vec![first] };
    while bytes.get(run.at.end) == Some(&mark) {
        let Some((next, end)) = number(bytes, run.at.end + 1) else { break };
        run.numbers.push(next);
        run.at.end = end;
    }
    run
}

/// The octet whose digits begin at `at`, and where they end.
fn number(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let end = at + digits(bytes, at);
    let text = std::str::from_utf8(bytes.get(at..end)?).ok()?;
    Some((text.parse().ok()?, end))
}

fn digits(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Public addresses, since documentation addresses are left as they are. The second
    /// is in the first one's /24.
    const CLIENT: Ipv4Addr = Ipv4Addr::new(1, 20, 130, 240);
    const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(1, 20, 130, 9);

    /// `{a}` to `{d}` are the client's octets and `{n}` the neighbour's last one; all are
    /// replaced by the permuted ones in what is expected.
    #[track_caller]
    fn check(template: &str) {
        let filled = |client: Ipv4Addr, neighbour: Ipv4Addr| {
            let mut text = template.to_owned();
            for (name, octet) in ["{a}", "{b}", "{c}", "{d}"].into_iter().zip(client.octets()) {
                text = text.replace(name, &octet.to_string());
            }
            text.replace("{n}", &neighbour.octets()[3].to_string())
        };
        let expected = filled(permuted(CLIENT), permuted(NEIGHBOUR));
        assert_eq!(permuted_helo(&filled(CLIENT, NEIGHBOUR), CLIENT), expected);
    }

    #[test]
    fn the_clients_own_address_is_permuted_in_every_writing() {
        assert_ne!(permuted(CLIENT), CLIENT);
        check("{a}.{b}.{c}.{d}");
        check("[{a}.{b}.{c}.{d}]");
        check("host-{a}-{b}-{c}-{d}.example.net");
        check("{d}_{c}_{b}_{a}.dsl.example.net");
        check("1-{a}-{b}-{c}-{d}.example.net");
        check("{d}.{c}.{b}.{a}.in-addr.arpa");
        check("{a}.{b}.{c}.{d}.{c}.{b}.{a}.in-addr.arpa");
        check("mx.net-{a}-{b}-{c}.example.net");
    }

    #[test]
    fn an_address_without_marks_is_permuted() {
        for form in GLUED {
            let helo = |of: Ipv4Addr| format!("c{}.example.net", form(of.octets()));
            assert_eq!(permuted_helo(&helo(CLIENT), CLIENT), helo(permuted(CLIENT)));
        }
    }

    #[test]
    fn a_neighbours_address_stays_a_neighbours() {
        check("{a}.{b}.{c}.{n}");
        check("{a}-{b}-{c}-{n}.example.net");
        check("{n}.{c}.{b}.{a}.example.net");
    }

    #[test]
    fn a_strangers_address_is_permuted_as_its_own_mail_would_be() {
        let stranger = Ipv4Addr::new(150, 7, 60, 33);
        assert_eq!(permuted_helo(&format!("[{stranger}]"), CLIENT), format!("[{}]", permuted(stranger)));
    }

    #[test]
    fn what_is_no_public_address_stays() {
        for helo in [
            "mail25.example.org",
            "mx-1-2-3.example.org",
            "[192.168.0.20]",
            "127.0.0.1",
            "1.2.3",
            "1.2.3.400",
            "1.2.3.4444",
            "1.2-3.4",
            "v001.002.example.org",
            "пример.example.org",
            "",
        ] {
            assert_eq!(permuted_helo(helo, CLIENT), helo);
        }
    }
}
