//! Encoders over a catalog into the store.
//!
//! in: titles, opened encoders, a feature store; out: shards and failure rows in the store,
//! and an [`ExtractReport`].
//!
//! Several threads take titles in the catalog's order; each has its files decoded by a
//! worker process, encodes what comes back and hands the rows to one collector, which
//! publishes a shard every few hundred titles or every minute. While one thread waits for
//! its worker another encodes, so the cores stay busy with few titles in memory. What a
//! crash can cost is what the collector holds.

mod asked;
mod error;
mod keys;
mod report;
mod run;
mod settings;
#[cfg(test)]
mod tests;
mod title;

pub use error::ExtractError;
pub use keys::{SourceKey, source_key};
pub use report::{EncoderReport, ExtractReport, PeakMemory, StageSecs};
pub use run::extract;
pub use settings::{ExtractSettings, Retry};

use crate::encode::{Encoder, Modality};

/// A modality with its opened encoder.
pub struct OpenEncoder {
    /// Says where a title's content is.
    pub modality: &'static dyn Modality,
    /// Turns it into features.
    pub encoder: Box<dyn Encoder>,
}
