//! Heads: what is trained on top of frozen features. All multi-label, all able to run with
//! modalities missing. Each is chosen by its name; [`registry`] lists them.

pub mod fusion_net;
pub mod inputs;
pub mod late_fusion;

use std::path::Path;

use crate::{
    base::{DeviceChoice, Interrupt, Progress, Seed},
    learn::{LearnError, config::LearnConfig, dataset::Dataset},
};

/// A kind of head: its name and how it is made or opened.
pub struct HeadKind {
    /// Its name in pipelines.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Makes one with these settings.
    pub build: fn(&LearnConfig) -> Box<dyn Head>,
    /// Opens what [`FittedHead::save`] wrote.
    pub load: LoadHead,
}

/// Opens a saved head on a device.
pub type LoadHead = fn(&Path, DeviceChoice) -> Result<Box<dyn FittedHead>, LearnError>;

/// All heads.
#[must_use]
pub fn registry() -> &'static [HeadKind] {
    &[HeadKind {
        name: late_fusion::NAME,
        about: "a branch per modality, fused by per-genre weights over what is present",
        build: |config| Box::new(late_fusion::LateFusion::new(config)),
        load: late_fusion::load,
    }]
}

/// The head of this name.
///
/// # Errors
/// There is none; the hint lists those that are.
pub fn find(name: &str) -> Result<&'static HeadKind, LearnError> {
    registry().iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = registry().iter().map(|kind| kind.name).collect();
        LearnError::Data {
            message: format!("unknown head {name:?} in `learn.head`"),
            hint: Some(format!("heads are: {}", names.join(", "))),
        }
    })
}

fn open_device(choice: DeviceChoice) -> Result<candle_core::Device, LearnError> {
    let (device, _) =
        crate::nn::device::resolve(choice).map_err(|e| LearnError::Tensor(Box::new(e)))?;
    Ok(device)
}

/// What fitting may use besides the data.
pub struct FitContext<'a> {
    /// Where to train.
    pub device: DeviceChoice,
    /// All randomness of the fit.
    pub seed: Seed,
    /// `[train]`: which inner fold each training title is in, groups whole, for heads that fit
    /// one part on out-of-fold scores of another. Empty: they divide the titles themselves.
    pub inner_folds: &'a [u32],
    /// Advanced by one per epoch; by those left where training stops early. Whoever runs
    /// the fits begins and ends the piece of work (there may be several fits in one).
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
    /// `[genres, modalities]`: each modality's share in a genre's logit when all are present,
    /// for heads that have such shares.
    fn fusion_weights(&self) -> Option<Vec<f32>>;
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
    /// `[titles]`: false where no modality is present. The logits are then the log-odds of the
    /// prevalences in training and no contribution adds up to them.
    pub scored: Vec<bool>,
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
