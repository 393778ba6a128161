//! Raw messages of the shared mail data, one in `step`, straight from their packed archives.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use model::exhibit::HeaderField;
use model::letter::FIELDS_LEN_MAX;

/// The archives there are.
pub(crate) const CORPORA: [&str; 4] = ["spamassassin", "ccert", "trec07p-dev", "phishing_pot-dev"];
/// They were packed with `--long=27`.
const WINDOW_LOG: u32 = 27;
/// A block of a tape archive (POSIX.1, pax).
const BLOCK: usize = 512;

/// Where a corpus lies, if it is there.
pub(crate) fn archive(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("MAILWARD_SHARED_DATA").map_or(beside, PathBuf::from);
    let path = data.join("mail").join(format!("{name}.tar.zst"));
    if !path.is_file() {
        println!("skipped: no shared data at {}", path.display());
        return None;
    }
    Some(path)
}

/// Hands the header of every `step`-th message to `each`; says how many it were.
pub(crate) fn read(archive: &Path, step: usize, each: &mut dyn FnMut(Vec<HeaderField>, bool)) -> usize {
    let file = File::open(archive).expect("an archive");
    let mut tar = zstd::Decoder::new(file).expect("zstd");
    tar.window_log_max(WINDOW_LOG).expect("a window");
    let (mut seen, mut taken) = (0, 0);
    while let Some((is_file, content)) = entry(&mut tar) {
        if is_file && seen % step == 0 {
            let (fields, whole) = fields(&content);
            each(fields, whole);
            taken += 1;
        }
        seen += usize::from(is_file);
    }
    taken
}

/// The next entry: whether it is a plain file, and what is in it.
fn entry(tar: &mut impl Read) -> Option<(bool, Vec<u8>)> {
    let mut head = [0; BLOCK];
    tar.read_exact(&mut head).ok()?;
    let digits = head[124..136].iter().take_while(|b| b.is_ascii_digit());
    let size = digits.fold(0, |size, d| size * 8 + usize::from(d - b'0'));
    let mut content = vec![0; size.next_multiple_of(BLOCK)];
    tar.read_exact(&mut content).ok()?;
    content.truncate(size);
    (head[0] != 0).then_some((matches!(head[156], b'0' | 0), content))
}

/// The header fields, up to the limit that a letter keeps, and whether that was all.
fn fields(raw: &[u8]) -> (Vec<HeaderField>, bool) {
    let (mut fields, mut room): (Vec<HeaderField>, usize) = (Vec::new(), FIELDS_LEN_MAX);
    for line in raw.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        if line.is_empty() {
            break;
        }
        let Some(left) = room.checked_sub(line.len() + 2) else { return (fields, false) };
        room = left;
        match (line.iter().position(|b| *b == b':'), fields.last_mut()) {
            (_, Some(last)) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                last.value.extend_from_slice(&[b"\r\n", line].concat());
            }
            (Some(at), _) if !line[..at].contains(&b' ') => {
                fields.push(HeaderField { name: line[..at].to_vec(), value: line[at + 1..].to_vec() });
            }
            // The `From ` line of an mbox, or rubbish.
            _ => {}
        }
    }
    (fields, true)
}
