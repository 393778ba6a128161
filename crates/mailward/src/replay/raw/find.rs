//! Where raw messages stand: files of folders, members of tar files, parts of mailboxes.
//!
//! Only places are remembered, not messages. A compressed tar file is unpacked beside once,
//! into a file without a name.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Octets of a message's beginning that hold its header section.
const HEAD_LEN_MAX: u64 = 128 * 1024;
/// The largest message that is read: larger than any MX takes.
const MESSAGE_LEN_MAX: u64 = 256 << 20;
/// Folders inside folders.
const DEPTH_MAX: usize = 32;

/// All messages of some paths.
pub(crate) struct Mail {
    files: Vec<Holder>,
    places: Vec<Place>,
}

/// A file that holds many messages, or one that is opened when it is its turn.
enum Holder {
    Open(File),
    Path(PathBuf),
}

struct Place {
    name: String,
    holder: usize,
    offset: u64,
    len: u64,
}

/// Whether a path is a tar file, by its name.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".tar", ".tar.gz", ".tgz", ".tar.zst"].iter().any(|end| name.ends_with(end))
}

/// Whether a file begins like a mailbox or a message and not like a stream of sessions.
pub(super) fn is_message(path: &Path) -> bool {
    let mut head = [0; 64];
    let Ok(len) = File::open(path).and_then(|mut file| file.read(&mut head)) else { return false };
    let head = &head[..len];
    let name = head.iter().position(|b| *b == b':').map(|colon| &head[..colon]);
    head.starts_with(b"From ") || name.is_some_and(|n| !n.is_empty() && n.iter().all(is_name_octet))
}

fn is_name_octet(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

impl Mail {
    /// Finds every message; names come in the order of the paths, sorted inside folders.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Mail, String> {
        let mut mail = Mail { files: Vec::new(), places: Vec::new() };
        for path in paths {
            mail.add(path).map_err(|e| format!("{}: expected raw messages, but {e}", path.display()))?;
        }
        Ok(mail)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// A message's name: its path inside the folder or archive, or its number in the mailbox.
    pub(super) fn name(&self, index: usize) -> String {
        self.places[index].name.clone()
    }

    /// The beginning of a message.
    pub(super) fn head(&mut self, index: usize) -> Result<Vec<u8>, String> {
        self.read(index, HEAD_LEN_MAX)
    }

    /// All of it.
    pub(super) fn whole(&mut self, index: usize) -> Result<Vec<u8>, String> {
        self.read(index, MESSAGE_LEN_MAX)
    }

    fn read(&mut self, index: usize, len_max: u64) -> Result<Vec<u8>, String> {
        let Mail { files, places } = self;
        let place = &places[index];
        let mut bytes = Vec::new();
        let mut take = |file: &mut File| {
            file.seek(SeekFrom::Start(place.offset))?;
            file.take(place.len.min(len_max)).read_to_end(&mut bytes)
        };
        let read = match &mut files[place.holder] {
            Holder::Open(file) => take(file),
            Holder::Path(path) => File::open(path).and_then(|mut file| take(&mut file)),
        };
        read.map_err(|e| format!("{}: {e}", place.name))?;
        Ok(bytes)
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return self.folder(path, path, 0);
        }
        if is_archive(path) {
            return self.archive(path);
        }
        self.mailbox(path)
    }

    fn folder(&mut self, root: &Path, path: &Path, depth: usize) -> io::Result<()> {
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::path);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() && depth < DEPTH_MAX {
                self.folder(root, &path, depth + 1)?;
            } else if kind.is_file() {
                let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                let (len, holder) = (entry.metadata()?.len(), self.files.len());
                self.files.push(Holder::Path(path));
                self.places.push(Place { name, holder, offset: 0, len });
            }
        }
        Ok(())
    }

    fn archive(&mut self, path: &Path) -> io::Result<()> {
        let mut file = plain(path)?;
        let holder = self.files.len();
        file.rewind()?;
        let mut archive = tar::Archive::new(&file);
        for member in archive.entries_with_seek()? {
            let member = member?;
            if member.header().entry_type().is_file() {
                let name = member.path()?.display().to_string();
                let name = name.strip_prefix("./").map_or(name.clone(), str::to_owned);
                let (offset, len) = (member.raw_file_position(), member.size());
                self.places.push(Place { name, holder, offset, len });
            }
        }
        self.files.push(Holder::Open(file));
        Ok(())
    }

    /// A mailbox: a message begins at each line `From ` behind an empty one (RFC 4155).
    fn mailbox(&mut self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let (holder, name) = (self.files.len(), path.display().to_string());
        let (mut starts, mut at, mut empty) = (vec![0], 0u64, true);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        while reader.by_ref().take(HEAD_LEN_MAX).read_until(b'\n', &mut line)? > 0 {
            if empty && at > 0 && line.starts_with(b"From ") {
                starts.push(at);
            }
            at += line.len() as u64;
            empty = line.trim_ascii().is_empty();
            line.clear();
        }
        starts.push(at);
        for (number, pair) in (1..).zip(starts.windows(2)) {
            let named = if starts.len() == 2 { name.clone() } else { format!("{name}#{number}") };
            self.places.push(Place { name: named, holder, offset: pair[0], len: pair[1] - pair[0] });
        }
        self.files.push(Holder::Open(file));
        Ok(())
    }
}

/// A tar file that can be read at any place.
fn plain(path: &Path) -> io::Result<File> {
    let mut file = BufReader::new(File::open(path)?);
    let mut unpacked: Box<dyn Read> = match file.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::Decoder::with_buffer(file)?;
            // Archives are often packed with a long window (`zstd --long=27`).
            decoder.window_log_max(31)?;
            Box::new(decoder)
        }
        _ => return Ok(file.into_inner()),
    };
    let mut out = nameless()?;
    io::copy(&mut unpacked, &mut out)?;
    Ok(out)
}

/// A file that goes when it is closed.
fn nameless() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("mailward-replay-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("mailward-raw-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("inner")).unwrap();
        fs::write(path.join("b.eml"), "Subject: b\n\nb\n").unwrap();
        fs::write(path.join("inner/a.eml"), "Subject: a\n\na\n").unwrap();
        path
    }

    fn told(mail: &mut Mail) -> Vec<(String, String)> {
        let one = |mail: &mut Mail, n| (mail.name(n), String::from_utf8(mail.whole(n).unwrap()).unwrap());
        (0..mail.len()).map(|n| one(mail, n)).collect()
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn a_folder_and_its_tar_file_hold_the_same_messages() {
        let path = scratch("folder");
        let expect = [pair("b.eml", "Subject: b\n\nb\n"), pair("inner/a.eml", "Subject: a\n\na\n")];
        assert_eq!(told(&mut Mail::open(std::slice::from_ref(&path)).unwrap()), expect);
        let mut packed = tar::Builder::new(Vec::new());
        packed.append_dir_all(".", &path).unwrap();
        let bytes = packed.into_inner().unwrap();
        for (end, bytes) in [("tar", bytes.clone()), ("tar.zst", zstd::encode_all(&bytes[..], 1).unwrap())] {
            let file = path.join(format!("mail.{end}"));
            fs::write(&file, bytes).unwrap();
            let mut mail = Mail::open(std::slice::from_ref(&file)).unwrap();
            let mut got = told(&mut mail);
            got.sort();
            assert_eq!(got, expect, "{end}");
        }
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_mailbox_is_parted_where_a_message_begins() {
        let path = scratch("mbox");
        let file = path.join("mbox");
        let text = "From a\nSubject: 1\n\nFrom here on\nis body\n\nFrom b\nSubject: 2\n\n2\n";
        fs::write(&file, text).unwrap();
        assert!(is_message(&file) && is_message(&path.join("b.eml")) && !is_archive(&file));
        let mail = &mut Mail::open(std::slice::from_ref(&file)).unwrap();
        let texts: Vec<String> = told(mail).into_iter().map(|(_, text)| text).collect();
        // RFC 4155 has ‘From ’ in bodies quoted by the writer; this one's was not, behind an empty line.
        assert_eq!(texts.concat(), text);
        assert_eq!(texts.len(), 3);
        fs::remove_dir_all(&path).unwrap();
    }
}
