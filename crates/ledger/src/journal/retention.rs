//! When segments go: the oldest first, never one that a restart still needs.

use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::segment::Closed;
use super::{JournalError, Options, Writer};
use crate::StoreError;
use crate::files;

/// What [`Writer::retain`] did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retained {
    /// The segments that are gone.
    pub removed: Vec<PathBuf>,
    /// The bytes of those that are left.
    pub bytes: u64,
    /// How many bytes more than the cap are left because a restart needs them, or 0.
    pub over_bytes: u64,
}

impl Writer {
    /// Removes segments that are beyond the caps, the oldest first.
    ///
    /// Never removes the segment that is being written, nor one that holds a frame newer than
    /// `keep_after`: the position of the oldest checkpoint that a start may have to fall back to.
    /// A segment's age is that of its youngest frame.
    ///
    /// # Errors
    ///
    /// [`JournalError::Store`] when a segment cannot be removed; those before it are gone.
    pub fn retain(&mut self, now_ms: u64, keep_after: u64) -> Result<Retained, JournalError> {
        let current = Closed {
            path: PathBuf::new(),
            first_position: self.header().first_position,
            begun_ms: Some(self.header().begun_ms),
            bytes: self.current_bytes(),
        };
        let options = *self.options();
        let count = expendable(self.closed(), &current, &options, now_ms, keep_after);
        let mut removed = Vec::new();
        for _ in 0..count {
            removed.extend(remove_oldest(self.closed())?);
        }
        if !removed.is_empty() {
            files::sync_dir(self.dir())?;
        }
        let bytes = current.bytes + total(self.closed());
        Ok(Retained { removed, bytes, over_bytes: bytes.saturating_sub(options.total_bytes_max) })
    }
}

/// How many of the oldest segments go. Pure.
fn expendable(
    closed: &VecDeque<Closed>,
    current: &Closed,
    options: &Options,
    now_ms: u64,
    keep_after: u64,
) -> usize {
    let mut bytes = current.bytes + total(closed);
    let followers = closed.iter().skip(1).chain([current]);
    let goes = |(segment, follower): &(&Closed, &Closed)| {
        let needed = follower.first_position > keep_after.saturating_add(1);
        let aged = follower.begun_ms.is_some_and(|ended| is_past(ended, options.age_max, now_ms));
        let goes = !needed && (aged || bytes > options.total_bytes_max);
        bytes -= segment.bytes;
        goes
    };
    closed.iter().zip(followers).take_while(goes).count()
}

fn total(closed: &VecDeque<Closed>) -> u64 {
    closed.iter().map(|segment| segment.bytes).sum()
}

/// Whether `age` or more has passed since `since_ms`. A clock that went back ages nothing.
pub(super) fn is_past(since_ms: u64, age: Duration, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(since_ms)) >= age.as_millis()
}

fn remove_oldest(closed: &mut VecDeque<Closed>) -> Result<Option<PathBuf>, JournalError> {
    let Some(oldest) = closed.front() else { return Ok(None) };
    match fs::remove_file(&oldest.path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed.map_err(StoreError::io(&oldest.path, "remove"))?,
    }
    Ok(closed.pop_front().map(|segment| segment.path))
}
