//! Reads everything an encoder's folder holds and says what is wrong with it.

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use base::publish::TEMPORARY_PREFIX;

use super::{
    EncoderStore, StoreError, failures,
    shard::{self, Shard},
};

/// A temporary file that nobody wrote to for so long was left by a process that is gone.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// One file of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its name within the encoder's folder.
    pub name: String,
    /// Sources in it; 0 where it cannot be read.
    pub num_titles: usize,
    /// Feature rows in it.
    pub num_rows: usize,
    /// What is wrong with it; `None` where it is sound.
    pub problem: Option<String>,
}

/// What [`EncoderStore::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Every shard.
    pub shards: Vec<FileReport>,
    /// Every failure log.
    pub failure_logs: Vec<FileReport>,
    /// Temporary files: of a process that is writing now, or of one that was killed. They
    /// are in nobody's way.
    pub leftovers: Vec<String>,
    /// Sources that stand in more than one shard: two processes computed them at the same
    /// time. They take space and do no harm.
    pub num_duplicate_keys: usize,
}

impl VerifyReport {
    /// Whether every shard and log is what was published.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged().next().is_none()
    }

    /// The files that are not what was published.
    pub fn damaged(&self) -> impl Iterator<Item = &FileReport> {
        self.shards.iter().chain(&self.failure_logs).filter(|file| file.problem.is_some())
    }
}

impl EncoderStore {
    /// Reads every byte of every shard and log: digests against names, checksums, shapes,
    /// offsets, finite numbers, unique keys.
    ///
    /// # Errors
    /// The folder cannot be listed. What is wrong with a file stands in the report.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        let mut keys = HashSet::new();
        let mut report =
            VerifyReport { leftovers: self.files(TEMPORARY_PREFIX, "")?, ..Default::default() };
        for name in self.shards()? {
            let path = self.folder().join(&name);
            let checked = shard::check_bytes(&path).and_then(|()| {
                let shard = Shard::open(&path, self.identity())?;
                shard.check_all()?;
                Ok((shard.keys()?, shard.num_titles(), shard.num_rows()))
            });
            report.shards.push(match checked {
                Ok((shard_keys, num_titles, num_rows)) => {
                    let is_known = |key| !keys.insert(key);
                    report.num_duplicate_keys +=
                        shard_keys.into_iter().map(is_known).filter(|known| *known).count();
                    FileReport { name, num_titles, num_rows, problem: None }
                }
                Err(damage) => FileReport {
                    name,
                    num_titles: 0,
                    num_rows: 0,
                    problem: Some(damage.to_string()),
                },
            });
        }
        for name in self.failure_logs()? {
            let read = failures::read(&self.folder().join(&name));
            report.failure_logs.push(FileReport {
                name,
                num_titles: read.as_ref().map_or(0, Vec::len),
                num_rows: 0,
                problem: read.err().map(|damage| damage.to_string()),
            });
        }
        Ok(report)
    }

    /// Sets damaged files aside ([`Self::quarantine`]) and removes leftovers of processes
    /// that are gone (untouched for an hour). Returns what was moved or removed.
    ///
    /// # Errors
    /// A file cannot be moved or removed.
    pub fn repair(&self, report: &VerifyReport) -> Result<Vec<PathBuf>, StoreError> {
        let mut touched = Vec::new();
        for file in report.damaged() {
            touched.push(self.quarantine(&file.name)?);
        }
        for name in &report.leftovers {
            let path = self.folder().join(name);
            let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
            let is_old = modified.is_ok_and(|at| {
                SystemTime::now().duration_since(at).is_ok_and(|age| age > LEFTOVER_AGE)
            });
            if is_old {
                fs::remove_file(&path).map_err(StoreError::io(&path))?;
                touched.push(path);
            }
        }
        Ok(touched)
    }
}
