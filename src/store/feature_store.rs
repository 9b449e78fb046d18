//! The store as a whole: one folder per encoder and fingerprint.

use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use base::{Fingerprint, file, publish_bytes};
use serde::{Deserialize, Serialize};

use super::{
    EncoderIdentity, EncoderStore, SourceDigests, StoreError, error::Damage, shard::FORMAT,
    shard::MAX_TEXT,
};

/// Version of the format; data lies in `v<version>/` below the store's root.
pub const FORMAT_VERSION: u64 = 1;

/// The file beside the shards that says in words who made them.
pub(super) const IDENTITY_FILE: &str = "encoder.json";

/// `encoder.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct IdentityFile {
    format: String,
    format_version: u64,
    #[serde(flatten)]
    identity: EncoderIdentity,
}

/// A feature store on disk.
///
/// ```no_run
/// # use cinetag_store as store;
/// let store = store::FeatureStore::open("feature_store".as_ref());
/// for encoder in store.encoders()? {
///     println!("{}: {} sources", encoder.identity().name, encoder.summary()?.num_titles);
/// }
/// # Ok::<(), store::StoreError>(())
/// ```
///
/// Opening one creates nothing. What was opened of it stays open, for its
/// clones too: whoever asks again for an encoder's part gets the same one, with what it knows.
#[derive(Clone, Debug)]
pub struct FeatureStore {
    folder: PathBuf,
    opened: Arc<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    /// By folder.
    encoders: Mutex<HashMap<PathBuf, Arc<EncoderStore>>>,
    sources: Mutex<Option<Arc<SourceDigests>>>,
}

impl FeatureStore {
    /// The store below `root`, which need not exist.
    #[must_use]
    pub fn open(root: &Path) -> Self {
        Self { folder: root.join(format!("v{FORMAT_VERSION}")), opened: Arc::default() }
    }

    /// The folder that holds this version's data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The part of an encoder, made where it is not there yet.
    ///
    /// # Errors
    /// [`StoreError::OtherEncoder`] where the folder was made by an encoder that described
    /// itself in other words; [`StoreError::Invalid`] for a name that is no folder name;
    /// [`StoreError::Io`] and [`StoreError::Damaged`] from the file system.
    pub fn encoder(&self, identity: &EncoderIdentity) -> Result<Arc<EncoderStore>, StoreError> {
        check_identity(identity)?;
        let folder = self.folder_of(&identity.name, &identity.fingerprint);
        let path = folder.join(IDENTITY_FILE);
        let mut encoders = self.opened.encoders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = encoders.get(&folder).filter(|known| known.identity() == identity)
            && path.exists()
        {
            return Ok(Arc::clone(known));
        }
        let file = IdentityFile {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            identity: identity.clone(),
        };
        let mut json = serde_json::to_string_pretty(&file)
            .map_err(|e| StoreError::Invalid(format!("the encoder's description: {e}")))?;
        json.push('\n');
        match file::read_to_string(&path) {
            // Compared as both read back, since floats may lose a digit as text.
            Ok(found) => compare(&path, &parse(&path, &found)?, &parse(&path, &json)?)?,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
                publish_bytes(&path, json.as_bytes()).map_err(StoreError::io(&path))?;
            }
            Err(e) => return Err(StoreError::io(path)(e)),
        }
        let opened = Arc::new(EncoderStore::new(folder.clone(), identity.clone()));
        encoders.insert(folder, Arc::clone(&opened));
        Ok(opened)
    }

    /// The part of the encoder of this name and fingerprint; `None` where it has none.
    ///
    /// # Errors
    /// Its `encoder.json` cannot be read.
    pub fn find(
        &self,
        name: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<EncoderStore>, StoreError> {
        open_folder(self.folder_of(name, fingerprint))
    }

    /// All encoders' parts, ordered by folder name; none where there is no store yet.
    ///
    /// # Errors
    /// The folder or an `encoder.json` in it cannot be read.
    pub fn encoders(&self) -> Result<Vec<EncoderStore>, StoreError> {
        let mut folders = Vec::new();
        match fs::read_dir(&self.folder) {
            Ok(entries) => {
                for entry in entries {
                    folders.push(entry.map_err(StoreError::io(&self.folder))?.path());
                }
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(StoreError::io(&self.folder)(e)),
        }
        folders.sort();
        folders.into_iter().filter_map(|folder| open_folder(folder).transpose()).collect()
    }

    /// Digests of source files that were read before. The log is read once; what other processes
    /// add to it later is not seen.
    ///
    /// # Errors
    /// The cache is there and cannot be read.
    pub fn sources(&self) -> Result<Arc<SourceDigests>, StoreError> {
        let mut sources = self.opened.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sources) = &*sources {
            return Ok(Arc::clone(sources));
        }
        let opened = Arc::new(SourceDigests::open(&self.folder)?);
        *sources = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn folder_of(&self, name: &str, fingerprint: &Fingerprint) -> PathBuf {
        self.folder.join(format!("{name}-{fingerprint}"))
    }
}

/// Opens an encoder's folder; `None` where it has no `encoder.json`.
fn open_folder(folder: PathBuf) -> Result<Option<EncoderStore>, StoreError> {
    let path = folder.join(IDENTITY_FILE);
    match file::read_to_string(&path) {
        Ok(json) => Ok(Some(EncoderStore::new(folder, parse(&path, &json)?.identity))),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(StoreError::io(path)(e)),
    }
}

fn parse(path: &Path, json: &str) -> Result<IdentityFile, StoreError> {
    let damaged = |what: String| StoreError::damaged(path)(Damage::Content(what));
    let file: IdentityFile = serde_json::from_str(json).map_err(|e| damaged(e.to_string()))?;
    if file.format != FORMAT || file.format_version != FORMAT_VERSION {
        return Err(damaged(format!(
            "it says {} version {}, this program reads {FORMAT} version {FORMAT_VERSION}",
            file.format, file.format_version
        )));
    }
    Ok(file)
}

fn compare(path: &Path, found: &IdentityFile, expected: &IdentityFile) -> Result<(), StoreError> {
    let (found, expected) = (&found.identity, &expected.identity);
    let fields = [
        ("name", found.name.clone(), expected.name.clone()),
        ("fingerprint", found.fingerprint.to_string(), expected.fingerprint.to_string()),
        ("dim", found.dim.to_string(), expected.dim.to_string()),
        ("row_unit", found.row_unit.clone(), expected.row_unit.clone()),
        ("description", found.description.to_string(), expected.description.to_string()),
    ];
    // The order of a description's keys is no difference.
    let same = |field: &str| field == "description" && found.description == expected.description;
    for (field, found, expected) in fields {
        if found != expected && !same(field) {
            let (path, field) = (path.to_owned(), field.to_owned());
            return Err(StoreError::OtherEncoder { path, field, found, expected });
        }
    }
    Ok(())
}

fn check_identity(identity: &EncoderIdentity) -> Result<(), StoreError> {
    let is_name = |text: &str| {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        !text.is_empty() && text.len() < MAX_TEXT && text.bytes().all(allowed)
    };
    if !is_name(&identity.name) || !is_name(identity.fingerprint.as_str()) {
        return Err(StoreError::Invalid(format!(
            "encoder {:?} with fingerprint {:?}: both must be 1 to {} of a-z 0-9 - _",
            identity.name,
            identity.fingerprint.as_str(),
            MAX_TEXT - 1
        )));
    }
    if identity.dim == 0 {
        return Err(StoreError::Invalid(format!("encoder {:?} has dim 0", identity.name)));
    }
    Ok(())
}
