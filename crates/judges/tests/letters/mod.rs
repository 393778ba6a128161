//! Letters for tests, and where the shared data lies.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};

use model::Name;
use model::letter::{Field, Letter};
use model::observation::{Client, Rdns};
use model::time::Millis;

/// A folder of the shared data; says `skipped: …` where there is none.
pub(crate) fn data(below: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("MAILWARD_SHARED_DATA").map_or_else(beside, PathBuf::from);
    let folder = root.join(below);
    if !folder.exists() {
        println!("skipped: no shared data at {}", folder.display());
        return None;
    }
    Some(folder)
}

/// A letter from `mail.example.org [192.0.2.25]`, as a sensor would take it in.
pub(crate) fn letter(message: impl AsRef<[u8]>) -> Letter {
    let mut fields: Vec<Field> = Vec::new();
    let mut rest = message.as_ref();
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if line.is_empty() {
            break;
        }
        match line.iter().position(|&byte| byte == b':') {
            _ if line.starts_with(b" ") || line.starts_with(b"\t") => {
                let last = fields.last_mut().expect("a field before its continuation");
                last.value.extend_from_slice(b"\r\n");
                last.value.extend_from_slice(line);
            }
            Some(colon) => fields.push(Field { name: line[..colon].into(), value: line[colon + 1..].into() }),
            None => panic!("expected name: value, but got {}", line.escape_ascii()),
        }
    }
    Letter {
        began: Millis::from_secs(1_795_297_174),
        at: Millis::from_secs(1_795_297_174),
        session: 1,
        client: Client {
            addr: "192.0.2.25".parse().expect("an address"),
            port: 41822,
            helo: Some(Name::new(b"mail.example.org")),
            rdns: Rdns::Confirmed(Name::new(b"mail.example.org")),
            authenticated: false,
        },
        through: None,
        mx: Name::new(b"mx.example.net"),
        queue_id: b"4T9K".to_vec(),
        protocol: b"ESMTP".to_vec(),
        tls: None,
        sender: b"alice@example.org".to_vec(),
        recipients: vec![b"bob@example.net".to_vec()],
        recipients_more: 0,
        fields,
        fields_whole: true,
        body: rest.to_vec(),
        body_len: rest.len() as u64,
        body_hash: None,
    }
}

fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.windows(2).position(|two| two == b"\r\n")?;
    Some((&text[..end], &text[end + 2..]))
}
