//! Recorded streams as one sequence in the order of time.
//!
//! Plain, gzip or zstd by their first bytes. Several files are merged; inside a file lines
//! may stand a little out of order. A broken line is skipped, counted and reported.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::line::{self, LINE_LEN_MAX, Line};

/// How many lines a session may stand before its place: bounds memory, not the file.
const LOOK_AHEAD: usize = 20_000;
/// Broken lines that are told one by one; the rest is only counted.
const TOLD_MAX: usize = 20;

/// Lines that were not sessions.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// `file:line: what was expected`, the first twenty.
    pub(crate) told: Vec<String>,
    /// How many lines were broken.
    pub(crate) broken: u64,
    /// How many the stream itself marks as unusable.
    pub(crate) left_out: u64,
    /// How many stood too far from their place and were taken late.
    pub(crate) out_of_order: u64,
}

impl Faults {
    fn broken(&mut self, path: &Path, number: u64, what: &str) {
        self.broken += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(format!("{}:{number}: {what}", path.display()));
        }
    }
}

/// A heap entry in the order (time, sequence).
struct Waiting(Box<Line>);

impl Waiting {
    fn rank(&self) -> (u64, u64) {
        (self.0.at.0, self.0.seq)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

struct Source {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    number: u64,
    ahead: BinaryHeap<Reverse<Waiting>>,
    done: bool,
}

/// All files merged.
pub(crate) struct Stream {
    sources: Vec<Source>,
    last: (u64, u64),
    /// What was wrong so far.
    pub(crate) faults: Faults,
}

impl Stream {
    /// Opens the files; the error names the file.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Stream, String> {
        let sources = paths.iter().map(|p| Source::open(p)).collect::<Result<_, _>>()?;
        Ok(Stream { sources, last: (0, 0), faults: Faults::default() })
    }

    /// The next session in time.
    pub(crate) fn next(&mut self) -> Result<Option<Box<Line>>, String> {
        for source in &mut self.sources {
            source.fill(&mut self.faults)?;
        }
        let first = self.sources.iter_mut().filter(|s| !s.ahead.is_empty());
        let first = first.min_by_key(|s| s.ahead.peek().map(|Reverse(w)| w.rank()));
        let Some(Reverse(waiting)) = first.and_then(|s| s.ahead.pop()) else { return Ok(None) };
        if waiting.rank() < self.last {
            self.faults.out_of_order += 1;
        }
        self.last = self.last.max(waiting.rank());
        Ok(Some(waiting.0))
    }
}

impl Source {
    fn open(path: &Path) -> Result<Source, String> {
        let named = |e: io::Error| format!("{}: expected a stream of sessions, but {e}", path.display());
        let mut file = BufReader::new(File::open(path).map_err(named)?);
        let head = file.fill_buf().map_err(named)?;
        let reader: Box<dyn BufRead> = match head {
            [0x1f, 0x8b, ..] => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                Box::new(BufReader::new(zstd::Decoder::with_buffer(file).map_err(named)?))
            }
            _ => Box::new(file),
        };
        Ok(Source { path: path.to_owned(), reader, number: 0, ahead: BinaryHeap::new(), done: false })
    }

    /// Reads until the look-ahead is full or the file ends.
    fn fill(&mut self, faults: &mut Faults) -> Result<(), String> {
        let mut bytes = Vec::new();
        while !self.done && self.ahead.len() < LOOK_AHEAD {
            bytes.clear();
            let limit = LINE_LEN_MAX as u64 + 1;
            let named = |e: io::Error| {
                format!("{}:{}: the stream breaks off: {e}", self.path.display(), self.number + 1)
            };
            let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(named)?;
            if read == 0 {
                self.done = true;
                return Ok(());
            }
            self.number += 1;
            self.take(&bytes, faults)?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], faults: &mut Faults) -> Result<(), String> {
        if bytes.len() > LINE_LEN_MAX {
            faults.broken(&self.path, self.number, "expected a line of at most 64 KiB");
            return self.skip_line();
        }
        let text = bytes.trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        match line::read(text, self.number) {
            Ok(line::Read::Session(session)) => self.ahead.push(Reverse(Waiting(session))),
            Ok(line::Read::LeftOut) => faults.left_out += 1,
            Err(what) => faults.broken(&self.path, self.number, &what),
        }
        Ok(())
    }

    fn skip_line(&mut self) -> Result<(), String> {
        self.reader.skip_until(b'\n').map(drop).map_err(|e| format!("{}: {e}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn stream(name: &str, lines: &str) -> Stream {
        let path = std::env::temp_dir().join(format!("mailward-stream-{}-{name}", std::process::id()));
        File::create(&path).unwrap().write_all(lines.as_bytes()).unwrap();
        let stream = Stream::open(std::slice::from_ref(&path)).unwrap();
        std::fs::remove_file(&path).unwrap();
        stream
    }

    #[test]
    fn lines_come_in_the_order_of_time_and_broken_ones_are_told() {
        let mut stream = stream(
            "order",
            "{\"ts\":30,\"client_ip\":\"192.0.2.3\"}\nhalf a li\n{\"ts\":10,\"client_ip\":\"192.0.2.1\"}\n\n{\"ts\":20,\"client_ip\":\"192.0.2.2\"}",
        );
        let mut seen = Vec::new();
        while let Some(line) = stream.next().unwrap() {
            seen.push(line.at.secs());
        }
        assert_eq!(seen, [10, 20, 30]);
        assert_eq!(stream.faults.broken, 1);
        assert!(
            stream.faults.told[0]
                .ends_with(":2: expected a JSON session, but expected value at line 1 column 1")
        );
    }

    #[test]
    fn an_endless_line_is_skipped() {
        let long = format!(
            "{{\"ts\":1,\"x\":\"{}\"}}\n{{\"ts\":2,\"client_ip\":\"192.0.2.1\"}}\n",
            "a".repeat(200_000)
        );
        let mut stream = stream("long", &long);
        assert_eq!(stream.next().unwrap().unwrap().at.secs(), 2);
        assert_eq!((stream.faults.broken, stream.next().unwrap().is_none()), (1, true));
    }
}
