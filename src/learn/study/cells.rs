//! One fit of a study and its file: a study that was stopped goes on where it was.
//!
//! A cell is one variant of the model, one seed, one fold: trained on the other folds, scored on
//! this one. Its file is named by a digest over everything that settles its numbers, so nothing
//! stale is ever read, and another study that has the same cell finds it done.

use std::path::{Path, PathBuf};

use base::{Digest, DigestBuilder, NoProgress, Seed, digest::canonical_json, file, publish_bytes};
use dataset::Dataset;
use serde::{Deserialize, Serialize};

use crate::{
    LearnConfig, LearnError, TrainedModel,
    heads::{FitContext, FittedParts},
};

/// What a model is trained on and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Indices of the modalities that it is given.
    pub modalities: Vec<usize>,
    /// The head and its training.
    pub config: LearnConfig,
    /// What stands in the place of a missing modality.
    pub filling: Filling,
    /// What it is scored with; one set of held-out scores each.
    pub views: Vec<View>,
}

/// What stands in the place of a missing modality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filling {
    /// A mask: the head knows that it is missing.
    #[default]
    Mask,
    /// Zeros that look like data, in training and scoring: what not to do.
    Zeros,
}

/// What of the held-out titles' modalities a model gets to see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// All that they have.
    Whole,
    /// Only these of the variant's modalities (indices into all).
    Only(Vec<usize>),
    /// Each is dropped with this probability, the same ones whatever the variant.
    Dropped(f64),
}

/// Held-out scores of one fold's titles, seen in one way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// `[titles, genres]`: calibrated probabilities.
    pub probability: Vec<f32>,
    /// `[titles, genres]`
    pub decision: Vec<bool>,
}

/// What one cell gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// The name of its file, to see damage by.
    key: Digest,
    /// `[views]`
    pub scores: Vec<Scores>,
}

/// Where cells lie.
#[derive(Clone, Debug)]
pub struct CellStore {
    folder: PathBuf,
}

impl CellStore {
    /// In this folder; it is made when the first cell is published.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.json", key.short()))
    }

    /// The cell, if it was published whole; a damaged file counts as none.
    #[must_use]
    pub fn get(&self, key: &Digest) -> Option<CellResult> {
        let cell: CellResult = serde_json::from_slice(&file::read(self.path(key)).ok()?).ok()?;
        (cell.key == *key).then_some(cell)
    }

    /// Publishes a cell.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&self, key: &Digest, scores: Vec<Scores>) -> Result<CellResult, LearnError> {
        let path = self.path(key);
        let cell = CellResult { key: *key, scores };
        let put = || {
            std::fs::create_dir_all(&self.folder)?;
            publish_bytes(&path, &serde_json::to_vec(&cell)?)
        };
        put().map_err(|source: std::io::Error| LearnError::File {
            path,
            action: "written",
            source: source.into(),
        })?;
        Ok(cell)
    }
}

/// One cell to be computed.
pub(super) struct Cell<'a> {
    pub(super) variant: &'a Variant,
    /// Of the file of word vectors, where one is looked at.
    pub(super) glove: Option<&'a Digest>,
    pub(super) seed: Seed,
    pub(super) train: &'a [usize],
    /// `[train]`: their folds.
    pub(super) others: &'a [u32],
    pub(super) test: &'a [usize],
}

/// What all cells of a study share.
pub(super) struct Study<'a> {
    pub(super) data: &'a Dataset,
    pub(super) data_digest: Digest,
    pub(super) groups: &'a [usize],
}

impl Study<'_> {
    pub(super) fn key(&self, cell: &Cell<'_>) -> Digest {
        let variant = serde_json::to_value(cell.variant).unwrap_or_default();
        let titles = |titles: &[usize]| -> Vec<u8> {
            titles.iter().flat_map(|&title| (title as u64).to_le_bytes()).collect()
        };
        let glove = cell.glove.map_or(&[][..], |digest| digest.as_bytes());
        DigestBuilder::new()
            .part("cell 2")
            .part(env!("CARGO_PKG_VERSION"))
            .part(self.data_digest.as_bytes())
            .part(canonical_json(&variant))
            .part(glove)
            .part(cell.seed.0.to_le_bytes())
            .part(titles(self.groups))
            .part(titles(cell.train))
            .part(cell.others.iter().flat_map(|fold| fold.to_le_bytes()).collect::<Vec<u8>>())
            .part(titles(cell.test))
            .finish()
    }

    /// Trains and scores. `parts`: what cells of the same settings have left.
    pub(super) fn compute(
        &self,
        cell: &Cell<'_>,
        parts: &FittedParts,
        context: &FitContext<'_>,
    ) -> Result<Vec<Scores>, LearnError> {
        let Variant { modalities, config, filling, views } = cell.variant;
        let own = self.data.with_modalities(modalities);
        let filled = |data: Dataset| match filling {
            Filling::Mask => data,
            Filling::Zeros => data.zero_filled(),
        };
        // Fits in a cell tell nobody: the study counts cells.
        let context = FitContext {
            seed: cell.seed,
            inner_folds: cell.others,
            progress: &NoProgress,
            parts: Some(parts),
            ..*context
        };
        let model =
            TrainedModel::fit(&filled(own.clone()), cell.train, self.groups, config, &context)?;
        views
            .iter()
            .map(|view| {
                let seen = match view {
                    View::Whole => own.clone(),
                    View::Only(kept) => own.masked(|_, m| kept.contains(&modalities[m])),
                    View::Dropped(frac) => own.masked(|title, m| {
                        !is_dropped(&self.data.titles[title], &own.modalities[m].name, *frac)
                    }),
                };
                let prediction = model.predict(&filled(seen), cell.test)?;
                Ok(Scores { probability: prediction.probability, decision: prediction.decision })
            })
            .collect()
    }
}

/// Whether a title's modality falls to the lot: the same in every study.
fn is_dropped(title: &base::TitleId, modality: &str, frac: f64) -> bool {
    let digest = DigestBuilder::new().part("dropped").part(title.as_str()).part(modality).finish();
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&digest.as_bytes()[..4]);
    f64::from(u32::from_le_bytes(bytes)) < frac * 4_294_967_296.0
}
