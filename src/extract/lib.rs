//! Encoders over a catalog into the store.
//!
//! in: titles, opened encoders, a feature store; out: shards and failure rows in the store,
//! and an [`ExtractReport`].
//!
//! A [`Session`] lives for as long as titles come: it looks at them, with the store as its cache.

mod asked;
mod collector;
mod error;
mod held;
mod keys;
mod known;
mod looking;
mod modalities;
mod outcome;
mod report;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod title;
mod workers;

pub use error::ExtractError;
pub use keys::SourceKey;
pub use modalities::{MadeBy, OpenModalities};
pub use report::{EncoderReport, ExtractReport, PeakMemory, StageSecs};
pub use session::{Session, extract};
pub use settings::{ExtractSettings, Retry};

use std::sync::Arc;

use catalog::Title;
use encode::{Encoder, Instance, SourceKind};
use store::EncoderIdentity;

/// A modality with its opened encoder.
#[derive(Clone)]
pub struct OpenEncoder {
    /// Says where a title's content is.
    pub instance: Instance,
    /// Turns it into features.
    pub encoder: Arc<dyn Encoder>,
    /// Whose features the store holds under which name: the encoder's own, but of one that reads
    /// what another gives.
    pub identity: EncoderIdentity,
    /// The place in the list of the one whose text it reads; it stands before.
    pub reads: Option<usize>,
    /// It is not looked at a title that has one of these: beside them it counts for nothing.
    pub unless: Vec<Instance>,
}

impl OpenEncoder {
    /// An encoder that looks at a title's own sources.
    #[must_use]
    pub fn new(instance: Instance, encoder: Arc<dyn Encoder>) -> Self {
        let identity = encoder.identity().clone();
        Self { instance, encoder, identity, reads: None, unless: Vec::new() }
    }

    /// An encoder that reads the text which `listener`, the `idx`-th of the list, gives.
    #[must_use]
    pub fn reading(listener: &Self, idx: usize, encoder: Arc<dyn Encoder>) -> Self {
        let own = encoder.identity().clone();
        let name = format!("{}-{}", listener.identity.name, own.name);
        let identity = EncoderIdentity { name, ..own };
        let instance = listener.instance.clone();
        Self { instance, encoder, identity, reads: Some(idx), unless: Vec::new() }
    }

    /// The modality's name in pipelines, tables and reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.instance.name
    }

    /// Where a title's content is; nowhere for one that reads what another gives, or where it
    /// would count for nothing.
    #[must_use]
    pub fn sources(&self, title: &Title) -> Vec<SourceKind> {
        let is_spared = self.unless.iter().any(|other| !other.sources(title).is_empty());
        if self.reads.is_some() || is_spared {
            return Vec::new();
        }
        self.instance.sources(title)
    }
}
