//! The DKIM messages and key records of dkimpy, against our DKIM.
//!
//! Each case is a signed message, key records, and the result that dkimpy's own tests ask
//! for: pass, or not, in RFC 8601's words.

mod dns;
mod letters;

use std::path::Path;
use std::sync::Arc;

use judges::auth::{Auth, Dkim};
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner};

use dns::Zone;
use letters::data;

/// RFC 8463's key, which dkimpy's tests hold in their code.
const BRISBANE: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
/// Gmail's key of 2013, likewise.
const GMAIL: &str = "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh+eBCsSTrqmwIYYvywlbhbqoo\
                     2DymndFkbjOVIPIldNs/m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI3SD07y2+07wlNWwIt8\
                     svnxgdxGkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/ahW3KjViiAH+ghvvIhkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZe\
                     TWbf41fbNhte7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598HY+vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5\
                     jYchHjPY/wIDAQAB";

/// A message of the suite, where keys lie, and what comes of it.
struct Case {
    message: &'static str,
    keys: &'static [(&'static str, Key)],
    /// Results, good ones first.
    expect: &'static [Dkim],
    why: &'static str,
}

enum Key {
    File(&'static str),
    Text(&'static str),
}

const RSA_KEY: &str = "test._domainkey.football.example.com";

/// One message under several records for its key.
const fn with_key(
    keys: &'static [(&'static str, Key); 1],
    expect: &'static [Dkim],
    why: &'static str,
) -> Case {
    Case { message: "rfc6376.signed.rsa.msg", keys, expect, why }
}

const CASES: &[Case] = &[
    Case {
        message: "rfc6376.signed.msg",
        keys: &[
            (RSA_KEY, Key::File("test.txt")),
            ("brisbane._domainkey.football.example.com", Key::Text(BRISBANE)),
        ],
        expect: &[Dkim::Pass, Dkim::Pass],
        why: "RSA and Ed25519 side by side (RFC 8463 §A.3)",
    },
    Case {
        message: "rfc6376.signed.no_t.msg",
        keys: &[(RSA_KEY, Key::File("test.txt"))],
        expect: &[Dkim::Fail],
        why: "a tag was taken out after signing",
    },
    Case {
        message: "ed25519test2.msg",
        keys: &[("sed._domainkey.test.ex", Key::File("eximtest.dns"))],
        expect: &[Dkim::Pass],
        why: "signed by Exim",
    },
    Case {
        message: "test2.message",
        keys: &[("20120113._domainkey.gmail.com", Key::Text(GMAIL))],
        expect: &[Dkim::Pass],
        why: "folding in odd places",
    },
    Case {
        message: "test.message.baddomain",
        keys: &[("test._domainkey.legitimate.com(.attacker.com", Key::File("test.txt"))],
        expect: &[Dkim::PermError],
        why: "a domain that is none",
    },
    Case { message: "test.message", keys: &[], expect: &[], why: "no signature" },
    Case { message: "test_extra.message", keys: &[], expect: &[], why: "no signature" },
    Case { message: "test_nofrom.message", keys: &[], expect: &[], why: "no signature" },
    Case { message: "rfc6376.w1258.msg", keys: &[], expect: &[], why: "no signature, another charset" },
    Case { message: "message.mbox", keys: &[], expect: &[Dkim::PermError], why: "the key is gone" },
    with_key(
        &[(RSA_KEY, Key::File("test.txt"))],
        &[Dkim::Pass],
        "RSA of 1024 bits (RFC 8301 §3.2: MUST be verified)",
    ),
    with_key(&[(RSA_KEY, Key::File("test2.txt"))], &[Dkim::Pass], "`k=` is implied"),
    with_key(&[(RSA_KEY, Key::File("badversion.txt"))], &[Dkim::PermError], "another version of key record"),
    with_key(&[(RSA_KEY, Key::File("badk.txt"))], &[Dkim::PermError], "an unknown type of key"),
    with_key(&[(RSA_KEY, Key::File("test_bad.txt"))], &[Dkim::Fail], "another key"),
    with_key(&[(RSA_KEY, Key::File("test_tlsrpt.txt"))], &[Dkim::PermError], "a key for TLS reports only"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_of_others_are_judged_as_dkimpy_judges_them() {
    let Some(folder) = data("suites/dkim") else { return };
    let mut wrong = Vec::new();
    for case in CASES {
        let mut zone = Zone::default();
        for (name, key) in case.keys {
            zone.txt(name, &record(&folder, key));
        }
        let got = verify(zone, &crlf(&read(&folder, case.message))).await;
        if got != case.expect {
            let keys: Vec<_> = case.keys.iter().map(|(name, key)| format!("{name} {}", key.name())).collect();
            wrong.push(format!(
                "{} {keys:?}: expected {:?}, but got {got:?}: {}",
                case.message, case.expect, case.why
            ));
        }
    }
    println!("dkim: {} of {} passed", CASES.len() - wrong.len(), CASES.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_canonicalisation_is_verified_under_every_form_of_key() {
    let Some(folder) = data("suites/dkim") else { return };
    let message = crlf(&read(&folder, "test.message"));
    let mut count = 0;
    let forms = [
        ("2048_testkey.key", "2048_testkey_wo_markers.pub.txt"),
        ("2048_testkey.key", "2048_testkey_wo_markers.pub.rsa.txt"),
        ("2048_testkey_PKCS8.key", "2048_testkey_PKCS8.key.pub.txt"),
    ];
    for (private, public) in forms {
        for (header, body) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut zone = Zone::default();
            zone.txt("test._domainkey.example.com", &record(&folder, &Key::File(public)));
            let text = String::from_utf8(read(&folder, private)).expect("PEM");
            let signed = [sign(&text, header, body, &message).as_bytes(), &message].concat();
            assert_eq!(verify(zone.clone(), &signed).await, [Dkim::Pass], "{public} {header} {body}");
            let spoilt =
                String::from_utf8(signed).expect("text").replace("This is a test", "This is no test");
            assert_eq!(verify(zone, spoilt.as_bytes()).await, [Dkim::Neutral], "{public} {header} {body}");
            count += 1;
        }
    }
    println!("dkim: {count} of {count} canonicalisations and forms of key passed");
}

async fn verify(zone: Zone, message: &[u8]) -> Vec<Dkim> {
    let auth = Auth::new(dns::serve(zone).await).expect("a resolver");
    let found = auth.check(Arc::new(letters::letter(message))).await;
    println!("  {}", auth.results(&found).replace("\r\n\t", " "));
    found.dkim.iter().map(|signature| signature.result).collect()
}

#[expect(deprecated, reason = "its successor wants another crate's type")]
fn sign(pem: &str, header: bool, body: bool, message: &[u8]) -> String {
    let key = if pem.contains("BEGIN RSA") {
        RsaKey::<Sha256>::from_rsa_pem(pem)
    } else {
        RsaKey::<Sha256>::from_pkcs8_pem(pem)
    };
    let way = |relaxed| if relaxed { Canonicalization::Relaxed } else { Canonicalization::Simple };
    let signer = DkimSigner::from_key(key.expect("a key")).domain("example.com").selector("test");
    let signer = signer.headers(["From", "To", "Subject", "Date"]);
    let signer = signer.header_canonicalization(way(header)).body_canonicalization(way(body));
    signer.sign(message).expect("signed").to_header()
}

impl Key {
    fn name(&self) -> &str {
        match self {
            Key::File(name) => name,
            Key::Text(_) => "of the suite's code",
        }
    }
}

fn record(folder: &Path, key: &Key) -> Vec<u8> {
    match key {
        Key::File(name) => read(folder, name).trim_ascii_end().to_vec(),
        Key::Text(text) => text.as_bytes().to_vec(),
    }
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).expect("a file of the suite")
}

/// Files of the suite have the line ends of Unix; mail has not.
fn crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, &byte) in text.iter().enumerate() {
        if byte == b'\n' && (at == 0 || text[at - 1] != b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}
