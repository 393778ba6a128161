//! The words that make people open an attachment (S54), in Subject and From.
//!
//! Words alone say nothing: parcel services and shops write them every day. They count only
//! where something is attached, and then they only score.

use model::Letter;

use super::text;

/// Carriers and senders that lures name, each as the words of its name. A name matches at
/// the borders of words, in any case.
const CARRIERS: [&str; 20] = [
    "dhl",
    "ups",
    "fedex",
    "federal express",
    "usps",
    "us postal",
    "united parcel",
    "dpd",
    "gls",
    "tnt express",
    "royal mail",
    "parcelforce",
    "hermes",
    "deutsche post",
    "la poste",
    "chronopost",
    "poste italiane",
    "correos",
    "canada post",
    "aramex",
];
/// What they are about.
const MATTERS: [&str; 44] = [
    "parcel",
    "package delivery",
    "delivery notification",
    "delivery failure notice",
    "delivery problem",
    "unable to deliver",
    "could not deliver",
    "undelivered package",
    "your package",
    "shipment",
    "shipping label",
    "shipping documents",
    "tracking number",
    "airway bill",
    "awb",
    "bill of lading",
    "invoice",
    "overdue",
    "past due",
    "payment advice",
    "payment slip",
    "payment copy",
    "proof of payment",
    "remittance",
    "purchase order",
    "quotation",
    "wire transfer",
    "swift copy",
    "bank statement",
    "account statement",
    "statement of account",
    "your account",
    "account suspended",
    "voice message",
    "voicemail",
    "incoming fax",
    "fax message",
    "scanned document",
    "scan from a",
    "rechnung",
    "mahnung",
    "sendung",
    "paket",
    "facture",
];
/// What tells a reader how to open an encrypted archive (OFF-13).
const PASSWORDS: [&str; 14] = [
    "password",
    "passwd",
    "pass code",
    "passcode",
    "passphrase",
    "passwort",
    "kennwort",
    "mot de passe",
    "contraseña",
    "clave",
    "senha",
    "wachtwoord",
    "пароль",
    "密码",
];

/// The lure that Subject or the name in From uses, if any.
pub(super) fn find(letter: &Letter) -> Option<&'static str> {
    let subject = text::header(letter.first("Subject").unwrap_or_default());
    let from = text::header(letter.first("From").unwrap_or_default());
    // The address of an author tells nothing that people look at.
    let from = from.split('<').next().unwrap_or_default();
    let line = text::words(&format!("{subject} {from}"));
    CARRIERS.into_iter().chain(MATTERS).find(|words| has(&line, words))
}

/// Whether subject or text speak of a password.
pub(super) fn tells_password(letter: &Letter, plain: &str) -> bool {
    let subject = text::header(letter.first("Subject").unwrap_or_default()).to_lowercase();
    // Its letters do not need borders: ‘Archivpasswort’.
    PASSWORDS.iter().any(|word| subject.contains(word) || plain.contains(word))
}

/// Whether `line`, words with single blanks around each, has these words.
fn has(line: &str, words: &str) -> bool {
    line.match_indices(words)
        .any(|(at, _)| line[..at].ends_with(' ') && line[at + words.len()..].starts_with(' '))
}
