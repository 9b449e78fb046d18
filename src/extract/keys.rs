//! From a title to the keys of its features.

use std::{io, path::PathBuf};

use base::{Digest, DigestBuilder, file};
use catalog::Title;
use encode::SourceKind;
use media::{Failure, ReasonCode};
use store::{SourceDigests, digest_of_text};

use super::OpenEncoder;

/// A source of a title for one encoder, with the digest of its content.
#[derive(Clone, Debug)]
pub struct SourceKey {
    /// Where it is.
    pub source: SourceKind,
    /// Digest of its content; of its path where it cannot be read.
    pub key: Digest,
    /// Why it cannot be read, if so.
    pub unreadable: Option<Failure>,
    /// Ctrl-C came while it was read: nothing is known of it.
    pub is_cut: bool,
}

impl OpenEncoder {
    /// The keys of a title's own sources, in their order; none where the catalog names none.
    #[must_use]
    pub fn source_keys(&self, title: &Title, digests: &SourceDigests) -> Vec<SourceKey> {
        let sources = self.sources(title).into_iter();
        sources.map(|source| SourceKey::of(source, digests)).collect()
    }

    /// The keys of all that it looks at of a title, `encoders` being the list that it is of: of the
    /// text that another gives of a source, a digest of who gives it and of the source's key.
    #[must_use]
    pub fn keys(&self, encoders: &[Self], title: &Title, digests: &SourceDigests) -> Vec<Digest> {
        let Some(listener) = self.reads.map(|idx| &encoders[idx]) else {
            return self.source_keys(title, digests).into_iter().map(|source| source.key).collect();
        };
        let of_source = |source: SourceKey| listener.key_of_text(&source.key);
        listener.source_keys(title, digests).into_iter().map(of_source).collect()
    }

    /// The key of what another encoder makes of the text that this one gives of a source.
    #[must_use]
    pub fn key_of_text(&self, source: &Digest) -> Digest {
        let by = self.identity.fingerprint.as_str();
        DigestBuilder::new().part("text").part(by).part(source.as_bytes()).finish()
    }
}

impl SourceKey {
    fn of(source: SourceKind, digests: &SourceDigests) -> Self {
        let mut is_cut = false;
        let (key, unreadable) = match &source {
            SourceKind::Text(text) => (digest_of_text(text), None),
            SourceKind::File(path) => match digests.digest_of_file(path) {
                Ok(digest) => (digest, None),
                Err(error) => {
                    is_cut = file::is_interrupt(&error);
                    let code = match error.kind() {
                        io::ErrorKind::NotFound => ReasonCode::NotFound,
                        _ => ReasonCode::Unreadable,
                    };
                    let key = Digest::of_bytes(path.as_os_str().as_encoded_bytes());
                    (key, Some(Failure::new(code, error.to_string())))
                }
            },
        };
        Self { source, key, unreadable, is_cut }
    }

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
