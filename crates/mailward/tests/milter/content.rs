//! Stories of what a message holds.

use serde_json::Value;

use crate::samples::{eicar, zipped};
use crate::site::{ALICE, BOB, Site, hides_recipients, plain, spam, text, with_file};
use crate::world::smtp::Client;

pub(crate) fn a_good_message_passes_with_a_mark(site: &Site) {
    let client = Client::well_run("198.51.100.10");
    let got = site.delivered(&client, &[ALICE], &plain("Lunch at noon", "Shall we meet at noon?"));
    let mark = field(&got, "X-Mailward");
    assert!(mark.starts_with("pass; verdict=ham; score=") && mark.ends_with("; by=rspamd"), "{mark}");
    site.is_free(&client);
}

pub(crate) fn a_forged_result_of_our_name_is_removed(site: &Site) {
    let client = Client::well_run("198.51.100.11");
    let forged = "Authentication-Results: mx.example.org; dkim=pass header.d=bank.example\r\nauthentication-results: \
                  MX.example.org 1; spf=pass\r\nAuthentication-Results: mx.example.net; spf=pass\r\n";
    let before = site.count("/milter/forged_results");
    let message = forged.to_owned() + &plain("Forged results", "All is well.");
    let got = site.delivered(&client, &[ALICE], &message);
    assert!(!got.to_lowercase().contains("results: mx.example.org"), "{got}");
    assert_eq!(field(&got, "Authentication-Results"), "mx.example.net; spf=pass", "another's stays");
    assert_eq!(site.count("/milter/forged_results"), before + 2);
}

const INFECTED: &str =
    "554-5.7.1 Message refused: it carries malware. If you did not mean to send it, the machine or
554-5.7.1 account may be abused: {portal}/h/virus or write to postmaster@example.org
554 5.7.1 (open to blocked hosts)";

pub(crate) fn a_virus_is_refused_and_its_sender_blocked(site: &Site) {
    let client = Client::nameless("203.0.113.10");
    let reply = site.send(&client, &[ALICE, BOB], &plain("Your invoice", &eicar()));
    assert_eq!(reply.text, site.words(INFECTED));
    let case = site.case(&client);
    assert_eq!((text(&case, "reason"), text(&case, "units")), ("virus", "10"));
    assert_eq!(site.mx.rcpt(&client, ALICE).link(), text(&case, "link"));
    let (page, twin) = site.page(&case);
    let received = format!("by mx.example.org with ESMTP id {}", site.refused_as(&client));
    let top = &twin["samples"][0]["headers"]["fields"][0];
    let from = "from client.example.net (unknown [203.0.113.10]";
    let line = text(top, "value");
    assert!(text(top, "name") == "Received" && line.starts_with(from) && line.contains(&received), "{twin}");
    assert!(page.contains(&received) && page.contains("Your invoice"), "{page}");
    assert!(!page.contains("EICAR") && !twin.to_string().contains("EICAR"), "the body is nowhere");
    hides_recipients(&page, &twin);
}

pub(crate) fn a_virus_in_a_zip_is_found_and_named(site: &Site) {
    let client = Client::nameless("203.0.113.11");
    let zip = zipped("scan.txt", eicar().as_bytes());
    let reply = site.send(&client, &[BOB], &with_file("The scan", "scan.zip", "application/zip", &zip));
    assert_eq!(reply.text, site.words(INFECTED));
    let (page, twin) = site.page(&site.case(&client));
    let headers = &twin["samples"][0]["headers"];
    assert_eq!(names(&headers["attachments"], "name"), ["scan.zip", "scan.zip/scan.txt"], "{headers}");
    let opinions = &headers["opinions"];
    assert!(opinions.to_string().contains("eicar-test-signature"), "{opinions}");
    assert!(!page.contains("See there"), "the body is nowhere");
    hides_recipients(&page, &twin);
}

const FILE_TYPE: &str =
    "550-5.7.1 Message refused: it holds a file type we do not accept (a program, perhaps inside an
550-5.7.1 archive). Send a link instead. Help: {portal}/h/files or write to
550 5.7.1 postmaster@example.org (open to blocked hosts)";

pub(crate) fn a_program_in_a_zip_is_refused_and_a_pdf_only_scores(site: &Site) {
    // What only one rule says: the filters have nothing against a server with a name.
    let client = Client::well_run("198.51.100.13");
    let zip = zipped("invoice.exe", b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0");
    let lure = with_file("Your delivery failed", "label.zip", "application/zip", &zip);
    assert_eq!(site.send(&client, &[ALICE], &lure).text, site.words(FILE_TYPE));
    let well_run = Client::well_run("198.51.100.12");
    let pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/Launch/F(cmd.exe)>>>>endobj\ntrailer<</Root 1 0 R>>\n";
    let got = site.delivered(&well_run, &[ALICE], &with_file("A paper", "paper.pdf", "application/pdf", pdf));
    assert!(field(&got, "X-Mailward").starts_with("pass; verdict=ham; "), "{got}");
    // One is no offence yet: five in a day are.
    site.is_free(&client);
    site.is_free(&well_run);
}

const LIKE_SPAM: &str =
    "550-5.7.1 Message refused: it looks like spam to our filter. If it is none, please write to us.
550-5.7.1 Help: {portal}/h/spam or write to postmaster@example.org (open to blocked
550 5.7.1 hosts)";

pub(crate) fn a_spam_of_a_nameless_client_is_evidence_at_once(site: &Site) {
    let client = Client::nameless("203.0.113.13");
    assert_eq!(site.send(&client, &[ALICE], &spam("An offer")).text, site.words(LIKE_SPAM));
    let case = site.case(&client);
    assert_eq!((text(&case, "reason"), text(&case, "units")), ("spam-volume", "1"));
    let (page, twin) = site.page(&case);
    let sample = &twin["samples"][0];
    assert_eq!((text(sample, "judgement"), text(sample, "judge")), ("spam", "rspamd"));
    let said = |judge: &str| {
        let all = sample["headers"]["opinions"].as_array().cloned().unwrap_or_default();
        let score =
            all.iter().find(|o| o["source"] == judge && o["judgement"] == "spam").map(|o| o["score"].clone());
        score.and_then(|score| score.as_str()?.parse::<f64>().ok())
    };
    assert!(said("rspamd") >= Some(15.0) && said("spamd") >= Some(1000.0), "{sample}");
    assert!(page.contains("An offer") && !page.contains("GTUBE-STANDARD"), "{page}");
    let shown = site.show(&case);
    assert_eq!(shown["exhibits"][0]["recipients"][0], ALICE, "for the operator's eyes");
    hides_recipients(&page, &twin);
}

/// The value of a field of a message, in one line; the topmost counts.
#[track_caller]
fn field(message: &str, name: &str) -> String {
    let start = format!("{name}: ");
    let line = message.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {name} in {message}")).trim_end().to_owned()
}

fn names<'a>(list: &'a Value, of: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().map(|one| text(one, of)).collect()
}
