//! What a store holds, by key: read from the shards' keys and offsets, each once for as long as an
//! encoder's part of the store is open. Of a key half a digest is kept, of a place 12 bytes: stores
//! of millions of titles fit in memory.

use std::collections::{HashMap, HashSet};

use base::Digest;

use super::FailureRow;

/// Where a key's rows are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Into [`Index::shards`].
    shard_idx: u32,
    /// First row within the shard.
    first_row: u32,
    /// At least one.
    num_rows: u32,
}

impl Place {
    /// Of the rows from `first_row` to before `end`; none where there are 2³² of them.
    pub(super) fn of_rows(shard_idx: usize, first_row: u64, end: u64) -> Option<Self> {
        Some(Self {
            shard_idx: u32::try_from(shard_idx).ok()?,
            first_row: u32::try_from(first_row).ok()?,
            num_rows: u32::try_from(end.checked_sub(first_row)?).ok()?,
        })
    }

    pub(super) fn shard_idx(self) -> usize {
        self.shard_idx as usize
    }

    pub(super) fn first_row(self) -> usize {
        self.first_row as usize
    }

    pub(super) fn num_rows(self) -> usize {
        self.num_rows as usize
    }
}

/// The first half of a key: of SHA-256, 128 bits are the same for no two sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Half([u8; 16]);

impl Half {
    fn of(key: &Digest) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&key.as_bytes()[..16]);
        Self(half)
    }
}

/// The keys of an encoder's shards and failure logs at one moment.
///
/// Where a key stands in several shards, the first by name holds; features win over
/// failures, so a source that failed once and succeeded later is no failure.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Names of the shards, in the order in which they were read.
    pub(super) shards: Vec<String>,
    places: HashMap<Half, Place>,
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
            let known = self.place(&key);
            if known.is_some_and(|known| self.shards[known.shard_idx()] < name) {
                continue;
            }
            self.places.insert(Half::of(&key), place);
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
            if !is_later && !self.contains(&row.key) {
                self.failures.insert(row.key, (log_idx, row));
            }
        }
    }

    /// Where a source's rows are, if it has features.
    pub(super) fn place(&self, key: &Digest) -> Option<Place> {
        self.places.get(&Half::of(key)).copied()
    }

    /// Number of rows of all sources.
    pub(super) fn total_rows(&self) -> usize {
        self.places.values().map(|place| place.num_rows()).sum()
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
        self.places.contains_key(&Half::of(key))
    }

    /// Whether a source has features or is known to have none.
    #[must_use]
    pub fn knows(&self, key: &Digest) -> bool {
        self.contains(key) || self.failures.contains_key(key)
    }

    /// A source's number of rows; 0 where it has no features.
    #[must_use]
    pub fn num_rows(&self, key: &Digest) -> usize {
        self.place(key).map_or(0, Place::num_rows)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_costs_no_more_than_32_bytes() {
        fn size_of_entry<K, V>(_: &HashMap<K, V>) -> usize {
            size_of::<(K, V)>()
        }
        assert!(size_of_entry(&Index::default().places) <= 32);
    }

    #[test]
    fn rows_that_a_place_cannot_hold_are_refused() {
        let rows =
            |first, end| Place::of_rows(1, first, end).map(|at| (at.first_row(), at.num_rows()));
        assert_eq!(rows(7, 9), Some((7, 2)));
        assert_eq!(rows(9, 7), None);
        assert_eq!(rows(1 << 32, (1 << 32) + 1), None);
        assert_eq!(rows(0, 1 << 32), None);
    }
}
