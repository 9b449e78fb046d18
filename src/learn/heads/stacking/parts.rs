//! Parts of stacks that were fitted, for other stacks that want the same ones.
//!
//! Folds that leave out each other's titles, seeds of a learner that draws nothing and models of
//! fewer modalities have most of their experts in common. A part is found by the digest of all that
//! it was fitted on; who wants one that is being fitted waits for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use base::{Digest, DigestBuilder, digest::canonical_json};
use dataset::Dataset;

use super::{experts::Expert, joint_kernel::JointKernel, remembered::Remembered};
use crate::{LearnConfig, LearnError};

/// Parts of stacks, by what they were fitted on. They stay until it is dropped.
#[derive(Default)]
pub struct FittedParts {
    pub(super) experts: Shelf<[Expert]>,
    pub(super) remembered: Shelf<Remembered>,
    pub(super) joint: Shelf<JointKernel>,
}

/// Parts of one kind.
pub(super) struct Shelf<T: ?Sized>(Mutex<HashMap<Digest, Slot<T>>>);

/// Empty until somebody has fitted what belongs there, and locked meanwhile.
type Slot<T> = Arc<Mutex<Option<Arc<T>>>>;

impl<T: ?Sized> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: ?Sized> Shelf<T> {
    /// What lies under `key`; where nothing does, what `fit` gives is put there.
    pub(super) fn get(
        &self,
        key: Digest,
        fit: impl FnOnce() -> Result<Arc<T>, LearnError>,
    ) -> Result<Arc<T>, LearnError> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Slot::clone(slots.entry(key).or_default());
        drop(slots);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = &*slot {
            return Ok(Arc::clone(part));
        }
        let part = fit()?;
        *slot = Some(Arc::clone(&part));
        Ok(part)
    }

    /// Number of parts.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// What parts are fitted on, but for the titles.
pub(super) struct Material<'a> {
    pub(super) config: &'a LearnConfig,
    pub(super) data: &'a Dataset,
    /// Of settings, titles and labels.
    labelled: Digest,
    /// `[modalities]`
    tables: Vec<Digest>,
}

impl<'a> Material<'a> {
    pub(super) fn new(config: &'a LearnConfig, data: &'a Dataset) -> Self {
        let settings = serde_json::to_value(config).unwrap_or_default();
        let labels = data.labels_digest();
        Self {
            config,
            data,
            labelled: DigestBuilder::new()
                .part(canonical_json(&settings))
                .part(labels.as_bytes())
                .finish(),
            tables: data.modalities.iter().map(|table| table.digest()).collect(),
        }
    }

    /// Of what is fitted on these modalities of these titles, wherever the modalities stand among
    /// others.
    pub(super) fn key(&self, modalities: &[usize], titles: &[usize]) -> Digest {
        let mut digest = DigestBuilder::new().part(self.labelled.as_bytes());
        for &m in modalities {
            digest = digest.part(self.tables[m].as_bytes());
        }
        let titles: Vec<u8> =
            titles.iter().flat_map(|&title| (title as u64).to_le_bytes()).collect();
        digest.part(titles).finish()
    }
}
