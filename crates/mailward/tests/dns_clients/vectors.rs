//! Annex 3: what is answered to whoever may ask, whichever program does.

use super::asking::{CLIENTS, DELV, ask, dig, run};
use super::lists::{Lists, SERVER};
use super::site::PROGRAM;

/// Where the two lists are that the vectors ask.
pub(crate) const BL: &str = "bl.dnsbl.example.org";

/// What is asked of [`BL`], and what every program must be told.
pub(crate) const VECTORS: &[(&str, &str, &str)] = &[
    ("2.0.0.127", "A", "NOERROR 127.0.0.2"),
    ("1.0.0.127", "A", "NXDOMAIN (SOA)"),
    ("4.0.0.127", "A", "NOERROR 127.0.0.4"),
    ("7.113.0.203", "A", "NOERROR 127.0.0.3"),
    ("7.113.0.203", "TXT", "NOERROR TXT"),
    ("7.113.0.203", "AAAA", "NOERROR (SOA)"),
    ("7.113.0.203", "MX", "NOERROR (SOA)"),
    ("8.113.0.203", "A", "NXDOMAIN (SOA)"),
    // RFC 8020: names below these exist.
    ("113.0.203", "A", "NOERROR (SOA)"),
    ("203", "A", "NOERROR (SOA)"),
    ("204", "A", "NXDOMAIN (SOA)"),
    ("200.100.51.198", "A", "NOERROR 127.0.0.2"),
    ("100.51.198", "A", "NOERROR (SOA)"),
    ("1.7.113.0.203", "A", "NXDOMAIN (SOA)"),
    ("07.113.0.203", "A", "NXDOMAIN (SOA)"),
    ("256.113.0.203", "A", "NXDOMAIN (SOA)"),
    // `-1` as programs want it written.
    ("\\0451.113.0.203", "A", "NXDOMAIN (SOA)"),
    ("x.113.0.203", "A", "NXDOMAIN (SOA)"),
    ("2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0", "A", "NOERROR 127.0.0.2"),
    ("1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0", "A", "NXDOMAIN (SOA)"),
    ("8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2", "A", "NOERROR 127.0.0.4"),
    ("F.e.D.c.B.a.9.8.7.6.5.4.3.2.1.0.2.0.0.0.1.0.0.0.8.B.d.0.1.0.0.2", "A", "NOERROR 127.0.0.4"),
    ("2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2", "A", "NOERROR (SOA)"),
    ("8.b.d.0.1.0.0.2", "A", "NOERROR (SOA)"),
    // STD-3: 2.0.0.1 is not listed, and 2001:db8… is.
    ("1.0.0.2", "A", "NOERROR (SOA)"),
    ("7.113.0.203", "ANY", "NOERROR HINFO"),
];

/// Whole names.
const NAMES: &[(&str, &str, &str)] = &[
    ("www.google.com", "A", "REFUSED"),
    ("bl.dnsbl.example.org", "SOA", "NOERROR SOA"),
    ("bl.dnsbl.example.org", "NS", "NOERROR NS"),
    // 0x20: letter by letter.
    ("7.113.0.203.bL.DnsBl.eXample.oRG", "A", "NOERROR 127.0.0.3"),
    ("7.113.0.203.zz.dnsbl.example.org", "A", "NOERROR 127.255.255.252"),
    ("7.113.0.203.zz.dnsbl.example.org", "TXT", "NOERROR TXT"),
];

/// Every vector by every program.
pub(crate) fn every_program_is_told_the_same() {
    let vectors = VECTORS.iter().map(|(front, rtype, expect)| (format!("{front}.{BL}"), *rtype, *expect));
    let names = NAMES.iter().map(|(name, rtype, expect)| ((*name).to_owned(), *rtype, *expect));
    for (name, rtype, expect) in vectors.chain(names) {
        for (program, _) in CLIENTS {
            let said = ask(program, &[], &name, rtype);
            assert_eq!(said.told(), expect, "{program} {name} {rtype}\n{}", said.text);
            assert!(said.answers.iter().all(|record| record.ttl <= 300), "{}", said.text);
            assert!(said.authority.iter().all(|record| record.ttl <= 60), "{}", said.text);
            // kdig prints all names in small letters.
            let is_same = said.answers.iter().all(|record| record.owner == format!("{name}."));
            assert!(is_same || program.ends_with("kdig"), "{}", said.text);
        }
    }
}

/// delv takes unsigned answers where it is told to (`-i`), and says that they are.
pub(crate) fn delv_takes_answers_without_signatures() {
    for (front, rtype, expect) in VECTORS.iter().filter(|(_, rtype, _)| *rtype == "A") {
        let name = format!("{front}.{BL}");
        let output = run(DELV, &[&format!("@{SERVER}"), "-i", &name, rtype]);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let told = match expect.strip_prefix("NOERROR 127") {
            Some(rest) => text.split_whitespace().last() == Some(&format!("127{rest}")),
            None if expect.starts_with("NXDOMAIN") => text.contains("ncache nxdomain"),
            None => text.contains("ncache nxrrset"),
        };
        assert!(told, "expected {expect}, but got {text}");
    }
}

/// The reason is one string with the way to the page, and without the secret of the case.
pub(crate) fn the_text_has_the_way_and_no_secret(lists: &Lists) {
    let said = dig(&[], &format!("7.113.0.203.{BL}"), "TXT");
    let text = &said.answers[0].data;
    assert!(text.len() <= 257 && text.matches('"').count() == 2, "{text}");
    assert!(text.contains("http://127.0.0.1:") && text.contains("/l/203.0.113.7"), "{text}");
    let case = lists.mailward.case("203.0.113.7").expect("a case");
    let link = case["link"].as_str().expect("a link");
    let secret = link.rsplit('/').next().expect("its end");
    assert!(secret.len() > 20 && !text.contains(secret), "{text}");
}

/// No cache keeps an answer longer than the block lasts.
pub(crate) fn what_is_left_is_the_time_to_live(lists: &Lists) {
    lists.block("203.0.113.45", "10 min");
    let (name, ttl) = (format!("45.113.0.203.{BL}"), |name: &str| dig(&[], name, "A").answers[0].ttl);
    assert_eq!(ttl(&name), 300, "the most that the zone allows");
    lists.mailward.wait("9 min");
    let left = ttl(&name);
    assert!((45..=60).contains(&left), "{left}");
    lists.mailward.wait(&format!("{} s", left - 45));
    assert_eq!(ttl(&name), 45);
    lists.mailward.wait("45 s");
    assert_eq!(dig(&[], &name, "A").told(), "NXDOMAIN (SOA)");
}

/// EDNS, TCP, cookies, and transfers that are not for strangers.
pub(crate) fn the_rest_of_the_protocol_is_as_programs_expect_it() {
    let (dig, kdig, drill) = (CLIENTS[0].0, CLIENTS[1].0, CLIENTS[2].0);
    let listed = format!("7.113.0.203.{BL}");
    for (program, options, rtype, expect) in [
        (dig, &["+edns=1", "+noednsneg"][..], "A", "BADVERS"),
        (kdig, &["+edns=1"], "A", "BADVERS"),
        (dig, &["+tcp"], "TXT", "NOERROR TXT"),
        (kdig, &["+tcp"], "TXT", "NOERROR TXT"),
        (drill, &["-t"], "TXT", "NOERROR TXT"),
        (dig, &["+ignore", "+bufsize=512"], "TXT", "NOERROR TXT"),
        (dig, &["+notcp", "+noedns"], "A", "NOERROR 127.0.0.3"),
        (kdig, &["+dnssec"], "A", "NOERROR 127.0.0.3"),
    ] {
        let said = ask(program, options, &listed, rtype);
        assert_eq!(said.told(), expect, "{program} {options:?}\n{}", said.text);
    }
    // BIND's words for a cookie that holds its own part; Knot's prints all 24 octets.
    assert!(ask(dig, &["+cookie"], &listed, "A").text.contains(" (good)\n"));
    let said = ask(kdig, &["+cookie"], &listed, "A");
    let cookie = said.text.lines().find_map(|line| line.strip_prefix(";; COOKIE: "));
    assert_eq!(cookie.map(str::len), Some(48), "{}", said.text);
    for (program, expect) in [(dig, "Transfer failed"), (kdig, "REFUSED"), (drill, "AXFR failed")] {
        let said = ask(program, &[], BL, "AXFR");
        assert!(said.text.contains(expect) && said.answers.is_empty(), "{program}\n{}", said.text);
    }
}

/// `doctor` asks as everybody does, beside what it has to say of other things.
pub(crate) fn doctor_asks_for_the_test_entry(lists: &Lists) {
    let config = lists.mailward.config().display().to_string();
    let output = run(PROGRAM, &["--config", &config, "doctor"]);
    let told = String::from_utf8_lossy(&output.stdout);
    let expect =
        "ok   block lists    127.0.0.2 is listed in bl.dnsbl.example.org at 127.0.0.1:53, as it must be\n";
    assert!(told.contains(expect), "{told}");
}
