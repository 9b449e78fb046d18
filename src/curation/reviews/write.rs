//! A session's file: events are appended, and on the disk before they count.

use std::{
    collections::hash_map::RandomState,
    fs::{File, OpenOptions},
    hash::BuildHasher,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use base::{Digest, own_like_folder, publish::sync_folder};
use jiff::Timestamp;

use super::{ENDING, Event, REVIEWS, Words, unfit};
use crate::{CurationError, FOLDER, journal};

/// One writer of the log. It has a file of its own, made with the first event.
#[derive(Debug)]
pub struct Session {
    folder: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Digest of the last line.
    prev: Option<Digest>,
}

impl Session {
    /// A session about the titles beneath `root`, or of the catalog that lies in it; nothing is
    /// written yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { folder: root.join(FOLDER), open: None }
    }

    /// Appends what somebody said, and returns when the disk has it.
    ///
    /// # Errors
    /// It cannot be written, or is longer than anybody's words. What is written after an error goes into
    /// another file, since this one may end in the middle of a line.
    pub fn append(&mut self, words: Words) -> Result<Event, CurationError> {
        Ok(self.append_all(vec![words])?.remove(0))
    }

    /// Appends all of this, and returns when the disk has it.
    ///
    /// # Errors
    /// As [`append`](Self::append); some of it may be written.
    pub fn append_all(&mut self, all: Vec<Words>) -> Result<Vec<Event>, CurationError> {
        if let Some(why) = all.iter().find_map(unfit) {
            return Err(CurationError::file(&self.folder)(io::Error::other(why)));
        }
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        let mut events = Vec::with_capacity(all.len());
        for words in all {
            let event = Event { event: new_id(), words, prev: open.prev };
            let written = write(&mut open.file, &event);
            open.prev = Some(written.map_err(CurationError::file(&self.folder))?);
            events.push(event);
        }
        open.file.sync_data().map_err(CurationError::file(&self.folder))?;
        self.open = Some(open);
        Ok(events)
    }

    /// Makes the session's file.
    fn begin(&self) -> Result<Open, CurationError> {
        let reviews = journal::own_folder(&self.folder, REVIEWS, true)?;
        let path = reviews.join(format!("{}{ENDING}", new_id()));
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
        let mut options = OpenOptions::new();
        options.create_new(true).append(true).custom_flags(no_link);
        let file = options.open(&path).map_err(CurationError::file(&path))?;
        own_like_folder(&path);
        sync_folder(&reviews).map_err(CurationError::file(&reviews))?;
        Ok(Open { file, prev: None })
    }
}

/// Writes a line; gives its digest.
fn write(file: &mut File, event: &Event) -> io::Result<Digest> {
    let mut line = serde_json::to_vec(event)?;
    let digest = Digest::of_bytes(&line);
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(digest)
}

/// An id by the time, which no other process gives, either.
fn new_id() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let millis = Timestamp::now().as_millisecond();
    let random = RandomState::new().hash_one((process::id(), count, millis));
    format!("{millis:012x}-{count:06x}-{random:016x}")
}
