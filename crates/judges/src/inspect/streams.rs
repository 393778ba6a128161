//! gzip streams (RFC 1952) and tar archives (POSIX.1-1988 and its extensions).

use std::io::Cursor;

use flate2::read::MultiGzDecoder;

use super::Fault;
use super::look::{File, Look};

/// Looks into a gzip stream: one member, called as in its header, or else after the file.
pub(super) fn gzip(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    if !look.budget.member() {
        return Vec::new();
    }
    let stream = MultiGzDecoder::new(file.bytes);
    let inside = stream
        .header()
        .and_then(|header| header.filename())
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let Some(bytes) = look.budget.read(stream, file.bytes.len() as u64, &mut 0) else { return Vec::new() };
    let outer = file.names.first().map_or(file.path, String::as_str);
    look.member(file, &inside.unwrap_or_else(|| inner_name(outer)), &bytes);
    Vec::new()
}

/// What `gunzip` would call the file.
fn inner_name(outer: &str) -> String {
    let base = outer.rsplit(['/', '\\']).next().unwrap_or_default();
    match base.rsplit_once('.') {
        Some((stem, end)) if end.eq_ignore_ascii_case("tgz") => format!("{stem}.tar"),
        Some((stem, end)) if end.eq_ignore_ascii_case("gz") => stem.to_owned(),
        _ => base.to_owned(),
    }
}

/// Looks into a tar archive.
pub(super) fn tar(look: &mut Look<'_>, file: &File<'_>) -> Vec<Fault> {
    let mut archive = tar::Archive::new(Cursor::new(file.bytes));
    let Ok(entries) = archive.entries() else { return Vec::new() };
    let mut so_far = 0;
    // The first broken header ends the archive.
    for entry in entries.map_while(Result::ok) {
        if !look.budget.member() {
            break;
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(bytes) = look.budget.read(entry, file.bytes.len() as u64, &mut so_far) else { break };
        look.member(file, &name, &bytes);
    }
    Vec::new()
}
