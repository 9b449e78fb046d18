//! From features to a model: transforms fitted per fold, heads, training, studies.
//!
//! In: a [`dataset::Dataset`] that somebody has read; out: a [`TrainedModel`] or what a study
//! found. Nothing is decoded or encoded here, and no store is opened.
//!
//! Its floors, each of which imports from those above it in this list alone
//! (`tests/architecture/learn_floors.rs`):
//!
//! 1. `error`, `bounds`, `math`, `finite`, `labels`: what all share
//! 2. `transform` (what is fitted on titles before any head) and `loss`, with their settings
//! 3. `config`: the `[learn]` table
//! 4. `heads`: what is trained on top of features
//! 5. `spec`: what a model is, but for its heads
//! 6. `train`: heads over inner folds, thresholds from what was held out
//! 7. `borrowed`: modalities that a head is not fitted on
//! 8. `model`: what is trained, saved, opened and asked
//! 9. `study`: many fits on one data set

#[cfg(test)]
mod beside_prior;
pub mod borrowed;
mod bounds;
pub mod config;
mod error;
#[cfg(test)]
mod fine_tuning;
mod finite;
pub mod heads;
pub mod labels;
#[cfg(test)]
mod laws;
pub mod loss;
mod math;
pub mod model;
#[cfg(test)]
mod partly_known;
mod spec;
pub mod study;
pub mod train;
pub mod transform;

pub use config::LearnConfig;
pub use error::LearnError;
pub use model::{ModelPrediction, TrainedModel};
