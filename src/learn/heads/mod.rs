//! Heads: what is trained on top of frozen features. All multi-label, all able to run with
//! modalities missing.

use std::path::Path;

use crate::{
    base::{DeviceChoice, Interrupt, Progress, Seed},
    learn::dataset::Dataset,
};

/// What fitting may use besides the data.
pub struct FitContext<'a> {
    /// Where to train.
    pub device: DeviceChoice,
    /// All randomness of the fit.
    pub seed: Seed,
    /// Told once per epoch.
    pub progress: &'a dyn Progress,
    /// Looked at once per epoch.
    pub interrupt: &'a Interrupt,
}

/// A kind of head with its hyperparameters, not yet fitted.
pub trait Head: Send + Sync {
    /// Its name in pipelines and reports.
    fn name(&self) -> &'static str;
    /// Fits on the rows `train` (indices into `data.titles`); `valid` is for early stopping
    /// alone and is disjoint from `train`.
    ///
    /// # Errors
    /// Data that cannot be fitted (no title, no genre, no modality), a device error, or an
    /// interrupt.
    fn fit(
        &self,
        data: &Dataset,
        train: &[usize],
        valid: &[usize],
        context: &FitContext<'_>,
    ) -> Result<Box<dyn FittedHead>, super::LearnError>;
}

/// A fitted head.
pub trait FittedHead: Send + Sync {
    /// Scores the rows `rows` of `data`, whose modalities must be those it was fitted on, in
    /// the same order; each may be missing for any title.
    ///
    /// # Errors
    /// Another set of modalities or another dim; a device error.
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, super::LearnError>;
    /// What happened while fitting.
    fn training(&self) -> &TrainingLog;
    /// Writes weights and settings into a folder that exists.
    ///
    /// # Errors
    /// The files cannot be written.
    fn save(&self, folder: &Path) -> Result<(), super::LearnError>;
}

/// Scores of some titles with where they come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// Number of genres.
    pub num_genres: usize,
    /// Number of modalities.
    pub num_modalities: usize,
    /// `[titles, genres]`
    pub logits: Vec<f32>,
    /// `[titles, genres, modalities]`: sums over modalities to the logit (the bias is
    /// shared out with the weights). 0 for a missing modality.
    pub contributions: Vec<f32>,
    /// `[titles, genres, modalities]`: each modality's own logit, as if it were the only one
    /// present; NaN where it is missing.
    pub unimodal: Vec<f32>,
    /// `[titles][modalities][rows]`: attention on each row, summing to 1; empty where the
    /// modality is missing or has no rows.
    pub attention: Vec<Vec<Vec<f32>>>,
}

/// The course of a fit.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TrainingLog {
    /// Mean training loss per epoch.
    pub train_loss: Vec<f64>,
    /// Validation mAP per epoch.
    pub valid_map: Vec<f64>,
    /// The epoch whose weights were kept (0-based).
    pub best_epoch: usize,
    /// Seconds that fitting took.
    pub seconds: f64,
}
