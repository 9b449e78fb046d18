//! The `[learn]` table of a pipeline: which head and how it is trained.
//!
//! The defaults were chosen by cross-validation on 4,890 films with posters, plots and
//! metadata, on inner folds only.

mod borrowed;
mod classical;
mod decisions;
mod fusion;
mod stacking;
mod text;

use std::{collections::BTreeMap, path::PathBuf};

use base::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    LearnError,
    bounds::{count, real},
    transform::{TfIdfSettings, Word2vecSettings},
};

pub(crate) use self::classical::Compares;
pub use self::{
    borrowed::Borrowing,
    classical::{Base, LabelScheme, TreeSettings},
    decisions::{Calibration, Decide},
    fusion::Pooling,
    stacking::{ExpertKind, StackSettings},
    text::{FineTuning, SequenceKind, SequenceSettings, TextView},
};
pub use crate::{
    loss::{ClassWeights, LossKind},
    transform::resampling::Resampling,
};

/// The head where none is named.
pub const DEFAULT_HEAD: &str = "late-fusion";

/// Settings of head, training and decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    /// The head's name; [`crate::heads::registry`] lists them.
    pub head: String,
    /// How texts are seen; empty: as the head's own table of figures favours
    /// ([`LearnConfig::views_of_texts`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text_views: Vec<TextView>,
    /// What the words of a text weigh.
    pub tfidf: TfIdfSettings,
    /// How word vectors are learned.
    pub word2vec: Word2vecSettings,
    /// A file of word vectors, a word and its numbers a line: `GloVe`'s format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glove: Option<PathBuf>,
    /// The network over a text's words in order.
    pub sequence: SequenceSettings,
    /// How the last layers of a text's sentence network are trained further.
    #[serde(skip_serializing_if = "is_default")]
    pub fine_tuned: FineTuning,
    /// What classical heads make of several genres.
    pub labels: LabelScheme,
    /// Chains of an ensemble.
    pub chains: usize,
    /// What `stacking` scores each view with.
    pub base: Base,
    /// What else `stacking` asks, and how it weighs the answers.
    #[serde(skip_serializing_if = "is_default")]
    pub stack: StackSettings,
    /// Inverse strength of the penalty of linear and kernel learners, for rows that are 1 long in
    /// the root mean square.
    pub c: f64,
    /// How fast likeness falls with distance in the kernel learner, for such rows.
    pub gamma: f64,
    /// Nearest training titles that are asked.
    pub neighbours: usize,
    /// Forests and boosting.
    pub trees: TreeSettings,
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
    /// What positives weigh.
    pub class_weights: ClassWeights,
    /// With `effective-number`: how much a title repeats those before it, near 1.
    pub effective_beta: f64,
    /// What is done to the training titles of each fit.
    pub resampling: Resampling,
    /// Share of the titles that over- and undersampling add or leave out.
    pub resampled_frac: f64,
    /// Exponent of (negatives / positives) in a genre's weight on positives: 0 none, 1 balanced.
    /// Absent: 0.5 for networks; 0 for the others, whose scores it tilts and whose figures it lowers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weight_power: Option<f64>,
    /// No genre's positives weigh more than this.
    pub class_weight_cap: f64,
    /// Targets are moved this far from 0 and 1 toward the genre's prevalence.
    pub label_smoothing: f64,
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
    /// Members of the ensemble = inner folds; each stops early on its own fold. Of a head that is
    /// fitted once on all titles, the inner folds where none are given.
    pub members: usize,
    /// Category values and people of metadata need so many training titles.
    pub min_support: usize,
    /// Where a genre's threshold lies. Absent: `expected-f1` for a head that is fitted once,
    /// `threshold` for the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decide: Option<Decide>,
    /// Each genre's threshold is pulled toward the common one as if that came with so many
    /// positives.
    pub threshold_shrinkage: f64,
    /// A title that reaches no threshold gets the genre that comes nearest; not where a
    /// precision is asked for.
    pub at_least_one: bool,
    /// A title that shows only some of the modalities is judged by thresholds of its own, fitted
    /// out of fold on titles that show no more: a genre is a tag only where that halves the error
    /// of naming the genre blindly. Everything else is left to a person.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub abstain: bool,
    /// How scores become probabilities.
    pub calibration: Calibration,
    /// Thresholds reach this precision out of fold instead of the best F1; a genre that cannot
    /// reach it is never decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// By name: modalities that the head is not fitted on but judges as if they were others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub borrowed: BTreeMap<String, Borrowing>,
}

impl Default for LearnConfig {
    fn default() -> Self {
        Self {
            head: DEFAULT_HEAD.to_owned(),
            text_views: Vec::new(),
            tfidf: TfIdfSettings::default(),
            word2vec: Word2vecSettings::default(),
            glove: None,
            sequence: SequenceSettings::default(),
            fine_tuned: FineTuning::default(),
            labels: LabelScheme::BinaryRelevance,
            chains: 5,
            base: Base::LogisticRegression,
            stack: StackSettings::default(),
            c: 3.0,
            gamma: 1.0,
            neighbours: 30,
            trees: TreeSettings::default(),
            pooling: Pooling::Attention,
            queries: 4,
            hidden: 64,
            dropout: 0.4,
            modality_dropout: 0.25,
            loss: LossKind::Bce,
            unimodal_loss: 0.5,
            class_weights: ClassWeights::Power,
            effective_beta: 0.999,
            resampling: Resampling::None,
            resampled_frac: 0.25,
            class_weight_power: None,
            class_weight_cap: 5.0,
            label_smoothing: 0.02,
            learning_rate: 2e-3,
            weight_decay: 0.02,
            epochs: 60,
            patience: 10,
            batch_titles: 256,
            ema: 0.0,
            members: 4,
            min_support: 2,
            decide: None,
            threshold_shrinkage: 10.0,
            at_least_one: true,
            abstain: false,
            calibration: Calibration::Platt,
            precision: None,
            borrowed: BTreeMap::new(),
        }
    }
}

impl LearnConfig {
    /// Checks every value, but for what hangs on the head ([`LearnConfig::validate`] does both).
    pub(crate) fn check_values(&self) -> Result<(), LearnError> {
        if self.text_views.contains(&TextView::Glove) && self.glove.is_none() {
            return Err(LearnError::Data {
                message: "`learn.text_views` has glove, but `learn.glove` names no file".to_owned(),
                hint: Some("set it to a file such as glove.6B.100d.txt".to_owned()),
            });
        }
        self.tfidf.validate()?;
        self.word2vec.validate()?;
        self.sequence.validate()?;
        self.fine_tuned.validate()?;
        count("chains", self.chains, 1, 1000)?;
        real("c", self.c, 1e-9, 1e9)?;
        real("gamma", self.gamma, 1e-9, 1e9)?;
        count("neighbours", self.neighbours, 1, 1 << 20)?;
        self.trees.validate()?;
        count("queries", self.queries, 1, 64)?;
        count("hidden", self.hidden, 1, 4096)?;
        real("dropout", self.dropout, 0.0, 0.95)?;
        real("modality_dropout", self.modality_dropout, 0.0, 0.95)?;
        real("unimodal_loss", self.unimodal_loss, 0.0, 100.0)?;
        real("effective_beta", self.effective_beta, 0.0, 0.999_999)?;
        real("resampled_frac", self.resampled_frac, 0.0, 1.0)?;
        real("class_weight_power", self.class_weight_power.unwrap_or(0.0), 0.0, 1.0)?;
        real("class_weight_cap", self.class_weight_cap, 1.0, 1e6)?;
        real("label_smoothing", self.label_smoothing, 0.0, 0.5)?;
        real("learning_rate", self.learning_rate, 1e-8, 1.0)?;
        real("weight_decay", self.weight_decay, 0.0, 10.0)?;
        count("epochs", self.epochs, 1, 100_000)?;
        count("patience", self.patience, 1, 100_000)?;
        count("batch_titles", self.batch_titles, 1, 1 << 20)?;
        real("ema", self.ema, 0.0, 0.9999)?;
        self.stack.validate()?;
        count("members", self.members, 2, 100)?;
        count("min_support", self.min_support, 1, 1 << 30)?;
        real("threshold_shrinkage", self.threshold_shrinkage, 0.0, f64::INFINITY)?;
        real("precision", self.precision.unwrap_or(0.5), 0.01, 0.999)?;
        self.borrowed.iter().try_for_each(|(name, own)| own.validate(name, self))
    }

    /// Digest of the file of word vectors, where one is looked at: what was fitted with another
    /// one is stale.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn glove_digest(&self) -> Result<Option<Digest>, LearnError> {
        let Some(path) = self.glove.as_ref().filter(|_| self.text_views.contains(&TextView::Glove))
        else {
            return Ok(None);
        };
        Digest::of_file(path).map(Some).map_err(|source| LearnError::File {
            path: path.clone(),
            action: "read",
            source: source.into(),
        })
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
