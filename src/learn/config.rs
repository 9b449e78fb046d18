//! The `[learn]` table of a pipeline: which head and how it is trained.
//!
//! The defaults were chosen by cross-validation on 4,890 films with posters, plots and
//! metadata, on inner folds only.

use serde::{Deserialize, Serialize};

use super::LearnError;

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

/// Settings of head, training and decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    /// The head's name; `heads::names()` lists them.
    pub head: String,
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
    /// Exponent of (negatives / positives) in a genre's weight on positives: 0 none, 1 balanced.
    pub class_weight_power: f64,
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
    /// Members of the ensemble = inner folds; each stops early on its own fold.
    pub members: usize,
    /// Category values and people of metadata need so many training titles.
    pub min_support: usize,
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
}

impl Default for LearnConfig {
    fn default() -> Self {
        Self {
            head: super::heads::late_fusion::NAME.to_owned(),
            pooling: Pooling::Attention,
            queries: 4,
            hidden: 64,
            dropout: 0.4,
            modality_dropout: 0.25,
            loss: LossKind::Bce,
            unimodal_loss: 0.5,
            class_weight_power: 0.5,
            class_weight_cap: 5.0,
            label_smoothing: 0.02,
            learning_rate: 2e-3,
            weight_decay: 0.02,
            epochs: 60,
            patience: 10,
            batch_titles: 256,
            ema: 0.0,
            members: 4,
            min_support: 5,
            threshold_shrinkage: 10.0,
            at_least_one: true,
            abstain: false,
            calibration: Calibration::Platt,
            precision: None,
        }
    }
}

impl LearnConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first that is out of range, with what was expected; an unknown head.
    pub fn validate(&self) -> Result<(), LearnError> {
        count("queries", self.queries, 1, 64)?;
        count("hidden", self.hidden, 1, 4096)?;
        real("dropout", self.dropout, 0.0, 0.95)?;
        real("modality_dropout", self.modality_dropout, 0.0, 0.95)?;
        real("unimodal_loss", self.unimodal_loss, 0.0, 100.0)?;
        real("class_weight_power", self.class_weight_power, 0.0, 1.0)?;
        real("class_weight_cap", self.class_weight_cap, 1.0, 1e6)?;
        real("label_smoothing", self.label_smoothing, 0.0, 0.5)?;
        real("learning_rate", self.learning_rate, 1e-8, 1.0)?;
        real("weight_decay", self.weight_decay, 0.0, 10.0)?;
        count("epochs", self.epochs, 1, 100_000)?;
        count("patience", self.patience, 1, 100_000)?;
        count("batch_titles", self.batch_titles, 1, 1 << 20)?;
        real("ema", self.ema, 0.0, 0.9999)?;
        count("members", self.members, 2, 100)?;
        count("min_support", self.min_support, 1, 1 << 30)?;
        real("threshold_shrinkage", self.threshold_shrinkage, 0.0, f64::INFINITY)?;
        real("precision", self.precision.unwrap_or(0.5), 0.01, 0.999)?;
        super::heads::find(&self.head).map(|_| ())
    }
}

fn count(name: &str, value: usize, low: usize, high: usize) -> Result<(), LearnError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(LearnError::Data {
        message: format!("`learn.{name}` must be between {low} and {high}, got {value}"),
        hint: None,
    })
}

fn real(name: &str, value: f64, low: f64, high: f64) -> Result<(), LearnError> {
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
            ("members = 1", "`learn.members` must be between 2 and 100, got 1"),
            ("head = \"late-fussion\"", "late-fussion"),
        ] {
            let config: LearnConfig = toml::from_str(text).unwrap();
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
