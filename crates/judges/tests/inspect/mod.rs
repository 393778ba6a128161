//! Letters from raw messages, however broken, and where the shared data lies.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};

use model::letter::Letter;

pub(crate) use raw::letter;

pub(crate) mod archives;
pub(crate) mod invariants;
mod raw;

/// A folder or file of the shared data; says `skipped: …` where there is none.
pub(crate) fn data(below: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let place = std::env::var_os("MAILWARD_SHARED_DATA").map_or_else(beside, PathBuf::from).join(below);
    if !place.exists() {
        println!("skipped: no shared data at {}", place.display());
        return None;
    }
    Some(place)
}

/// A message with this text and these attachments, each a file name and its bytes.
pub(crate) fn mail(subject: &str, text: &str, attachments: &[(&str, &[u8])]) -> Letter {
    let mut raw = format!("From: Alice <alice@example.org>\nSubject: {subject}\n");
    raw += "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b1\"\n\n";
    raw += &format!("--b1\nContent-Type: text/plain; charset=utf-8\n\n{text}\n");
    for (name, bytes) in attachments {
        raw += "--b1\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n";
        raw += &format!("Content-Disposition: attachment;\n filename*=utf-8''{}\n\n", percent(name));
        raw += &base64(bytes);
    }
    raw += "--b1--\n";
    letter(raw.as_bytes())
}

fn percent(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// RFC 2045 §6.8, in lines of 76.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for line in bytes.chunks(57) {
        for three in line.chunks(3) {
            let bits =
                three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            let letters = (0..4).map(|at| char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]));
            out.extend(letters.take(three.len() + 1));
            out.extend(std::iter::repeat_n('=', 3 - three.len()));
        }
        out.push('\n');
    }
    out
}
