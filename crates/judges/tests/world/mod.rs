//! Daemons for world tests, and what they are shown.

pub(crate) mod filters;
pub(crate) mod samples;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use judges::place::Place;
use model::letter::Letter;

use crate::letters::letter;
use filters::Filter;

/// Why the world can not be had here, if it can not.
pub(crate) fn missing(programs: &[&str]) -> Option<String> {
    if std::env::var("MAILWARD_WORLD").as_deref() != Ok("1") {
        return Some("MAILWARD_WORLD is not 1 (cargo xtask test world)".to_owned());
    }
    if !fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0) {
        return Some("daemons take on their own users as root only".to_owned());
    }
    let absent = programs.iter().find(|program| !Path::new(program).exists());
    absent.map(|program| format!("{program} is not installed"))
}

/// Where a filter is asked.
pub(crate) fn place(of: &Filter) -> Place {
    Place::Unix(of.socket())
}

/// An ordinary message around this text.
pub(crate) fn mail(text: &str) -> Letter {
    letter(format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"))
}

const HEAD: &str = "From: Alice Example <alice@example.org>\r\nTo: Bob Example <bob@example.net>\r\nSubject: Lunch\r\n\
                    Date: Sat, 21 Nov 2026 21:39:00 +0000\r\nMessage-ID: <4T9K.lunch@mail.example.org>\r\n\
                    MIME-Version: 1.0\r\n";

/// The same with an archive that holds one file.
pub(crate) fn mail_with_zip(name: &str, file: &[u8]) -> Letter {
    let archive = samples::zipped(name, file);
    letter(HEAD.to_owned() + &samples::with_attachment("a.zip", "application/zip", &archive))
}
