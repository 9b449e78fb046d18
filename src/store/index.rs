//! What a store holds, by key: read from the shards' keys and offsets, kept nowhere.

use std::collections::HashMap;

use super::FailureRow;
use crate::base::Digest;

/// Where a key's rows are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Into [`Index::shards`].
    pub(super) shard_idx: usize,
    /// First row within the shard.
    pub(super) first_row: usize,
    /// At least one.
    pub(super) num_rows: usize,
}

/// The keys of an encoder's shards and failure logs at one moment.
///
/// Where a key stands in several shards, the first by name holds; features win over
/// failures, so a source that failed once and succeeded later is no failure.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Names of the shards, ascending.
    pub(super) shards: Vec<String>,
    pub(super) places: HashMap<Digest, Place>,
    pub(super) partials: HashMap<Digest, String>,
    pub(super) failures: HashMap<Digest, FailureRow>,
}

impl Index {
    /// Number of sources with features.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no source has features.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether a source has features.
    #[must_use]
    pub fn contains(&self, key: &Digest) -> bool {
        self.places.contains_key(key)
    }

    /// Whether a source has features or is known to have none.
    #[must_use]
    pub fn knows(&self, key: &Digest) -> bool {
        self.contains(key) || self.failures.contains_key(key)
    }

    /// A source's number of rows; 0 where it has no features.
    #[must_use]
    pub fn num_rows(&self, key: &Digest) -> usize {
        self.places.get(key).map_or(0, |place| place.num_rows)
    }

    /// Why a source's features are not of the whole of it, where they are not.
    #[must_use]
    pub fn partial(&self, key: &Digest) -> Option<&str> {
        self.partials.get(key).map(String::as_str)
    }

    /// Why a source has no features, where that is known.
    #[must_use]
    pub fn failure(&self, key: &Digest) -> Option<&FailureRow> {
        self.failures.get(key)
    }

    /// All failures, ordered by title and key.
    #[must_use]
    pub fn failures(&self) -> Vec<&FailureRow> {
        let mut failures: Vec<_> = self.failures.values().collect();
        failures.sort_by(|a, b| (&a.title, a.key).cmp(&(&b.title, b.key)));
        failures
    }

    /// Number of shards.
    #[must_use]
    pub fn num_shards(&self) -> usize {
        self.shards.len()
    }
}
