//! Reading an encoder's part of the store: features and texts by key.
//!
//! in: keys, an [`Index`]; out: [`Ragged`] features or [`TimedText`]s, in the keys' order. A shard's
//! bytes are compared with its name before anything is taken from it.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    sync::PoisonError,
};

use base::Digest;
use half::{f16, slice::HalfFloatSliceExt};

use super::{
    EncoderStore, Index, Ragged, StoreError, TimedText,
    error::Damage,
    shard::{self, Shard},
};

/// Features are read from a shard in blocks of about this size.
const BLOCK_BYTES: usize = 8 << 20;

/// Rows of a shard and where they go.
#[derive(Clone, Copy)]
struct Segment {
    /// First row in the shard.
    from: usize,
    /// First row in the result.
    to: usize,
    /// Number of rows.
    len: usize,
}

impl EncoderStore {
    /// Features of these keys, in this order; a key without features has no rows.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the shard that is missing or damaged.
    pub fn read(&self, keys: &[Digest]) -> Result<Ragged, StoreError> {
        self.read_with(&*self.index()?, keys)
    }

    /// [`Self::read`] with an index made before: shards published since are not seen.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_with(&self, index: &Index, keys: &[Digest]) -> Result<Ragged, StoreError> {
        let dim = self.identity.dim;
        let mut offsets = vec![0];
        let mut wanted: Vec<Vec<Segment>> = vec![Vec::new(); index.shards.len()];
        let mut num_rows = 0;
        for key in keys {
            if let Some(place) = index.place(key) {
                let (from, n) = (place.first_row(), place.num_rows());
                wanted[place.shard_idx()].push(Segment { from, to: num_rows, len: n });
                num_rows += n;
            }
            offsets.push(num_rows);
        }
        let mut ragged =
            Ragged { dim, data: vec![0.0; num_rows * dim], offsets, time_secs: Vec::new() };
        let mut timed: Option<bool> = None;
        for (name, mut segments) in index.shards.iter().zip(wanted) {
            if segments.is_empty() {
                continue;
            }
            let path = self.folder.join(name);
            segments.sort_unstable_by_key(|segment| segment.from);
            self.read_shard(&path, name, &segments, &mut ragged, &mut timed)
                .map_err(StoreError::damaged(path))?;
        }
        Ok(ragged)
    }

    fn read_shard(
        &self,
        path: &Path,
        name: &str,
        segments: &[Segment],
        ragged: &mut Ragged,
        timed: &mut Option<bool>,
    ) -> Result<(), Damage> {
        self.check_whole(path, name)?;
        let shard = Shard::open(path, &self.identity)?;
        let has_times = shard.has_times();
        if *timed.get_or_insert(has_times) != has_times {
            return Err(Damage::content("only some shards of its folder have row times"));
        }
        let dim = ragged.dim;
        if has_times && ragged.time_secs.is_empty() {
            ragged.time_secs = vec![0.0; ragged.data.len() / dim];
        }
        let block_rows = (BLOCK_BYTES / (dim * size_of::<f16>())).max(1);
        let mut rest = segments;
        while let Some(first) = rest.first() {
            let fits = |s: &&Segment| s.from + s.len <= first.from + block_rows.max(first.len);
            let (block, later) = rest.split_at(rest.iter().take_while(fits).count());
            rest = later;
            let begin = first.from;
            let end = block.iter().map(|s| s.from + s.len).max().unwrap_or(begin);
            let data = shard.data(begin..end)?;
            let times = if has_times { shard.times(begin..end)? } else { Vec::new() };
            for s in block {
                let at = s.from - begin;
                data[at * dim..(at + s.len) * dim]
                    .convert_to_f32_slice(&mut ragged.data[s.to * dim..(s.to + s.len) * dim]);
                if has_times {
                    ragged.time_secs[s.to..s.to + s.len].copy_from_slice(&times[at..at + s.len]);
                }
            }
        }
        Ok(())
    }

    /// What the sources of these keys say, in this order; `None` for a key without features or
    /// with features that are no text.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the shard that is missing or damaged.
    pub fn read_texts(
        &self,
        index: &Index,
        keys: &[Digest],
    ) -> Result<Vec<Option<TimedText>>, StoreError> {
        let mut found: HashMap<Digest, TimedText> = HashMap::new();
        let wanted: HashSet<&Digest> = keys.iter().collect();
        for (shard_idx, name) in index.shards.iter().enumerate() {
            let is_here = |key: &&&Digest| {
                index.place(key).is_some_and(|place| place.shard_idx() == shard_idx)
            };
            let here: HashSet<&Digest> = wanted.iter().filter(is_here).copied().collect();
            if here.is_empty() {
                continue;
            }
            let path = self.folder.join(name);
            let mut read = || -> Result<(), Damage> {
                self.check_whole(&path, name)?;
                let shard = Shard::open(&path, &self.identity)?;
                if shard.has_text() {
                    let texts = shard.keys()?.into_iter().zip(shard.timed_texts()?);
                    found.extend(texts.filter(|(key, _)| here.contains(key)));
                }
                Ok(())
            };
            read().map_err(StoreError::damaged(path.clone()))?;
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// Compares a shard's bytes with its name, once for as long as it does not change.
    fn check_whole(&self, path: &Path, name: &str) -> Result<(), Damage> {
        let metadata = fs::metadata(path)?;
        let stamp = (metadata.len(), metadata.modified().ok());
        let known = |whole: &HashMap<_, _>| whole.get(name) == Some(&stamp);
        if known(&self.whole.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        shard::check_bytes(path)?;
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        whole.insert(name.to_owned(), stamp);
        Ok(())
    }
}
