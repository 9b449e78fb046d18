//! From a title to the key of its features.

use std::{io, path::PathBuf};

use crate::{
    base::Digest,
    catalog::Title,
    encode::{Modality, SourceKind},
    media::{Failure, ReasonCode},
    store::SourceDigests,
};

/// A title's source for one modality, with the digest of its content.
#[derive(Debug)]
pub struct SourceKey {
    /// Where it is.
    pub source: SourceKind,
    /// Digest of its content; of its path where it cannot be read.
    pub key: Digest,
    /// Why it cannot be read, if so.
    pub unreadable: Option<Failure>,
}

/// The key of a title for a modality; `None` where the catalog names no source.
pub fn source_key(
    modality: &dyn Modality,
    title: &Title,
    digests: &SourceDigests,
) -> Option<SourceKey> {
    let source = modality.source(title)?;
    let (key, unreadable) = match &source {
        SourceKind::Text(text) => (Digest::of_bytes(text.as_bytes()), None),
        SourceKind::File(path) => match digests.digest_of_file(path) {
            Ok(digest) => (digest, None),
            Err(error) => {
                let code = match error.kind() {
                    io::ErrorKind::NotFound => ReasonCode::NotFound,
                    _ => ReasonCode::Unreadable,
                };
                let key = Digest::of_bytes(path.as_os_str().as_encoded_bytes());
                (key, Some(Failure::new(code, error.to_string())))
            }
        },
    };
    Some(SourceKey { source, key, unreadable })
}

impl SourceKey {
    /// The source for people: a path, or the words `the catalog`.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            SourceKind::File(path) => path.display().to_string(),
            SourceKind::Text(_) => "the catalog".to_owned(),
        }
    }

    /// The file to decode, where there is one.
    #[must_use]
    pub fn path(&self) -> Option<&PathBuf> {
        match &self.source {
            SourceKind::File(path) => Some(path),
            SourceKind::Text(_) => None,
        }
    }
}
