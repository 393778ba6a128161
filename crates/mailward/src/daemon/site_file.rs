//! The site's secrets: one file, readable by its owner only.
//!
//! `site.key` holds the site's number, the key of personal hashes and the keys of case
//! links with their epochs. It is made at the first start; the same file on every host of
//! a site makes the same links and hashes.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use model::LinkKey;

/// The file's name in the data directory.
const NAME: &str = "site.key";

/// What the file holds. Prints nothing.
#[derive(Clone)]
pub(crate) struct SiteFile {
    /// The site's number, in every event.
    pub(crate) site: u64,
    /// The key of personal hashes.
    pub(crate) persons: [u8; 16],
    /// The newest link key.
    pub(crate) link: LinkKey,
}

impl SiteFile {
    /// Reads the file.
    pub(crate) fn read(data_dir: &Path) -> Result<SiteFile, String> {
        let path = data_dir.join(NAME);
        let text = std::fs::read_to_string(&path)
            .map_err(|e| format!("{}: can not be read: {e}", path.display()))?;
        parse(&text).ok_or_else(|| broken(&path))
    }

    /// Reads the file, or makes it.
    pub(crate) fn open(data_dir: &Path) -> Result<SiteFile, String> {
        let path = data_dir.join(NAME);
        match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or_else(|| broken(&path)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => make(&path),
            Err(e) => Err(format!("{}: can not be read: {e}", path.display())),
        }
    }
}

fn broken(path: &Path) -> String {
    format!("{}: expected the keys of a site; restore the file from your backup", path.display())
}

fn make(path: &Path) -> Result<SiteFile, String> {
    let file = SiteFile {
        site: u64::from_be_bytes(random()?),
        persons: random()?,
        link: LinkKey { secret: random()?, epoch: 1 },
    };
    let text = format!(
        "format 1\nsite {:016x}\npersons {}\nlink {} {}\n",
        file.site,
        hex(&file.persons),
        file.link.epoch,
        hex(&file.link.secret)
    );
    let named = |e| format!("{}: can not be written: {e}", path.display());
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(named)?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(named)?;
    Ok(file)
}

fn parse(text: &str) -> Option<SiteFile> {
    let mut lines = text.lines();
    (lines.next()? == "format 1").then_some(())?;
    let site = u64::from_str_radix(lines.next()?.strip_prefix("site ")?, 16).ok()?;
    let persons = unhex(lines.next()?.strip_prefix("persons ")?)?;
    let (epoch, secret) = lines.next_back()?.strip_prefix("link ")?.split_once(' ')?;
    Some(SiteFile { site, persons, link: LinkKey { secret: unhex(secret)?, epoch: epoch.parse().ok()? } })
}

/// Random bytes of the kernel.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|e| format!("/dev/urandom: expected random bytes, but {e}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (text.len() == 2 * N && text.is_ascii()).then_some(())?;
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_keys_are_made_once_and_for_their_owner() {
        let dir = crate::testing::Scratch::new("site-file");
        let first = SiteFile::open(dir.path()).unwrap();
        let again = SiteFile::open(dir.path()).unwrap();
        assert_eq!((first.site, first.persons), (again.site, again.persons));
        assert_eq!((first.link.secret, first.link.epoch), (again.link.secret, 1));
        let mode = dir.path().join(NAME).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_broken_file_is_named() {
        let dir = crate::testing::Scratch::new("site-file-broken");
        std::fs::write(dir.path().join(NAME), "format 1\nsite zz\n").unwrap();
        let error = SiteFile::open(dir.path()).err().unwrap();
        assert!(
            error.ends_with("site.key: expected the keys of a site; restore the file from your backup"),
            "{error}"
        );
    }
}
