//! XARF 3 documents, valid and not, against the verdict of their own suite.
//!
//! What we take though its schema refuses it stands in a table, each row with its reason.

use wire::arf::{Kind, NotAReport, parse_report, parse_xarf};

mod suites;

/// Documents that are refused by their schemas and read by us: what is wrong with them lies
/// in fields of reports that are not about mail, which nobody here reads.
const NOT_READ: [(&str, &str); 14] = [
    ("invalid_email_as_identifier_potentially_compromised_account", "whose account it is"),
    ("invalid_empty_account", "whose account it is"),
    ("invalid_exploit_wrong_cve", "which hole in a program"),
    ("invalid_exploit_wrong_vector", "how bad the hole is"),
    ("invalid_exploit_wrong_version", "how bad the hole is"),
    ("invalid_file_hash", "which file is a copy"),
    ("invalid_file_info", "which file is a copy"),
    ("invalid_internal_processing_wrong_data_type", "the receiver's own notes, `should be ignored'"),
    ("invalid_openservice", "which service is open"),
    ("invalid_openservice3", "which service is open"),
    ("invalid_openservice4", "which service is open"),
    ("invalid_openservice_missing_service", "which service is open"),
    ("invalid_used_ip_in_potentially_compromised_account", "whose account it is"),
    ("invalid_used_url_in_potentially_compromised_account", "whose account it is"),
];

/// A mail that carries a document as XARF 3 does.
fn mail(json: &[u8]) -> Vec<u8> {
    let head =
        b"From: desk@example.com\nX-XARF: PLAIN\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n\
                 --b\nContent-Type: application/json; name=\"xarf.json\"\n\n";
    [head, json, b"\n--b--\n"].concat()
}

#[test]
fn valid_documents_are_taken() {
    let Some(folder) = suites::folder("xarf") else { return };
    let files = suites::files(&folder.join("samples/positive/3"), ".json");
    let mut mails = 0;
    for path in &files {
        let json = suites::read(path);
        let read = parse_xarf(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let of_mail = ["Activity/Spam", "Content/Phishing"].contains(&read.kind.as_str());
        mails += usize::from(of_mail);
        match parse_report(&mail(&json)) {
            Ok(report) => assert!(of_mail && report.kind == Kind::Xarf, "{}", path.display()),
            Err(NotAReport::NotMail { got }) => assert!(!of_mail && got == read.kind, "{}", path.display()),
            Err(other) => panic!("{}: {other}", path.display()),
        }
    }
    println!("xarf, valid: {} of {}, {mails} of them about mail", files.len(), files.len());
    assert_eq!((files.len(), mails), (29, 5));
}

#[test]
fn invalid_documents_are_refused() {
    let Some(folder) = suites::folder("xarf") else { return };
    let files = suites::files(&folder.join("samples/negative/3"), ".json");
    let mut read = Vec::new();
    for path in &files {
        let json = suites::read(path);
        if parse_xarf(&json).is_ok() {
            read.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        }
        // None of them comes as far as to be counted.
        assert!(parse_report(&mail(&json)).is_err(), "{}", path.display());
    }
    println!(
        "xarf, invalid: {} of {} refused by their fields, all as reports",
        files.len() - read.len(),
        files.len()
    );
    assert_eq!(files.len(), 50);
    assert_eq!(read, NOT_READ.map(|(name, _)| name));
}
