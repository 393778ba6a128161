//! What others have copies of: the numbers of our zones, and how they came to be.
//!
//! One file of records, each with its length and checksum; what a record means is the caller's
//! affair. [`ZoneLog::append`] returns when the record is on the disk: a number that was told to
//! anybody is never given twice. At a start the caller reads all, and [`ZoneLog::rewrite`]s what
//! he still needs.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::files::{create_private, put_in_place, temporary_for};

/// How the file begins.
const MAGIC: &[u8; 8] = b"MWZONES1";

/// Octets in front of a record: its length and its checksum, little-endian.
const HEAD: usize = 8;

/// The most octets of one record; nobody writes more.
pub const RECORD_LEN_MAX: usize = 64 << 20;

/// The file, open for appending.
#[derive(Debug)]
pub struct ZoneLog {
    path: PathBuf,
    file: File,
    len: u64,
}

/// What stood in the file.
#[derive(Debug, Default)]
pub struct ZoneRecords {
    /// All records that are whole, in their order.
    pub records: Vec<Vec<u8>>,
    /// Something stood behind them that is none: a write that was cut short, or damage.
    pub was_cut: bool,
}

impl ZoneLog {
    /// Reads a file; one that is not there is empty.
    ///
    /// # Errors
    ///
    /// The file is there and can not be read, or it is something else.
    pub fn read(path: &Path) -> Result<ZoneRecords, StoreError> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(mut file) => file.read_to_end(&mut bytes).map_err(StoreError::io(path, "read"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ZoneRecords::default()),
            Err(error) => return Err(StoreError::io(path, "open")(error)),
        };
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            let got = String::from_utf8_lossy(&bytes[..bytes.len().min(8)]).escape_debug().to_string();
            return Err(StoreError::NotOurs { file: path.to_owned(), expected: "the log of zones", got });
        };
        Ok(records(rest))
    }

    /// Begins the file anew with these records, in place of what was there.
    ///
    /// # Errors
    ///
    /// The disk; the old file is as it was.
    pub fn rewrite<'r>(path: &Path, records: impl Iterator<Item = &'r [u8]>) -> Result<ZoneLog, StoreError> {
        let temporary = temporary_for(path);
        let mut file = create_private(&temporary)?;
        let mut len = MAGIC.len() as u64;
        file.write_all(MAGIC).map_err(StoreError::io(&temporary, "write"))?;
        for record in records {
            let framed = framed(record);
            file.write_all(&framed).map_err(StoreError::io(&temporary, "write"))?;
            len += framed.len() as u64;
        }
        put_in_place(&temporary, path)?;
        Ok(ZoneLog { path: path.to_owned(), file, len })
    }

    /// Adds one record, durably.
    ///
    /// # Errors
    ///
    /// The disk. Nothing of the record counts then: the next one stands in its place.
    pub fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let framed = framed(record);
        let written = self.file.write_all(&framed).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Where even that fails, the checksum tells the next start.
            let _ = self.file.set_len(self.len);
            let _ = std::io::Seek::seek(&mut self.file, std::io::SeekFrom::Start(self.len));
            return Err(StoreError::io(&self.path, "append to")(error));
        }
        self.len += framed.len() as u64;
        Ok(())
    }

    /// Octets of the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no record was ever written.
    pub fn is_empty(&self) -> bool {
        self.len <= MAGIC.len() as u64
    }
}

fn framed(record: &[u8]) -> Vec<u8> {
    // Records are shorter than `RECORD_LEN_MAX`.
    let len = u32::try_from(record.len()).unwrap_or(u32::MAX);
    [&len.to_le_bytes()[..], &crc32c::crc32c(record).to_le_bytes(), record].concat()
}

fn records(mut rest: &[u8]) -> ZoneRecords {
    let mut read = ZoneRecords::default();
    while !rest.is_empty() {
        let Some((record, behind)) = split(rest) else {
            read.was_cut = true;
            break;
        };
        read.records.push(record.to_vec());
        rest = behind;
    }
    read
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([l0, l1, l2, l3, c0, c1, c2, c3], rest) = bytes.split_first_chunk::<HEAD>()?;
    let len = usize::try_from(u32::from_le_bytes([*l0, *l1, *l2, *l3])).ok()?;
    let (record, rest) = rest.split_at_checked(len).filter(|_| len <= RECORD_LEN_MAX)?;
    (crc32c::crc32c(record) == u32::from_le_bytes([*c0, *c1, *c2, *c3])).then_some((record, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn path(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("mailward-zone-log-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder.join("zones.log")
    }

    #[test]
    fn records_come_back_in_their_order_and_a_rewritten_file_goes_on() {
        let path = path("order");
        assert!(ZoneLog::read(&path).unwrap().records.is_empty());
        let mut log = ZoneLog::rewrite(&path, [&b"one"[..], b""].into_iter()).unwrap();
        log.append(b"two").unwrap();
        assert_eq!(log.len(), fs::metadata(&path).unwrap().len());
        let read = ZoneLog::read(&path).unwrap();
        assert_eq!((read.records, read.was_cut), (vec![b"one".to_vec(), vec![], b"two".to_vec()], false));
        drop(ZoneLog::rewrite(&path, std::iter::empty()).unwrap());
        assert!(ZoneLog::read(&path).unwrap().records.is_empty());
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_cut_or_damaged_end_is_told_and_what_stands_before_it_counts() {
        let path = path("cut");
        let mut log = ZoneLog::rewrite(&path, [&b"one"[..]].into_iter()).unwrap();
        log.append(b"another").unwrap();
        let whole = fs::read(&path).unwrap();
        let first = MAGIC.len() + HEAD + 3;
        for len in first + 1..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let read = ZoneLog::read(&path).unwrap();
            assert_eq!((read.records.len(), read.was_cut), (1, true), "{len}");
        }
        for at in first..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x40;
            fs::write(&path, &changed).unwrap();
            assert!(ZoneLog::read(&path).unwrap().was_cut, "{at}");
        }
        fs::write(&path, b"something else").unwrap();
        assert!(matches!(ZoneLog::read(&path), Err(StoreError::NotOurs { .. })));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
