//! What a catalog's content is known by.

use std::{fs, io, path::Path, time::UNIX_EPOCH};

use base::{Digest, digest::DigestBuilder};
use curation::reviews;

use super::decided;

/// A catalog file's content; of a folder (a library, a set of dumps) the name, size and time
/// of change of every file in it, since films are too large to be read for this. With what people decided,
/// where there is a log of it.
///
/// # Errors
/// The file or folder cannot be read.
pub fn digest(path: &Path) -> io::Result<Digest> {
    if !path.is_dir() {
        let (file, folder) = (Digest::of_file(path)?, path.parent().unwrap_or(Path::new("")));
        let Some(log) = log_of(folder) else { return Ok(file) };
        return Ok(DigestBuilder::new().part(file.as_bytes()).part(log.as_bytes()).finish());
    }
    let mut digest = add_folder(DigestBuilder::new(), path)?;
    let above = std::path::absolute(path)?.parent().and_then(decided::above);
    if let Some(log) = above.and_then(|above| log_of(&above)) {
        digest = digest.part(log.as_bytes());
    }
    Ok(digest.finish())
}

/// What people decided. A log that cannot be read counts for nothing, of which whoever reads the catalog
/// is told.
fn log_of(folder: &Path) -> Option<Digest> {
    reviews::digest(folder).unwrap_or_default()
}

fn add_folder(mut digest: DigestBuilder, folder: &Path) -> io::Result<DigestBuilder> {
    if let Some(log) = log_of(folder) {
        digest = digest.part(log.as_bytes());
    }
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        digest = digest.part(entry.file_name().as_encoded_bytes());
        if entry.file_type()?.is_dir() {
            digest = add_folder(digest, &entry.path())?.part("");
        } else if let Ok(metadata) = fs::metadata(entry.path()) {
            let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            digest =
                digest.part(metadata.len().to_le_bytes()).part(changed.as_nanos().to_le_bytes());
        }
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_another_when_a_file_in_it_is() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/movie.nfo"), "one").unwrap();
        let before = digest(root.path()).unwrap();
        assert_eq!(digest(root.path()).unwrap(), before);
        fs::write(root.path().join("a/movie.nfo"), "more").unwrap();
        let changed = digest(root.path()).unwrap();
        assert_ne!(changed, before);
        fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
        assert_ne!(digest(root.path()).unwrap(), changed);
        let file = root.path().join("b/movie.nfo");
        assert_eq!(digest(&file).unwrap(), Digest::of_bytes(b"more"));
        assert!(digest(&root.path().join("none")).is_err());
    }
}
