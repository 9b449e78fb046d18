//! Features on their way into the store: held until they are worth a shard.
//!
//! The store is written behind: whoever looks at a title has its features from memory, and what a
//! crash can cost is what is held here.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use base::Digest;
use store::{EncoderStore, FailureRow, FeatureRow, StoreError};

/// What came of a source, as the store keeps it.
#[derive(Clone)]
pub(super) enum Fresh {
    /// Features of f16's precision.
    Row(Arc<FeatureRow>),
    /// Why there are none.
    Failure(Arc<FailureRow>),
}

impl Fresh {
    /// The key of its source.
    pub(super) fn key(&self) -> Digest {
        match self {
            Self::Row(row) => row.key,
            Self::Failure(row) => row.key,
        }
    }
}

/// By encoder and key.
pub(super) type FreshByKey = Vec<HashMap<Digest, Fresh>>;

/// Rows and failures that are not published yet.
pub(super) struct Held {
    by_encoder: FreshByKey,
    /// Keys in the order in which they came, by encoder: shards have their rows in it.
    order: Vec<Vec<Digest>>,
    since: Instant,
}

impl Held {
    pub(super) fn new(num_encoders: usize) -> Self {
        Self {
            by_encoder: vec![HashMap::new(); num_encoders],
            order: vec![Vec::new(); num_encoders],
            since: Instant::now(),
        }
    }

    /// A copy that shares the rows.
    pub(super) fn snapshot(&self) -> FreshByKey {
        self.by_encoder.clone()
    }

    /// Takes up what came of a source. Of several with one key the first counts, but features win
    /// over a failure.
    pub(super) fn take(&mut self, encoder_idx: usize, fresh: Fresh) {
        let key = fresh.key();
        if self.len() == 0 {
            self.since = Instant::now();
        }
        match self.by_encoder[encoder_idx].entry(key) {
            Entry::Vacant(place) => {
                place.insert(fresh);
                self.order[encoder_idx].push(key);
            }
            Entry::Occupied(mut known) => {
                if matches!((known.get(), &fresh), (Fresh::Failure(_), Fresh::Row(_))) {
                    known.insert(fresh);
                }
            }
        }
    }

    /// The most rows that any encoder has here.
    pub(super) fn len(&self) -> usize {
        self.order.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// For how long the oldest has been here.
    pub(super) fn age(&self) -> Duration {
        if self.len() == 0 { Duration::ZERO } else { self.since.elapsed() }
    }

    /// Publishes everything.
    ///
    /// # Errors
    /// The store cannot be written; what is not published stays here.
    pub(super) fn publish(&mut self, folders: &[Arc<EncoderStore>]) -> Result<(), StoreError> {
        for (encoder_idx, folder) in folders.iter().enumerate() {
            let (mut rows, mut failures) = (Vec::new(), Vec::new());
            for key in &self.order[encoder_idx] {
                match &self.by_encoder[encoder_idx][key] {
                    Fresh::Row(row) => rows.push(Arc::clone(row)),
                    Fresh::Failure(row) => failures.push(FailureRow::clone(row)),
                }
            }
            folder.publish(&rows)?;
            folder.publish_failures(&failures)?;
            self.by_encoder[encoder_idx].clear();
            self.order[encoder_idx].clear();
        }
        Ok(())
    }
}
