//! What the gate says, with every figure that it stands on.

use base::Digest;
use serde::{Deserialize, Serialize};

/// What becomes of the new bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is shown to be no worse than the limits allow.
    Promote,
    /// It is shown to be worse.
    Refuse,
    /// Neither: the pinned titles are too few to tell.
    Undecided,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Refuse => "refuse",
            Self::Undecided => "undecided",
        }
    }
}

/// How much worse a new bundle may look, and how sure that must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How sure one-sided bounds are, in `(0.5, 1)`.
    pub level: f64,
    /// Micro F1 may fall by less than this.
    pub micro_f1_drop: f64,
    /// mAP may fall by less than this.
    pub map_drop: f64,
    /// The expected calibration error may rise by so much.
    pub calibration_rise: f64,
    /// Tags per title may become more or fewer by this share.
    pub tags_frac: f64,
    /// Genres with so many pinned titles are tested by themselves.
    pub genre_positives: usize,
    /// The chance that any genre is called worse though none is.
    pub genre_level: f64,
    /// With fewer pinned groups nothing is promoted: where none of `n` groups differs, up to `3 / n` of
    /// others may (95 %), and resamples of a few titles know nothing of that.
    pub min_groups: usize,
}

impl Default for Limits {
    /// Those that were simulated (docs/learn.md).
    fn default() -> Self {
        Self {
            level: 0.95,
            micro_f1_drop: 0.01,
            map_drop: 0.02,
            calibration_rise: 0.01,
            tags_frac: 0.2,
            genre_positives: 30,
            genre_level: 0.05,
            min_groups: 100,
        }
    }
}

/// A figure of both bundles on the same titles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BeforeAfter {
    /// Of the bundle that is current.
    pub old: f64,
    /// Of the new one.
    pub new: f64,
}

/// A figure of both bundles, and how far apart they may be on other titles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Of the bundle that is current.
    pub old: f64,
    /// Of the new one.
    pub new: f64,
    /// New minus old.
    pub difference: f64,
    /// The difference is at least this, by a one-sided bound.
    pub at_least: f64,
    /// The difference is at most this, by a one-sided bound.
    pub at_most: f64,
}

/// One genre with enough pinned titles to be tested by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenreChange {
    /// Its name.
    pub genre: String,
    /// Pinned titles that have it.
    pub num_positives: usize,
    /// F1 of its tags.
    pub f1: BeforeAfter,
    /// Average precision of its ranking.
    pub ap: BeforeAfter,
    /// Chance of an F1 so much lower where the bundles are equal, Holm over all genres and both figures.
    pub f1_p: f64,
    /// The same of the average precision.
    pub ap_p: f64,
}

/// What would decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// So many more pinned titles, about.
    pub more_titles: usize,
    /// What it would probably come to, should the differences stay what they are.
    pub towards: Outcome,
}

/// The gate's report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What becomes of the new bundle.
    pub outcome: Outcome,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// Where it is undecided: what would decide it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wanted: Option<Wanted>,
    /// Pinned titles.
    pub num_titles: usize,
    /// Groups of them.
    pub num_groups: usize,
    /// Digest of the pinned titles' ids.
    pub test: Digest,
    /// F1 over all decisions.
    pub micro_f1: Change,
    /// Mean of the genres' average precisions.
    pub map: Change,
    /// Expected calibration error over 10 bins of all probabilities.
    pub calibration_error: BeforeAfter,
    /// Tags per title.
    pub tags_per_title: BeforeAfter,
    /// Genres that were tested by themselves.
    pub genres: Vec<GenreChange>,
    /// What it was held to.
    pub limits: Limits,
}
