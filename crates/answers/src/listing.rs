//! What our block lists say in their TXT records (STD-5).
//!
//! One string of at most 255 octets, printable ASCII: why, since when, and where to read more.
//! Nothing in it comes from a message or from whoever sent one, and it never holds the secret
//! of a case link: everybody may ask a list.

use std::fmt::{self, Write};
use std::net::IpAddr;

use model::codes::meaning;
use model::reasons::by_number;
use model::{Codes, Prefix, Site};
use projections::Why;
use projections::records::Owner;

use crate::public::Public;
use crate::when::When;

/// Octets of one string in a TXT record (RFC 1035 §3.3).
const TXT_LEN_MAX: usize = 255;

/// A text of one string.
#[derive(Clone, Copy)]
pub struct ListingText {
    bytes: [u8; TXT_LEN_MAX],
    len: usize,
}

impl ListingText {
    /// Its octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// What fits of a text; what would not print is a question mark.
    fn of(text: fmt::Arguments<'_>) -> Public<ListingText> {
        let mut made = ListingText { bytes: [0; TXT_LEN_MAX], len: 0 };
        // It fails when the text is longer; what fits stays.
        let _ = made.write_fmt(text);
        Public::new(made)
    }
}

impl Write for ListingText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            *self.bytes.get_mut(self.len).ok_or(fmt::Error)? =
                if matches!(char, ' '..='~') { char as u8 } else { b'?' };
            self.len += 1;
        }
        Ok(())
    }
}

impl fmt::Debug for ListingText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(self.as_bytes()).fmt(f)
    }
}

/// Why an address is listed: `Blocked: spam volume since 2026-11-21. https://…/l/192.0.2.1`.
pub fn listing_text(site: &Site, addr: IpAddr, why: Why) -> Public<ListingText> {
    ListingText::of(format_args!("{} {}/l/{addr}", Because(why), site.portal))
}

/// Why a name is listed.
pub fn name_listing_text(site: &Site, why: Why) -> Public<ListingText> {
    ListingText::of(format_args!("{} {}/h/dnsbl", Because(why), site.portal))
}

/// What a test entry says (RFC 5782 §5).
pub fn test_text(site: &Site) -> Public<ListingText> {
    ListingText::of(format_args!("Test entry: this list works. {}/h/dnsbl", site.portal))
}

/// Why a name of a zone is listed, as those say it who keep a copy of the zone: of its codes
/// alone, so that the text goes away with the same octets with which it came.
pub fn record_text(site: &Site, owner: &Owner, codes: Codes) -> Public<ListingText> {
    match owner {
        Owner::Net(node) if is_test(*node) => test_text(site),
        Owner::Net(node) => {
            ListingText::of(format_args!("{} {}/l/{}", ByCode(codes), site.portal, node.addr()))
        }
        Owner::Name(name) if **name == *TEST => test_text(site),
        Owner::Name(_) | Owner::Below(_) => {
            ListingText::of(format_args!("{} {}/h/dnsbl", ByCode(codes), site.portal))
        }
    }
}

/// The name by which domain lists show that they work (RFC 5782 §5).
const TEST: &str = "test";

/// Whether it is a test entry, in the form of either family.
fn is_test(node: Prefix) -> bool {
    model::key::fold(node.addr()).is_loopback()
}

/// The sentence in front of the link, where only codes are known.
struct ByCode(Codes);

impl fmt::Display for ByCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut codes = self.0.octets();
        f.write_str("Blocked: ")?;
        f.write_str(codes.next().map_or("listed", meaning))?;
        f.write_str(if codes.next().is_some() { " and more." } else { "." })
    }
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoAnswer {
    /// There is no such sub-zone: 127.255.255.252.
    UnknownZone,
    /// Not for this resolver: 127.255.255.254.
    NotPermitted,
    /// Too many: 127.255.255.255.
    TooMany,
}

/// What is said in place of an answer.
pub fn no_answer_text(site: &Site, why: NoAnswer) -> Public<ListingText> {
    let why = match why {
        NoAnswer::UnknownZone => "there is no list of this name",
        NoAnswer::NotPermitted => "queries of this resolver are not permitted",
        NoAnswer::TooMany => "this resolver asks too often",
    };
    ListingText::of(format_args!("Error, not a listing: {why}. {}/h/dnsbl", site.portal))
}

/// The sentence in front of the link.
struct Because(Why);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Why::Case { reason, since } => {
                f.write_str("Blocked: ")?;
                let id = by_number(reason).id;
                id.chars().try_for_each(|char| f.write_char(if char == '-' { ' ' } else { char }))?;
                write!(f, " since {}.", When::day(since))
            }
            Why::Conduct { slight, since } => {
                write!(
                    f,
                    "For information, not blocked: the domain {} ({}).",
                    slight.words(),
                    When::day(since)
                )
            }
            Why::List { code, since } => {
                write!(f, "Blocked: on a list ({}) since {}.", meaning(code), When::day(since))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Millis, REASONS, Slight};

    fn site(portal: &str) -> Site {
        Site { portal: portal.to_owned(), ..Site::default() }
    }

    fn said(text: &Public<ListingText>) -> String {
        String::from_utf8(text.get().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn std_5_why_since_when_and_where_to_read_more() {
        let why = Why::Case { reason: 2, since: Millis(1_795_219_200_000) };
        let text = listing_text(&site("https://portal.example"), "192.0.2.1".parse().unwrap(), why);
        assert_eq!(said(&text), "Blocked: spam volume since 2026-11-21. https://portal.example/l/192.0.2.1");
    }

    #[test]
    fn std_5_every_reason_fits_one_string_with_the_longest_address() {
        let portal = format!("https://{}.example", "a".repeat(60));
        for reason in REASONS {
            let why = Why::Case { reason: reason.number, since: Millis(1_795_219_200_000) };
            let addr = "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap();
            let text = said(&listing_text(&site(&portal), addr, why));
            assert!(text.len() < TXT_LEN_MAX && text.ends_with(":6666"), "{text}");
            assert!(text.bytes().all(|byte| matches!(byte, 32..=126)), "{text}");
        }
    }

    #[test]
    fn std_5_an_entry_of_a_bulk_list_says_its_code_and_nothing_of_the_list() {
        let since = Millis(1_795_219_200_000);
        let text = name_listing_text(&site("https://portal.example"), Why::List { code: 13, since });
        let expect = "Blocked: on a list (dictionary attack or flood) since 2026-11-21. https://portal.example/h/dnsbl";
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn off_24_an_entry_for_conduct_says_that_it_is_no_block() {
        let since = Millis(1_795_219_200_000);
        let why = Why::Conduct { slight: Slight::Exchanger, since };
        let text = name_listing_text(&site("https://portal.example"), why);
        let expect = "For information, not blocked: the domain has no mail server that can be reached \
                      (2026-11-21). https://portal.example/h/dnsbl";
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn std_23_a_copy_s_text_follows_from_name_and_codes_alone() {
        let site = site("https://portal.example");
        let text =
            |owner: Owner, codes: &[u8]| said(&record_text(&site, &owner, codes.iter().copied().collect()));
        let net = |prefix: &str| Owner::Net(prefix.parse().unwrap());
        let spam = text(net("192.0.2.0/24"), &[3]);
        assert!(
            spam.starts_with("Blocked: ") && spam.ends_with(". https://portal.example/l/192.0.2.0"),
            "{spam}"
        );
        assert!(text(net("192.0.2.0/24"), &[3, 13]).contains(" and more. "));
        assert!(text(Owner::Below("example.com".into()), &[3]).ends_with("/h/dnsbl"));
        for test in
            [net("127.0.0.2"), Owner::Net(Prefix::V6(0xffff_7f00_0002, 128)), Owner::Name("test".into())]
        {
            assert!(text(test, &[2]).starts_with("Test entry"));
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_and_what_does_not_print_is_marked() {
        let text = said(&test_text(&site(&"é\n".repeat(200))));
        assert_eq!((text.len(), text.contains("??")), (TXT_LEN_MAX, true));
    }
}
