//! What a report says.

use base::Seed;
use eval::{
    Averages, ByChance, GenreMetrics, Headline, Imbalance, Interval, Kept, MainReason, Metrics,
    PairedDifference, PrCurve, ReliabilityBin,
};
use learn::heads::TrainingLog;
use serde::{Deserialize, Serialize};

use crate::{BorrowedReport, ErrorAnalysis};

/// One evaluation of a late fusion with each of its modalities alone beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// What was evaluated, for people.
    pub title: String,
    /// What a reader must know before the figures (synthetic data, licences, traps avoided).
    pub notes: Vec<String>,
    /// What the figures stand on.
    pub provenance: Provenance,
    /// When, where and how long; not in `metrics.json`.
    #[serde(skip)]
    pub circumstances: Circumstances,
    /// Names of the modalities, in the pipeline's order.
    pub modalities: Vec<String>,
    /// The fusion on all held-out titles, pooled over folds.
    pub fusion: Metrics,
    /// The fusion's headline figures with bootstrap intervals.
    pub intervals: Headline<Interval>,
    /// Coverage of all intervals.
    pub interval_level: f64,
    /// Resamples behind all intervals.
    pub num_resamples: usize,
    /// The fusion on each fold by itself.
    pub folds: Vec<FoldRow>,
    /// Mean over folds.
    pub fold_mean: Headline<f64>,
    /// Sample standard deviation over folds; 0 for a single one.
    pub fold_sd: Headline<f64>,
    /// One entry per modality.
    pub alone: Vec<AloneReport>,
    /// One entry per genre, in the vocabulary's order.
    pub genres: Vec<GenreReport>,
    /// Whether probabilities mean what they say.
    pub reliability: Reliability,
    /// The same without calibration, where it is known.
    #[serde(default)]
    pub uncalibrated: Option<Reliability>,
    /// What asking for a precision gives.
    #[serde(default)]
    pub operating_points: Vec<OperatingPoint>,
    /// Whether tags name the modality that knows their genre; of the titles that have all of the
    /// head's own modalities, and by places in `genres` and `modalities`.
    #[serde(default)]
    pub reasons: Vec<MainReason>,
    /// How unevenly genres are spread.
    #[serde(default)]
    pub imbalance: Imbalance,
    /// What is judged through other modalities; on the titles that have it, which may have
    /// nothing else and are then in no other figure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borrowed: Vec<BorrowedReport>,
    /// What makes held-out figures too good, and whether it was found.
    #[serde(default)]
    pub leaks: Vec<LeakCheck>,
    /// The fusion on the titles whose plot does not name a genre of theirs.
    #[serde(default)]
    pub without_naming: Option<SubsetFigures>,
    /// What goes wrong.
    #[serde(default)]
    pub errors: ErrorAnalysis,
    /// Further cross-validations on other folds; the first is the report's own.
    #[serde(default)]
    pub repeats: Vec<RepeatRow>,
    /// `[genres, genres]`: number of titles labelled with both; support on the diagonal.
    pub co_occurrence: Vec<Vec<u64>>,
    /// The fusion by the number of modalities that titles have.
    pub by_presence: Vec<PresenceRow>,
    /// The course of training, one per fold or member.
    pub training: Vec<TrainingCurve>,
    /// Figures of others to compare with.
    pub references: Vec<ReferenceRow>,
}

/// What figures stand on. The same for two runs over the same data with the same settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// File name of the catalog.
    pub catalog: String,
    /// How titles were split, in words.
    pub split: String,
    /// Digest of the split: which title is in which fold.
    pub split_digest: String,
    /// The run's seed.
    pub seed: Option<Seed>,
    /// Version of this program.
    pub version: String,
    /// Anything else that settles the figures: encoders and their fingerprints, the head.
    pub settings: Vec<(String, String)>,
}

/// When, where and how long: what differs between two equal runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Circumstances {
    /// Date and time.
    pub when: String,
    /// Processor, memory, system.
    pub machine: String,
    /// Where networks ran.
    pub device: String,
    /// How the program was called.
    pub command_line: String,
    /// In the order of running.
    pub stages: Vec<StageDuration>,
}

/// How long a stage of the pipeline took.
#[derive(Clone, Debug, PartialEq)]
pub struct StageDuration {
    /// Its name.
    pub name: String,
    /// Seconds; `None` where it had nothing to do.
    pub seconds: Option<f64>,
}

/// One fold by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldRow {
    /// Which.
    pub fold: usize,
    /// Held-out titles in it.
    pub num_titles: usize,
    /// The fusion's figures.
    pub headline: Headline<f64>,
}

/// One modality as if it were the only one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AloneReport {
    /// Its name.
    pub modality: String,
    /// Titles that have it.
    pub num_present: usize,
    /// On all titles; where it is missing, the score is the genre's prior.
    pub all: Headline<Interval>,
    /// Fusion minus modality on all titles, from the same resamples.
    pub fusion_gain: Headline<PairedDifference>,
    /// On the titles that have it.
    pub present: Headline<f64>,
    /// The fusion on those same titles.
    pub fusion_on_present: Headline<f64>,
}

/// One genre.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenreReport {
    /// Its name.
    pub name: String,
    /// The fusion's figures.
    pub metrics: GenreMetrics,
    /// Share of titles that have it.
    pub prevalence: f64,
    /// Decided is `probability >= threshold`; the mean over folds.
    pub threshold: f64,
    /// `[modalities]`: average precision of each modality alone, on all titles.
    pub alone_ap: Vec<Option<f64>>,
    /// `[modalities]`: share of the fused logit that each modality has where all are present,
    /// summing to 1; empty where the head has no such weights.
    pub fusion_weights: Vec<f64>,
    /// The fusion's curve, thinned for plotting; empty without positives.
    pub curve: PrCurve,
    /// Whether its probabilities mean what they say.
    #[serde(default)]
    pub reliability: Reliability,
}

/// Calibration of the fusion's probabilities, over all (title, genre) pairs or those of a genre.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Of equal width over `[0, 1]`.
    pub bins: Vec<ReliabilityBin>,
    /// Expected calibration error.
    pub expected_calibration_error: f64,
    /// What that is for probabilities that are true, on so many titles; `None` where it was not
    /// simulated.
    #[serde(default)]
    pub by_chance: Option<ByChance>,
    /// Whether the error is above the 95 % point of chance.
    #[serde(default)]
    pub is_above_chance: bool,
    /// Brier score.
    pub brier: f64,
}

/// What thresholds for a precision, fitted out of fold, give on titles held out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// The precision asked for.
    pub asked: f64,
    /// Genres for which a threshold reaches it (in every fold).
    pub num_genres: usize,
    /// Precision of all decisions together.
    pub precision: f64,
    /// Their recall.
    pub recall: f64,
    /// Share of titles with a genre between its usual threshold and that of the precision: for
    /// a person to decide.
    pub abstained: f64,
    /// `[genres]`: what it comes to in each.
    #[serde(default)]
    pub genres: Vec<Kept>,
}

/// One check for a leak.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeakCheck {
    /// What was looked for.
    pub name: String,
    /// Whether it was found.
    pub found: bool,
    /// What exactly, with examples.
    pub detail: String,
}

/// Figures on some of the titles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SubsetFigures {
    /// How many.
    pub num_titles: usize,
    /// The fusion's figures on them.
    pub headline: Headline<f64>,
}

/// One cross-validation of a repeated one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RepeatRow {
    /// Digest of its folds.
    pub split_digest: String,
    /// The fusion's figures.
    pub headline: Headline<f64>,
}

/// Titles with as many modalities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PresenceRow {
    /// How many modalities they have.
    pub num_present: usize,
    /// How many titles those are.
    pub num_titles: usize,
    /// The fusion over all their decisions together.
    pub micro: Averages,
    /// Mean of the titles' F1.
    pub samples_f1: f64,
    /// Label ranking average precision.
    pub lrap: f64,
}

/// The course of one fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingCurve {
    /// Of which fold or member.
    pub name: String,
    /// Mean training loss per epoch.
    pub train_loss: Vec<f64>,
    /// Validation mAP per epoch.
    pub valid_map: Vec<f64>,
    /// The epoch whose weights were kept (0-based).
    pub best_epoch: usize,
}

impl TrainingCurve {
    /// A fit's log under a name; seconds are left out, they are no figure of the data.
    #[must_use]
    pub fn new(name: impl Into<String>, log: &TrainingLog) -> Self {
        Self {
            name: name.into(),
            train_loss: log.train_loss.clone(),
            valid_map: log.valid_map.clone(),
            best_epoch: log.best_epoch,
        }
    }
}

/// Somebody else's figures on the same task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceRow {
    /// The method.
    pub name: String,
    /// Where the figures come from and what they stand on.
    pub source: String,
    /// Micro F1, where stated.
    pub micro_f1: Option<f64>,
    /// Macro F1, where stated.
    pub macro_f1: Option<f64>,
    /// Samples F1, where stated.
    pub samples_f1: Option<f64>,
    /// Mean average precision, where stated.
    pub map: Option<f64>,
}
