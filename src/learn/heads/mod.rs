//! Heads: what is trained on top of frozen features. All multi-label, all able to run with
//! modalities missing. Each is chosen by its name; [`registry`] lists them.

pub mod classical;
pub mod fusion_net;
mod fusion_train;
pub mod inputs;
mod joint;
pub mod late_fusion;
mod saved;
mod sentences;
pub mod sequence;
mod settings;
pub mod stacking;
pub mod subsets;
pub mod views;

pub(super) use saved::DO_NOT_FIT;
pub use stacking::FittedParts;

use self::{
    classical::{Base, Classical},
    fusion_net::FusionScheme,
    late_fusion::LateFusion,
};
use std::path::Path;

use base::{DeviceChoice, Interrupt, Progress, Seed, nearest};
use dataset::Dataset;

use crate::{LearnError, config::LearnConfig};

/// A kind of head: its name and how it is made or opened.
pub struct HeadKind {
    /// Its name in pipelines.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Whether it is trained by descending a gradient, over epochs.
    pub is_network: bool,
    /// Makes one with these settings.
    pub build: fn(&LearnConfig) -> Unfitted,
    /// Opens what [`FittedHead::save`] wrote.
    pub load: LoadHead,
}

/// A head with its settings, by the way in which a model is made of it.
pub enum Unfitted {
    /// Fitted several times, each time without one inner fold; the mean counts.
    Members(Box<dyn Head>),
    /// Fitted once on all training titles, since the mean of several would cost more and be no
    /// better (`docs/decisions/0012`).
    Once(Box<dyn CrossFit>),
}

/// Opens a saved head on a device.
pub type LoadHead = fn(&Path, DeviceChoice) -> Result<Box<dyn FittedHead>, LearnError>;

/// All heads.
#[must_use]
pub fn registry() -> &'static [HeadKind] {
    HEADS
}

const HEADS: &[HeadKind] = &[
    HeadKind {
        name: late_fusion::NAME,
        about: "a network per view, fused by per-genre weights over what is present",
        is_network: true,
        build: |config| Unfitted::Members(Box::new(LateFusion::new(config, FusionScheme::Votes))),
        load: late_fusion::load,
    },
    HeadKind {
        name: late_fusion::GATED,
        about: "a network per view, joined by gated multimodal units",
        is_network: true,
        build: |config| Unfitted::Members(Box::new(LateFusion::new(config, FusionScheme::Gated))),
        load: late_fusion::load,
    },
    HeadKind {
        name: late_fusion::EARLY,
        about: "a network per view, joined by a layer over all of them side by side",
        is_network: true,
        build: |config| {
            Unfitted::Members(Box::new(LateFusion::new(config, FusionScheme::Concatenated)))
        },
        load: late_fusion::load,
    },
    HeadKind {
        name: stacking::NAME,
        about: "a classical learner per view, fused by regressions on out-of-fold scores",
        is_network: false,
        build: |config| Unfitted::Once(Box::new(stacking::Stacking::new(config))),
        load: stacking::LOAD,
    },
    classical(
        Base::LogisticRegression,
        "L2-penalised logistic regression on all views side by side",
        |config| members(Base::LogisticRegression, config),
    ),
    classical(
        Base::LinearSvm,
        "linear support vector machine (squared hinge) on all views side by side",
        |config| members(Base::LinearSvm, config),
    ),
    classical(
        Base::KernelSvm,
        "support vector machine with radial basis functions on all views side by side",
        |config| members(Base::KernelSvm, config),
    ),
    classical(
        Base::KernelRidge,
        "ridge regression with radial basis functions on all views side by side",
        |config| members(Base::KernelRidge, config),
    ),
    classical(Base::RandomForest, "random forest on all views side by side", |config| {
        members(Base::RandomForest, config)
    }),
    classical(Base::GradientBoosting, "boosted trees on all views side by side", |config| {
        members(Base::GradientBoosting, config)
    }),
    classical(
        Base::NearestNeighbours,
        "the genres of the most alike training titles, by cosine over all views",
        |config| members(Base::NearestNeighbours, config),
    ),
];

const fn classical(
    base: Base,
    about: &'static str,
    build: fn(&LearnConfig) -> Unfitted,
) -> HeadKind {
    HeadKind { name: base.name(), about, is_network: false, build, load: classical::LOAD }
}

fn members(base: Base, config: &LearnConfig) -> Unfitted {
    Unfitted::Members(Box::new(Classical::new(base, config)))
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
            hint: Some(nearest::mend(name, names)),
        }
    })
}

fn open_device(choice: DeviceChoice) -> Result<candle_core::Device, LearnError> {
    let (device, _) = nn::device::resolve(choice).map_err(|e| LearnError::Tensor(Box::new(e)))?;
    Ok(device)
}

/// What fitting may use besides the data.
pub struct FitContext<'a> {
    /// Where to train.
    pub device: DeviceChoice,
    /// All randomness of the fit.
    pub seed: Seed,
    /// `[train]`: which inner fold each training title is in, groups whole, for heads that fit
    /// one part on out-of-fold scores of another. Empty: whoever plans the fits divides the titles.
    pub inner_folds: &'a [u32],
    /// Advanced by one per epoch, by those left where training stops early; by one where there are no
    /// epochs. [`crate::train::fit_heads`] begins and ends the piece of work (there may be several
    /// fits in one).
    pub progress: &'a dyn Progress,
    /// Looked at once per epoch.
    pub interrupt: &'a Interrupt,
    /// What other fits have left for who fits the same parts again. `None`: nobody did.
    pub parts: Option<&'a FittedParts>,
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
    ) -> Result<Box<dyn FittedHead>, LearnError>;
}

/// A kind of head that is fitted once on all training titles.
pub trait CrossFit: Send + Sync {
    /// Fits on all of `train`, and for each fold of `context.inner_folds` a head that never saw
    /// it.
    ///
    /// # Errors
    /// Those of [`Head::fit`].
    fn cross_fit(
        &self,
        data: &Dataset,
        train: &[usize],
        context: &FitContext<'_>,
    ) -> Result<CrossFitted, LearnError>;
}

/// One head fitted on all training titles, and those that calibration and thresholds are fitted
/// with.
pub struct CrossFitted {
    /// Scores new titles.
    pub whole: Box<dyn FittedHead>,
    /// One for each inner fold, in any order.
    pub left_out: Vec<LeftOut>,
}

/// A head that never saw an inner fold.
pub struct LeftOut {
    /// The fold.
    pub fold: u32,
    /// The head.
    pub head: Box<dyn FittedHead>,
    /// The fold's titles that have any modality, ascending.
    pub titles: Vec<usize>,
    /// What the head says of them.
    pub held_out: Prediction,
}

/// A fitted head.
pub trait FittedHead: Send + Sync {
    /// Scores the rows `rows` of `data`, whose modalities must be those it was fitted on, in
    /// the same order; each may be missing for any title.
    ///
    /// # Errors
    /// Another set of modalities or another dim; a device error.
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, LearnError>;
    /// Number of genres that it scores.
    fn num_genres(&self) -> usize;
    /// The modalities that it was fitted on, in their order.
    fn modalities(&self) -> &[String];
    /// What happened while fitting.
    fn training(&self) -> &TrainingLog;
    /// `[genres, modalities]`: each modality's share in a genre's logit when all are present,
    /// for heads that have such shares.
    fn fusion_weights(&self) -> Option<Vec<f32>>;
    /// Writes weights and settings into a folder that exists.
    ///
    /// # Errors
    /// The files cannot be written.
    fn save(&self, folder: &Path) -> Result<(), LearnError>;
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

#[cfg(test)]
mod tests {
    use super::stacking::StackSettings;
    use super::*;
    use crate::{
        borrowed::Borrowing,
        config::{FineTuning, TABLES, TextView},
    };

    const PAGE: &str = include_str!("../../../docs/heads.md");

    #[test]
    fn the_page_on_heads_has_each_head_and_each_setting() {
        let rows: Vec<String> =
            registry().iter().map(|kind| format!("| `{}` | {} |", kind.name, kind.about)).collect();
        assert!(PAGE.contains(&rows.join("\n")), "docs/heads.md must have\n{}", rows.join("\n"));
        let speech = Borrowing { least_precision: Some(0.5), ..Borrowing::from("plot") };
        let config = LearnConfig {
            text_views: vec![TextView::Embedding],
            stack: StackSettings { c: 2.0, ..StackSettings::default() },
            glove: Some("vectors.txt".into()),
            borrowed: [("speech".to_owned(), speech)].into(),
            fine_tuned: FineTuning { layers: 2, ..FineTuning::default() },
            ..LearnConfig::default()
        };
        for (table, names) in TABLES {
            for name in *names {
                let named = PAGE.contains(&format!("`{table}.{name}`"));
                assert!(named, "docs/heads.md does not speak of `{table}.{name}`");
            }
        }
        let mut settings = vec![serde_json::to_value(config).unwrap()];
        while let Some(table) = settings.pop() {
            for (name, value) in table.as_object().unwrap() {
                let named =
                    PAGE.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == name);
                assert!(named, "docs/heads.md does not speak of `{name}`");
                settings.extend(value.is_object().then(|| value.clone()));
            }
        }
    }
}
