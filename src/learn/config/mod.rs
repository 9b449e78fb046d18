//! The `[learn]` table of a pipeline: which head and how it is trained.
//!
//! The defaults were chosen by cross-validation on 4,890 films with posters, plots and
//! metadata, on inner folds only.

mod borrowed;
mod classical;
mod decisions;
mod flat;
mod fusion;
mod imbalance;
mod prior;
mod stacking;
mod text;

use std::{collections::BTreeMap, path::PathBuf};

use base::Digest;

use crate::{
    LearnError,
    bounds::count,
    transform::{TfIdfSettings, Word2vecSettings},
};

pub(crate) use self::classical::Compares;
pub use self::{
    borrowed::Borrowing,
    classical::{Base, ClassicalSettings, LabelScheme, TreeSettings},
    decisions::{Calibration, Decide, DecisionSettings},
    flat::{TABLES, as_written, other_place, twice},
    fusion::{FusionSettings, Pooling},
    imbalance::ImbalanceSettings,
    prior::PriorSettings,
    stacking::{ExpertKind, StackSettings},
    text::{FineTuning, SequenceKind, SequenceSettings, TextView},
};
pub use crate::{
    loss::{ClassWeights, LossKind},
    transform::resampling::Resampling,
};

/// The head where none is named.
pub const DEFAULT_HEAD: &str = "late-fusion";

/// Settings of head, training and decisions. Those of one part of the whole have a table of their
/// own; in a file they may stand there (`[learn.fusion]`) or in `[learn]` itself, and are written
/// flat.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnConfig {
    /// The head's name; [`crate::heads::registry`] lists them.
    pub head: String,
    /// How texts are seen; empty: as the head's own table of figures favours
    /// ([`LearnConfig::views_of_texts`]).
    pub text_views: Vec<TextView>,
    /// What the words of a text weigh.
    pub tfidf: TfIdfSettings,
    /// How word vectors are learned.
    pub word2vec: Word2vecSettings,
    /// A file of word vectors, a word and its numbers a line: `GloVe`'s format.
    pub glove: Option<PathBuf>,
    /// The network over a text's words in order.
    pub sequence: SequenceSettings,
    /// How the last layers of a text's sentence network are trained further.
    pub fine_tuned: FineTuning,
    /// The networks.
    pub fusion: FusionSettings,
    /// The classical learners.
    pub classical: ClassicalSettings,
    /// Forests and boosting.
    pub trees: TreeSettings,
    /// What `stacking` scores each view with.
    pub base: Base,
    /// What else `stacking` asks, and how it weighs the answers.
    pub stack: StackSettings,
    /// Genres that few titles have.
    pub imbalance: ImbalanceSettings,
    /// Members of the ensemble = inner folds; each stops early on its own fold. Of a head that is
    /// fitted once on all titles, the inner folds where none are given.
    pub members: usize,
    /// Category values and people of metadata need so many training titles.
    pub min_support: usize,
    /// Probabilities and thresholds.
    pub decisions: DecisionSettings,
    /// By name: modalities that the head is not fitted on but judges as if they were others.
    pub borrowed: BTreeMap<String, Borrowing>,
    /// A modality that holds what another model says of the genres.
    pub prior: Option<PriorSettings>,
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
            fusion: FusionSettings::default(),
            classical: ClassicalSettings::default(),
            trees: TreeSettings::default(),
            base: Base::LogisticRegression,
            stack: StackSettings::default(),
            imbalance: ImbalanceSettings::default(),
            members: 4,
            min_support: 2,
            decisions: DecisionSettings::default(),
            borrowed: BTreeMap::new(),
            prior: None,
        }
    }
}

impl LearnConfig {
    /// These settings with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

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
        self.fusion.validate()?;
        self.classical.validate()?;
        self.trees.validate()?;
        self.stack.validate()?;
        self.imbalance.validate()?;
        self.decisions.validate()?;
        count("members", self.members, 2, 100)?;
        count("min_support", self.min_support, 1, 1 << 30)?;
        self.prior.iter().try_for_each(PriorSettings::validate)?;
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
