//! How the networks of a fusion are shaped.

use serde::{Deserialize, Serialize};

use crate::{
    LearnError,
    bounds::{count, real},
    loss::LossKind,
};

/// How a title's rows (keyframes, windows) become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Several learned queries, each with its own weights on the rows.
    #[default]
    Attention,
    /// All rows weigh the same.
    Mean,
}

/// Settings of the networks: `late-fusion`, `gated-fusion`, `early-fusion`.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionSettings {
    /// How rows are pooled.
    pub pooling: Pooling,
    /// Queries per modality with attention pooling.
    pub queries: usize,
    /// Width of each modality's projection.
    pub hidden: usize,
    /// Share of a modality's inputs and hidden units that are dropped in training.
    pub dropout: f64,
    /// How often a present modality is dropped in training; never all of a title's.
    pub modality_dropout: f64,
    /// What is minimised.
    pub loss: LossKind,
    /// Weight of the modalities' own losses beside the fused one.
    pub unimodal_loss: f64,
    /// Adam's step size at its highest.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// At most so many passes over the training titles.
    pub epochs: usize,
    /// Stop after so many passes without a better validation mAP.
    pub patience: usize,
    /// Titles per step.
    pub batch_titles: usize,
    /// Decay per step of the running mean of the weights, which is what is kept; 0 for none.
    pub ema: f64,
}

impl Default for FusionSettings {
    fn default() -> Self {
        Self {
            pooling: Pooling::Attention,
            queries: 4,
            hidden: 64,
            dropout: 0.4,
            modality_dropout: 0.25,
            loss: LossKind::Bce,
            unimodal_loss: 0.5,
            learning_rate: 2e-3,
            weight_decay: 0.02,
            epochs: 60,
            patience: 10,
            batch_titles: 256,
            ema: 0.0,
        }
    }
}

impl FusionSettings {
    pub(super) fn validate(&self) -> Result<(), LearnError> {
        count("queries", self.queries, 1, 64)?;
        count("hidden", self.hidden, 1, 4096)?;
        real("dropout", self.dropout, 0.0, 0.95)?;
        real("modality_dropout", self.modality_dropout, 0.0, 0.95)?;
        real("unimodal_loss", self.unimodal_loss, 0.0, 100.0)?;
        real("learning_rate", self.learning_rate, 1e-8, 1.0)?;
        real("weight_decay", self.weight_decay, 0.0, 10.0)?;
        count("epochs", self.epochs, 1, 100_000)?;
        count("patience", self.patience, 1, 100_000)?;
        count("batch_titles", self.batch_titles, 1, 1 << 20)?;
        real("ema", self.ema, 0.0, 0.9999)?;
        Ok(())
    }
}
