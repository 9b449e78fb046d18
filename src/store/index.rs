//! What a store holds, by key: read from the shards' keys and offsets, each once for as long as an
//! encoder's part of the store is open.

use std::collections::{HashMap, HashSet};

use base::Digest;

use super::FailureRow;

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
    /// Names of the shards, in the order in which they were read.
    pub(super) shards: Vec<String>,
    pub(super) places: HashMap<Digest, Place>,
    pub(super) partials: HashMap<Digest, String>,
    /// Names of the failure logs, in the order in which they were read.
    logs: Vec<String>,
    /// With the place of the log: of several the first by name.
    failures: HashMap<Digest, (usize, FailureRow)>,
}

/// A shard's row: the key, where its rows are, and of how much they are if not of the whole.
pub(super) type Entry = (Digest, Place, String);

impl Index {
    /// Whether all that was read is among these files still, which are never changed.
    pub(super) fn is_of(&self, shards: &[String], logs: &[String]) -> bool {
        let all_among = |read: &[String], there: &[String]| {
            let there: HashSet<&String> = there.iter().collect();
            read.iter().all(|name| there.contains(name))
        };
        all_among(&self.shards, shards) && all_among(&self.logs, logs)
    }

    /// Those of these files that were not read yet.
    pub(super) fn unread(
        &self,
        shards: Vec<String>,
        logs: Vec<String>,
    ) -> (Vec<String>, Vec<String>) {
        let not_among = |read: &[String], there: Vec<String>| {
            let read: HashSet<&String> = read.iter().collect();
            there.into_iter().filter(|name| !read.contains(name)).collect()
        };
        (not_among(&self.shards, shards), not_among(&self.logs, logs))
    }

    /// Takes up a shard whose rows are at the place `self.shards.len()`.
    pub(super) fn add_shard(&mut self, name: String, entries: Vec<Entry>) {
        for (key, place, partial) in entries {
            let known = self.places.get(&key);
            if known.is_some_and(|known| self.shards[known.shard_idx] < name) {
                continue;
            }
            self.places.insert(key, place);
            self.failures.remove(&key);
            if partial.is_empty() {
                self.partials.remove(&key);
            } else {
                self.partials.insert(key, partial);
            }
        }
        self.shards.push(name);
    }

    /// Takes up a failure log.
    pub(super) fn add_failures(&mut self, name: String, rows: Vec<FailureRow>) {
        let log_idx = self.logs.len();
        self.logs.push(name);
        for row in rows {
            let known = self.failures.get(&row.key);
            let is_later = known.is_some_and(|(known, _)| self.logs[*known] <= self.logs[log_idx]);
            if !is_later && !self.places.contains_key(&row.key) {
                self.failures.insert(row.key, (log_idx, row));
            }
        }
    }

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
        self.failures.get(key).map(|(_, row)| row)
    }

    /// All failures, ordered by title and key.
    #[must_use]
    pub fn failures(&self) -> Vec<&FailureRow> {
        let mut failures: Vec<_> = self.failures.values().map(|(_, row)| row).collect();
        failures.sort_by(|a, b| (&a.title, a.key).cmp(&(&b.title, b.key)));
        failures
    }

    /// Number of shards.
    #[must_use]
    pub fn num_shards(&self) -> usize {
        self.shards.len()
    }
}
