//! What a reply says, and how it is shortened.

use super::*;
use crate::testing;
use model::reasons::by_number;

#[track_caller]
fn check(reply: &Public<Reply>, expect: &str) {
    assert_eq!(reply.get().short(), expect);
    let (short, long) = (expect.len(), reply.get().long().len());
    assert!(is_reply(expect) && is_reply(reply.get().long()));
    assert!(short <= SHORT_LEN_MAX && long <= LONG_LEN_MAX, "{short} and {long} octets: {expect}");
}

fn n1_48211() -> CaseId {
    "n1-48211".parse().unwrap()
}

fn v4() -> IpAddr {
    "192.0.2.25".parse().unwrap()
}

/// 39 octets, the longest text of an address.
fn v6() -> IpAddr {
    "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap()
}

#[test]
fn a_reply_names_class_link_and_contact() {
    check(
        &blocked(&testing::site(), by_number(2), v4(), n1_48211()),
        "550 5.7.1 [192.0.2.25] blocked: spam received from it. Why and how to unblock: \
         https://mw.example.org/c/n1-48211/2B4SXG2RR2Q4G40W25XG232CP6 or write to postmaster@example.org",
    );
}

#[test]
fn the_mailbox_goes_before_address_or_link() {
    check(
        &blocked(&testing::site(), by_number(2), v6(), n1_48211()),
        "550 5.7.1 [2001:db8:1111:2222:3333:4444:5555:6666] blocked: spam received from it. \
         Why and how to unblock: https://mw.example.org/c/n1-48211/2B4SXG2RR2Q4G40W25XG232CP6",
    );
}

#[test]
fn with_more_room_a_reply_names_mailbox_and_reference() {
    let long =
        |site: &Site, reason| blocked(site, by_number(reason), v6(), n1_48211()).get().long().to_owned();
    assert_eq!(
        long(&testing::site(), 3),
        "550 5.7.1 [2001:db8:1111:2222:3333:4444:5555:6666] is blocked here: it sent mail to addresses that \
         never asked for any. Details and removal: \
         https://mw.example.org/c/n1-48211/2B4SXG2RR2Q4G40W25XG232CP6 or write to postmaster@example.org \
         (open to blocked hosts). Ref n1-48211"
    );
    // TXT-R2: first the reference, then the mailbox's comment, then the mailbox.
    let bare = long(&Site { contact: String::new(), ..testing::site() }, 3).len() - " Ref n1-48211".len();
    let with_room_for = |more: usize| {
        let local = "p".repeat(LONG_LEN_MAX - bare - more - "@example.org".len());
        long(&Site { contact: format!("{local}@example.org"), ..testing::site() }, 3)
    };
    for (more, end) in [
        (51, "(open to blocked hosts). Ref n1-48211"),
        (50, "@example.org (open to blocked hosts)"),
        (37, "@example.org (open to blocked hosts)"),
        (36, "@example.org"),
        (13, "@example.org"),
        (12, "2CP6"),
    ] {
        assert!(with_room_for(more).ends_with(end), "{more}: {}", with_room_for(more));
    }
    let nobody = Site { contact: String::new(), ..testing::site() };
    assert!(long(&nobody, 2).ends_with("2CP6 Ref n1-48211"), "{}", long(&nobody, 2));
}

#[test]
fn a_list_host_hears_when_to_come_again() {
    let site = Site { contact: String::new(), ..testing::site() };
    check(
        &list_host(&site, v4(), testing::NOW, n1_48211()),
        "451 4.7.1 [192.0.2.25] is blocked until 2026-11-21 22:41 UTC; mail will be accepted then. \
         Details: https://mw.example.org/c/n1-48211/2B4SXG2RR2Q4G40W25XG232CP6",
    );
}

#[test]
fn the_score_names_its_facts_while_they_fit() {
    let site = testing::site();
    let both = [Some("the HELO name has no domain"), Some("the address has no reverse DNS name")];
    check(
        &connection(&site, v4(), both),
        "550 5.7.1 [192.0.2.25] refused: the HELO name has no domain and the address has no reverse DNS \
         name. How to repair: https://mw.example.org/h/connection or write to postmaster@example.org",
    );
    let long = [
        Some("the HELO name is an address without brackets"),
        Some("its reverse DNS name does not point back to the address of the client"),
    ];
    check(
        &connection(&site, v6(), long),
        "550 5.7.1 [2001:db8:1111:2222:3333:4444:5555:6666] refused: the HELO name is an address without \
         brackets. How to repair: https://mw.example.org/h/connection or write to postmaster@example.org",
    );
    check(
        &connection(&site, v4(), [None, None]),
        "550 5.7.1 [192.0.2.25] refused: it looks like a home computer. \
         How to repair: https://mw.example.org/h/connection or write to postmaster@example.org",
    );
}

#[test]
fn the_form_of_a_reply_is_that_of_the_annex() {
    for (line, fine) in [
        ("550 5.7.1 see https://a.example", true),
        ("421 4.7.28 see http://127.0.0.1:12380/h/rate", true),
        ("550 4.7.1 see https://a.example", false),
        ("350 3.7.1 see https://a.example", false),
        ("55 5.7.1 see https://a.example", false),
        ("550 5.7 see https://a.example", false),
        ("550 5.7.1000 see https://a.example", false),
        ("550 5.7.1 see http://a.example", false),
        ("550 5.7.1 see nothing", false),
        ("550 5.7.1 https://a.example https://b.example", false),
        ("550 5.7.1 100% https://a.example", false),
        ("550 5.7.1 {what} https://a.example", false),
        ("550 5.7.1 é https://a.example", false),
        ("550 5.7.1 a\r\n https://a.example", false),
        ("550 5.7.1 ", false),
        ("", false),
    ] {
        assert_eq!(is_reply(line), fine, "{line}");
    }
}

#[test]
fn no_text_says_that_reputation_is_bad() {
    // S49: a bounce that says only this is what we must never write.
    for row in REASONS {
        let all = [row.smtp, row.smtp_long, row.because, row.remedy, row.listed, row.counted].join(" ");
        assert!(!all.to_lowercase().contains("reputation"), "{}", row.id);
    }
}
