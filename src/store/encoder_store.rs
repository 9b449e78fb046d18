//! One encoder's part of the store: publishing shards, finding keys (`read` takes features out).

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use base::{Digest, file, publish::Draft};

use super::{
    EncoderIdentity, FailureRow, FeatureRow, Index, StoreError,
    error::Damage,
    failures,
    index::{Entry, Place},
    shard::{self, Shard},
};

/// Damaged files are set aside in this folder.
const QUARANTINE: &str = "quarantine";

/// One encoder's folder of shards and failure logs. Usable from several threads.
#[derive(Debug)]
pub struct EncoderStore {
    pub(super) folder: PathBuf,
    pub(super) identity: EncoderIdentity,
    /// Shards whose bytes were found whole, with size and time of change at that moment.
    pub(super) whole: Mutex<HashMap<String, (u64, Option<SystemTime>)>>,
    /// What it held when somebody asked last.
    index: Mutex<Arc<Index>>,
    /// Shards and failure logs that were read for the index.
    num_files_read: AtomicUsize,
}

/// What [`EncoderStore::publish`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Published {
    /// The shard; `None` where no row was left to publish.
    pub path: Option<PathBuf>,
    /// Sources in it.
    pub num_titles: usize,
    /// Feature rows in it.
    pub num_rows: usize,
    /// Its size.
    pub num_bytes: u64,
    /// Sources that were published as failures instead, since f16 cannot hold their
    /// features.
    pub refused: Vec<FailureRow>,
}

/// Counts of an encoder's part of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Shards.
    pub num_shards: usize,
    /// Sources with features.
    pub num_titles: usize,
    /// Their rows.
    pub num_rows: usize,
    /// Sources with features of a part of them only.
    pub num_partial: usize,
    /// Failures by reason code.
    pub failures: BTreeMap<String, usize>,
    /// Size of all shards.
    pub num_bytes: u64,
}

impl EncoderStore {
    pub(super) fn new(folder: PathBuf, identity: EncoderIdentity) -> Self {
        Self {
            folder,
            identity,
            whole: Mutex::default(),
            index: Mutex::default(),
            num_files_read: AtomicUsize::default(),
        }
    }

    /// Who made the features.
    #[must_use]
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// Where the shards lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Publishes features as one new shard, or leaves the store as it was.
    ///
    /// Of rows with the same key the first counts. Rows with a number beyond f16's range
    /// (±65504) or not finite are published as failures `not_finite` instead and returned
    /// in [`Published::refused`]: clamped, they would look like data.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for rows of the wrong shape, [`StoreError::Write`] where
    /// the shard cannot be written.
    pub fn publish<R: Borrow<FeatureRow>>(&self, rows: &[R]) -> Result<Published, StoreError> {
        let (mut seen, mut kept, mut refused) = (HashSet::new(), Vec::new(), Vec::new());
        for row in rows.iter().map(Borrow::borrow) {
            self.check_row(row, rows[0].borrow())?;
            if !seen.insert(row.key) {
                continue;
            }
            match row.unstorable(self.identity.dim) {
                Some(failure) => refused.push(failure),
                None => kept.push(row),
            }
        }
        let mut published = Published { refused, ..Published::default() };
        if !kept.is_empty() {
            let path = self
                .write_shard(&kept)
                .map_err(|source| StoreError::Write { folder: self.folder.clone(), source })?;
            published.num_titles = kept.len();
            published.num_rows = kept.iter().map(|row| row.data.len() / self.identity.dim).sum();
            published.num_bytes = fs::metadata(&path).map_err(StoreError::io(&path))?.len();
            published.path = Some(path);
        }
        self.publish_failures(&published.refused)?;
        Ok(published)
    }

    fn write_shard(&self, rows: &[&FeatureRow]) -> Result<PathBuf, Damage> {
        let draft = Draft::begin(&self.folder.join(shard::name_of(&Digest::of_bytes(b""))))?;
        shard::write(draft.path(), &self.identity, rows)?;
        // A full disk must not be found out later: what is named by its digest was read
        // back whole.
        Shard::open(draft.path(), &self.identity)?.check_all()?;
        let name = shard::name_of(&Digest::of_reader(file::open(draft.path())?)?);
        Ok(draft.publish_as(&name)?)
    }

    fn check_row(&self, row: &FeatureRow, first: &FeatureRow) -> Result<(), StoreError> {
        let dim = self.identity.dim;
        let invalid = |what: String| {
            let name = &self.identity.name;
            Err(StoreError::Invalid(format!("{name} features of title {}: {what}", row.title)))
        };
        if row.data.is_empty() || !row.data.len().is_multiple_of(dim) {
            return invalid(format!("{} numbers are no rows of {dim}", row.data.len()));
        }
        let num_rows = row.data.len() / dim;
        if !row.time_secs.is_empty() && row.time_secs.len() != num_rows {
            return invalid(format!("{} times for {num_rows} rows", row.time_secs.len()));
        }
        if row.time_secs.is_empty() != first.time_secs.is_empty() {
            return invalid(format!("it and title {} must both have times or none", first.title));
        }
        if !row.time_secs.iter().all(|time| time.is_finite()) {
            return invalid("a time is not finite".to_owned());
        }
        if row.text.is_some() != first.text.is_some() {
            return invalid(format!("it and title {} must both say something or not", first.title));
        }
        if let Some(text) = &row.text {
            let starts = text.segments.iter().map(|segment| segment.start_secs);
            if !starts.eq(row.time_secs.iter().copied()) {
                return invalid(format!("{} segments for {num_rows} rows", text.segments.len()));
            }
            if !text.segments.iter().all(|segment| segment.end_secs.is_finite()) {
                return invalid("a time is not finite".to_owned());
            }
        }
        Ok(())
    }

    /// Publishes failures as one new log; nothing for no failures.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn publish_failures(&self, rows: &[FailureRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        failures::publish(&self.folder, rows).map_err(StoreError::io(&self.folder))
    }

    /// Forgets all failures, so that the next run tries their sources again.
    ///
    /// # Errors
    /// A log cannot be removed.
    pub fn forget_failures(&self) -> Result<(), StoreError> {
        for name in self.failure_logs()? {
            let path = self.folder.join(name);
            fs::remove_file(&path).map_err(StoreError::io(path))?;
        }
        Ok(())
    }

    /// What the store holds now. Reads the keys and offsets of shards, not their features, and of
    /// those alone that came since somebody asked last: files are never changed, their names are
    /// their digests.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the shard or log that cannot be read.
    pub fn index(&self) -> Result<Arc<Index>, StoreError> {
        let (shards, logs) = (self.shards()?, self.failure_logs()?);
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.is_of(&shards, &logs) {
            *known = Arc::default();
        }
        let (shards, logs) = known.unread(shards, logs);
        if shards.is_empty() && logs.is_empty() {
            return Ok(Arc::clone(&known));
        }
        self.num_files_read.fetch_add(shards.len() + logs.len(), Ordering::Relaxed);
        // Copied only where somebody still holds it.
        let index = Arc::make_mut(&mut known);
        for name in shards {
            let path = self.folder.join(&name);
            let entries = self.entries(&path, index.num_shards());
            index.add_shard(name, entries.map_err(StoreError::damaged(path))?);
        }
        for name in logs {
            let path = self.folder.join(&name);
            let rows = failures::read(&path).map_err(StoreError::damaged(path))?;
            index.add_failures(name, rows);
        }
        Ok(Arc::clone(&known))
    }

    /// Shards and failure logs that were read for [`index`](Self::index) so far: each once.
    #[must_use]
    pub fn num_files_read(&self) -> usize {
        self.num_files_read.load(Ordering::Relaxed)
    }

    fn entries(&self, path: &Path, shard_idx: usize) -> Result<Vec<Entry>, Damage> {
        let shard = Shard::open(path, &self.identity)?;
        let (keys, offsets, partials) = (shard.keys()?, shard.offsets()?, shard.partials()?);
        let places = offsets.windows(2).map(|rows| Place::of_rows(shard_idx, rows[0], rows[1]));
        let entries = keys.into_iter().zip(places).zip(partials);
        entries
            .map(|((key, place), partial)| Some((key, place?, partial)))
            .collect::<Option<_>>()
            .ok_or_else(|| Damage::content("it has 2³² rows or more"))
    }

    /// Counts, for people.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub fn summary(&self) -> Result<Summary, StoreError> {
        let index = self.index()?;
        let mut summary = Summary {
            num_shards: index.num_shards(),
            num_titles: index.len(),
            num_rows: index.total_rows(),
            num_partial: index.partials.len(),
            ..Summary::default()
        };
        for failure in index.failures() {
            *summary.failures.entry(failure.code.clone()).or_default() += 1;
        }
        for name in &index.shards {
            let path = self.folder.join(name);
            summary.num_bytes += fs::metadata(&path).map_err(StoreError::io(path))?.len();
        }
        Ok(summary)
    }

    /// Sets a file of this folder aside, into its folder `quarantine`: its keys are then
    /// unknown and computed again. Returns where it is now.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn quarantine(&self, name: &str) -> Result<PathBuf, StoreError> {
        let (from, folder) = (self.folder.join(name), self.folder.join(QUARANTINE));
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let to = folder.join(name);
        fs::rename(&from, &to).map_err(StoreError::io(from))?;
        Ok(to)
    }

    /// Names of the shards, ascending.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn shards(&self) -> Result<Vec<String>, StoreError> {
        self.files("shard-", shard::EXTENSION)
    }

    /// Names of the failure logs, ascending.
    pub(super) fn failure_logs(&self) -> Result<Vec<String>, StoreError> {
        self.files(failures::PREFIX, failures::EXTENSION)
    }

    /// Names of this folder's files that begin and end so, ascending.
    pub(super) fn files(&self, prefix: &str, extension: &str) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(names),
            Err(e) => return Err(StoreError::io(&self.folder)(e)),
        };
        for entry in entries {
            let entry = entry.map_err(StoreError::io(&self.folder))?;
            if let Some(name) = entry.file_name().to_str()
                && name.starts_with(prefix)
                && (extension.is_empty() || Path::new(name).extension() == Some(extension.as_ref()))
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}
