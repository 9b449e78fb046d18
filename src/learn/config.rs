//! The `[learn]` table of a pipeline: which head and how it is trained.
//!
//! The defaults were chosen by cross-validation on 4,890 films with posters, plots and
//! metadata, on inner folds only.

use std::{collections::BTreeMap, path::PathBuf};

use base::Digest;
use serde::{Deserialize, Serialize};

use super::{
    LearnError,
    borrowed::{self, Borrowing},
    heads::{
        classical::{Base, TreeSettings},
        sequence::SequenceKind,
        stacking::StackSettings,
    },
    transform::{TfIdfSettings, Word2vecSettings, tfidf::MAX_NGRAMS},
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

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Binary cross-entropy with class weights.
    #[default]
    Bce,
    /// Asymmetric loss: easy negatives weigh less.
    Asymmetric,
    /// Focal loss: what is easy weighs less.
    Focal,
}

/// What a genre's positives weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// A power of negatives / positives.
    #[default]
    Power,
    /// The inverse of the effective number of positives.
    EffectiveNumber,
}

/// What is done to training titles so that rare genres are seen more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resampling {
    /// Nothing.
    #[default]
    None,
    /// ML-ROS: titles of rare genres count several times.
    Oversampling,
    /// ML-RUS: titles of common genres alone are left out.
    Undersampling,
    /// MLSMOTE: titles are made up between neighbours of one rare genre (classical heads and
    /// stacking alone).
    Mlsmote,
}

/// How a text is seen; each view is scored by itself before views are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextView {
    /// Frozen features.
    Embedding,
    /// Its words, weighed by TF-IDF.
    TfIdf,
    /// The mean of word vectors that are learned on the training texts.
    Word2vec,
    /// The mean of word vectors that are read from a file.
    Glove,
    /// Its words in order, through a network that is learned with the rest (networks alone).
    Sequence,
    /// Its first tokens through the network of the frozen features, whose last layers are learned
    /// with the rest (networks alone).
    FineTuned,
}

/// What a classical head makes of several genres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelScheme {
    /// Each genre by itself.
    #[default]
    BinaryRelevance,
    /// One after the other, each seeing those before it; in the vocabulary's order.
    ClassifierChain,
    /// The mean of several chains in random orders.
    ChainEnsemble,
}

/// The network over a text's words in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SequenceSettings {
    /// Its kind.
    pub kind: SequenceKind,
    /// Numbers of a word; even.
    pub embedding: usize,
    /// Words of a text that are read, from its beginning.
    pub max_words: usize,
    /// A word needs so many training texts.
    pub min_texts: usize,
}

impl Default for SequenceSettings {
    fn default() -> Self {
        Self { kind: SequenceKind::Cnn, embedding: 64, max_words: 150, min_texts: 3 }
    }
}

/// How the last layers of a text's sentence network are trained further.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FineTuning {
    /// So many of the last layers are learned; those below stay as they are.
    pub layers: usize,
    /// Tokens of a text that are read, from its beginning; the special ones and the prefix count.
    pub max_tokens: usize,
    /// Adam's step size for these layers at its highest; all else has `learn.learning_rate`.
    pub learning_rate: f64,
    /// Decoupled weight decay of their matrices.
    pub weight_decay: f64,
}

impl Default for FineTuning {
    /// Devlin et al. 2019, appendix A.3: the highest of their step sizes, for fewer layers.
    fn default() -> Self {
        Self { layers: 1, max_tokens: 128, learning_rate: 5e-5, weight_decay: 0.01 }
    }
}

/// How scores become probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// A logistic curve per genre (Platt): two numbers, fit for rare genres.
    #[default]
    Platt,
    /// A rising step function per genre on top of it (isotonic): any shape, wants many titles.
    Isotonic,
}

/// Where a genre's threshold lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decide {
    /// Where F1 is best on the out-of-fold labels, pulled toward a common threshold.
    Threshold,
    /// Where F1 is best as the calibrated probabilities have it: no label is looked at but for the
    /// calibration, so a rare genre's threshold is not set by the luck of its few titles.
    ExpectedF1,
}

/// Settings of head, training and decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    /// The head's name; `heads::names()` lists them.
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
            head: super::heads::late_fusion::NAME.to_owned(),
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
    /// Checks every value.
    ///
    /// # Errors
    /// The first that is out of range, with what was expected; an unknown head.
    pub fn validate(&self) -> Result<(), LearnError> {
        if self.text_views.contains(&TextView::Glove) && self.glove.is_none() {
            return Err(LearnError::Data {
                message: "`learn.text_views` has glove, but `learn.glove` names no file".to_owned(),
                hint: Some("set it to a file such as glove.6B.100d.txt".to_owned()),
            });
        }
        count("tfidf.ngrams", self.tfidf.ngrams, 1, MAX_NGRAMS)?;
        count("tfidf.min_texts", self.tfidf.min_texts, 1, 1 << 30)?;
        count("word2vec.dim", self.word2vec.dim, 1, 4096)?;
        count("word2vec.window", self.word2vec.window, 1, 100)?;
        count("word2vec.negatives", self.word2vec.negatives, 0, 100)?;
        count("word2vec.min_count", self.word2vec.min_count, 1, 1 << 30)?;
        count("word2vec.epochs", self.word2vec.epochs, 1, 10_000)?;
        real("word2vec.learning_rate", self.word2vec.learning_rate, 1e-8, 1.0)?;
        count("sequence.embedding", self.sequence.embedding, 2, 4096)?;
        count("sequence.max_words", self.sequence.max_words, 1, 10_000)?;
        count("sequence.min_texts", self.sequence.min_texts, 1, 1 << 30)?;
        count("fine_tuned.layers", self.fine_tuned.layers, 1, 1000)?;
        count("fine_tuned.max_tokens", self.fine_tuned.max_tokens, 3, 1 << 20)?;
        real("fine_tuned.learning_rate", self.fine_tuned.learning_rate, 1e-9, 1.0)?;
        real("fine_tuned.weight_decay", self.fine_tuned.weight_decay, 0.0, 10.0)?;
        if self.sequence.embedding % 2 == 1 {
            return Err(LearnError::Data {
                message: format!(
                    "`learn.sequence.embedding` must be even, got {}",
                    self.sequence.embedding
                ),
                hint: None,
            });
        }
        let is_network = super::heads::is_network(&self.head);
        for (view, name) in [(TextView::Sequence, "sequence"), (TextView::FineTuned, "fine-tuned")]
        {
            if self.text_views.contains(&view) && !is_network {
                return Err(LearnError::Data {
                    message: format!("`learn.text_views` has {name}, but {} cannot", self.head),
                    hint: Some("take late-fusion, gated-fusion or early-fusion".to_owned()),
                });
            }
        }
        count("chains", self.chains, 1, 1000)?;
        real("c", self.c, 1e-9, 1e9)?;
        real("gamma", self.gamma, 1e-9, 1e9)?;
        count("neighbours", self.neighbours, 1, 1 << 20)?;
        count("trees.trees", self.trees.trees, 1, 100_000)?;
        count("trees.min_leaf_titles", self.trees.min_leaf_titles, 1, 1 << 20)?;
        count("trees.rounds", self.trees.rounds, 1, 100_000)?;
        count("trees.depth", self.trees.depth, 1, 64)?;
        real("trees.step", self.trees.step, 1e-6, 1.0)?;
        real("trees.subsample", self.trees.subsample, 0.01, 1.0)?;
        count("queries", self.queries, 1, 64)?;
        count("hidden", self.hidden, 1, 4096)?;
        real("dropout", self.dropout, 0.0, 0.95)?;
        real("modality_dropout", self.modality_dropout, 0.0, 0.95)?;
        real("unimodal_loss", self.unimodal_loss, 0.0, 100.0)?;
        real("effective_beta", self.effective_beta, 0.0, 0.999_999)?;
        real("resampled_frac", self.resampled_frac, 0.0, 1.0)?;
        if self.resampling == Resampling::Mlsmote && super::heads::is_network(&self.head) {
            return Err(LearnError::Data {
                message: format!("`learn.resampling` is mlsmote, but {} is a network", self.head),
                hint: Some("take oversampling, or a classical head or stacking".to_owned()),
            });
        }
        real("class_weight_power", self.class_weight_power(), 0.0, 1.0)?;
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
        borrowed::validate(self)?;
        super::heads::find(&self.head).map(|_| ())
    }
}

impl LearnConfig {
    /// How texts are seen: as is said, or else by the features alone in networks, which words cost
    /// twice the time, and by features and words in all other heads.
    #[must_use]
    pub fn views_of_texts(&self) -> &[TextView] {
        match self.text_views.as_slice() {
            [] if super::heads::is_network(&self.head) => &[TextView::Embedding],
            [] => &[TextView::Embedding, TextView::TfIdf],
            said => said,
        }
    }

    /// Where a genre's threshold lies.
    #[must_use]
    pub fn decide(&self) -> Decide {
        let usual = if self.head == super::heads::stacking::NAME {
            Decide::ExpectedF1
        } else {
            Decide::Threshold
        };
        self.decide.unwrap_or(usual)
    }

    /// Exponent of (negatives / positives) in a genre's weight on positives.
    #[must_use]
    pub fn class_weight_power(&self) -> f64 {
        let usual = if super::heads::is_network(&self.head) { 0.5 } else { 0.0 };
        self.class_weight_power.unwrap_or(usual)
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

pub(super) fn count(name: &str, value: usize, low: usize, high: usize) -> Result<(), LearnError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(LearnError::Data {
        message: format!("`learn.{name}` must be between {low} and {high}, got {value}"),
        hint: None,
    })
}

pub(super) fn real(name: &str, value: f64, low: f64, high: f64) -> Result<(), LearnError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(LearnError::Data {
        message: format!("`learn.{name}` must be between {low} and {high}, got {value}"),
        hint: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_strictly_and_checked() {
        let config: LearnConfig = toml::from_str("hidden = 32\npooling = \"mean\"").unwrap();
        assert_eq!((config.hidden, config.pooling), (32, Pooling::Mean));
        config.validate().unwrap();
        assert!(toml::from_str::<LearnConfig>("hiden = 32").is_err());
        for (text, word) in [
            ("dropout = 1.0", "`learn.dropout` must be between 0 and 0.95, got 1"),
            ("dropout = nan", "got NaN"),
            ("text_views = [\"glove\"]", "`learn.glove` names no file"),
            ("head = \"stacking\"\ntext_views = [\"sequence\"]", "stacking cannot"),
            ("head = \"stacking\"\ntext_views = [\"fine-tuned\"]", "has fine-tuned, but stacking"),
            (
                "fine_tuned.layers = 0",
                "`learn.fine_tuned.layers` must be between 1 and 1000, got 0",
            ),
            ("fine_tuned.max_tokens = 2", "`learn.fine_tuned.max_tokens` must be between 3"),
            ("fine_tuned.learning_rate = 0", "`learn.fine_tuned.learning_rate` must be between"),
            ("fine_tuned.weight_decay = -1", "`learn.fine_tuned.weight_decay` must be between 0"),
            ("resampling = \"mlsmote\"", "late-fusion is a network"),
            ("borrowed.speech.from = \"speech\"", "is \"speech\", which the head is not fitted on"),
            (
                "borrowed.speech = { from = \"plot\", min_words = 200 }",
                "`learn.borrowed.speech.full_words` must be 1 or more and at least `min_words` (200)",
            ),
            (
                "borrowed.frames = { from = \"poster\", least_precision = 1.0 }",
                "`learn.borrowed.frames.least_precision` must be between 0.01 and 0.999, got 1",
            ),
            ("members = 1", "`learn.members` must be between 2 and 100, got 1"),
            ("head = \"late-fussion\"", "late-fussion"),
        ] {
            let config: LearnConfig = toml::from_str(text).unwrap();
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
