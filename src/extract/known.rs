//! What is known of sources: what the store held when it was asked, and what came since.

use std::{collections::HashMap, sync::Arc};

use base::Digest;
use store::{EncoderStore, FailureRow, FeatureStore, Index, Ragged, StoreError, TimedText};

use super::{
    OpenEncoder,
    held::{Fresh, FreshByKey},
};

/// Features, texts and failures by encoder and key.
pub(super) struct Known {
    folders: Vec<Arc<EncoderStore>>,
    indexes: Vec<Arc<Index>>,
    fresh: FreshByKey,
}

impl Known {
    /// What the store holds now, and `fresh`, which was taken before: what is published in between
    /// is in both.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn new(
        encoders: &[OpenEncoder],
        store: &FeatureStore,
        fresh: FreshByKey,
    ) -> Result<Self, StoreError> {
        let folders = Self::folders_of(encoders, store)?;
        let indexes = folders.iter().map(|folder| folder.index()).collect::<Result<_, _>>()?;
        Ok(Self { folders, indexes, fresh })
    }

    /// Of the store alone.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn stored(
        encoders: &[OpenEncoder],
        store: &FeatureStore,
    ) -> Result<Self, StoreError> {
        Self::new(encoders, store, vec![HashMap::new(); encoders.len()])
    }

    /// The encoders' parts of a store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn folders_of(
        encoders: &[OpenEncoder],
        store: &FeatureStore,
    ) -> Result<Vec<Arc<EncoderStore>>, StoreError> {
        encoders.iter().map(|open| store.encoder(&open.identity)).collect()
    }

    /// The encoders' parts of the store.
    pub(super) fn folders(&self) -> &[Arc<EncoderStore>] {
        &self.folders
    }

    /// With what came since.
    pub(super) fn add(&mut self, fresh: FreshByKey) {
        for (known, fresh) in self.fresh.iter_mut().zip(fresh) {
            known.extend(fresh);
        }
    }

    fn fresh(&self, encoder_idx: usize, key: &Digest) -> Option<&Fresh> {
        self.fresh[encoder_idx].get(key)
    }

    /// Whether an encoder has features of a source.
    pub(super) fn has(&self, encoder_idx: usize, key: &Digest) -> bool {
        matches!(self.fresh(encoder_idx, key), Some(Fresh::Row(_)))
            || self.indexes[encoder_idx].contains(key)
    }

    /// Why an encoder has no features of a source, where it failed.
    pub(super) fn failure(&self, encoder_idx: usize, key: &Digest) -> Option<&FailureRow> {
        match self.fresh(encoder_idx, key) {
            Some(Fresh::Failure(row)) => Some(row),
            Some(Fresh::Row(_)) => None,
            None => self.indexes[encoder_idx].failure(key),
        }
    }

    /// Features of these keys in their order, to the bit the same whether they were published
    /// yet; a key without features has no rows.
    ///
    /// # Errors
    /// The store is damaged.
    pub(super) fn rows(&self, encoder_idx: usize, keys: &[Digest]) -> Result<Ragged, StoreError> {
        let folder = &self.folders[encoder_idx];
        let stored = folder.read_with(&self.indexes[encoder_idx], keys)?;
        if self.fresh[encoder_idx].is_empty() {
            return Ok(stored);
        }
        let mut rows = Ragged::new(stored.dim);
        for (at, key) in keys.iter().enumerate() {
            match self.fresh(encoder_idx, key) {
                Some(Fresh::Row(row)) => rows.push(&row.data, &row.time_secs),
                _ => rows.push(stored.rows(at), stored.times(at)),
            }
        }
        Ok(rows)
    }

    /// What the sources of these keys say, in their order; `None` for a key without features or with
    /// features that are no text.
    ///
    /// # Errors
    /// The store is damaged.
    pub(super) fn texts(
        &self,
        encoder_idx: usize,
        keys: &[Digest],
    ) -> Result<Vec<Option<TimedText>>, StoreError> {
        let folder = &self.folders[encoder_idx];
        let mut texts = folder.read_texts(&self.indexes[encoder_idx], keys)?;
        for (text, key) in texts.iter_mut().zip(keys) {
            if let Some(Fresh::Row(row)) = self.fresh(encoder_idx, key) {
                text.clone_from(&row.text);
            }
        }
        Ok(texts)
    }
}
